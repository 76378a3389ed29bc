"""The page for browsers: its files, its random numbers, and its images in headless Chromium."""

import base64
import functools
import http.server
import io
import json
import re
import shutil
import subprocess
import threading

import numpy as np
import pytest
from PIL import Image

from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.images import to_uint8
from stylegan_tf.inference.export import onnxruntime_web
from stylegan_tf.inference.export.saved_model import ExportedGenerator, ExportedStyleGenerator
from stylegan_tf.models.dcgan.networks import DCGANGenerator
from stylegan_tf.models.dcgan.settings import GeneratorSettings as DCGANSettings
from stylegan_tf.seeds import latents_from_seeds
from tests.browser import CHROMIUM, Browser
from tests.inference.small_network import small_generator

pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
pytest.importorskip("tf2onnx", reason="needs the extra `onnx`")
web_folder = pytest.importorskip("stylegan_tf.inference.export.web_folder")

LABELS = [("</script>", np.array([1, 0, 0])), ("b", np.array([0, 1, 0])), ("c", np.array([0, 0, 1]))]


def test_files_of_the_folder(tmp_path):
    library = dict.fromkeys(onnxruntime_web.FILES, b"\x00library")
    G = small_generator(label_size=3)
    assert web_folder.export_web(ExportedStyleGenerator(G, psi=0.6, lod=1.0), tmp_path / "page", library, labels=LABELS) < 1e-4
    files = {path.name: path.read_bytes() for path in (tmp_path / "page").iterdir()}
    assert set(files) == {"LICENSE-onnxruntime-web.txt", "generator.onnx", "index.html", "offline.js", *library}
    page = files["index.html"].decode()
    described = json.loads(re.search(r'type="application/json">(.*?)</script>', page)[1])
    assert described["resolution"] == 4  # of lod 1
    assert (described["psi"], described["z_dim"], described["labels"][0]) == (0.6, 4, {"name": "</script>", "values": [1, 0, 0]})
    offline = json.loads(files["offline.js"].decode().removeprefix("var OFFLINE = ").rstrip(";\n"))
    assert base64.b64decode(offline["generator.onnx"]) == files["generator.onnx"]
    assert not re.search(r"https?://", page)  # nothing is read from elsewhere


def test_seeds_of_the_page_are_those_of_numpy(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node to run the script of the page")
    page = web_folder._PAGE.read_text()
    script = page[page.index("function randn") : page.index("// A file of this folder")]
    seeds = [0, 1, 85, 2**31, 2**32 - 1]
    code = f"{script}\nconsole.log(JSON.stringify({seeds}.map((seed) => [...randn(seed, 701)])))"
    done = subprocess.run([node, "-e", code], capture_output=True, text=True, check=True)
    np.testing.assert_allclose(json.loads(done.stdout), latents_from_seeds(seeds, 701), rtol=1e-6)


def test_another_archive_is_refused(tmp_path):
    with pytest.raises(MissingFileError):
        onnxruntime_web.read_files(str(tmp_path / "none.tgz"))
    (tmp_path / "other.tgz").write_bytes(b"other")
    with pytest.raises(UserError, match="its SHA-512 differs"):
        onnxruntime_web.read_files(str(tmp_path / "other.tgz"))


def test_without_npm_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"no npm to download it. Install npm .* or download https://registry.npmjs.org/"):
        onnxruntime_web.read_files(None)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("there is no Chromium (apt-get install chromium)")
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def library():
    try:
        return onnxruntime_web.read_files(None)
    except UserError as error:
        pytest.skip(str(error))


def shown_image(page, seed):
    """The image that the page saves, once it shows a seed: uint8 [R, R, C]."""
    page.wait(f"document.getElementById('status').textContent.startsWith('Seed {seed}: ')")
    page.wait("!isBusy && !isStale")
    encoded = page.js("document.getElementById('save').href").removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")).astype(int)


@pytest.mark.slow  # downloads onnxruntime-web, 33 MB
@pytest.mark.parametrize("place", ["server", "file"])
def test_chromium_shows_the_images_of_the_generator(tmp_path, chromium, library, place):
    G = small_generator(label_size=3)
    G.w_avg.assign(np.linspace(-1, 1, 5))
    web_folder.export_web(ExportedStyleGenerator(G, psi=0.6), tmp_path / "page", library, labels=LABELS, title="Leaves <8x8>")

    def image(seed, psi, label):
        ws = G.mapping(latents_from_seeds([seed], 4), np.eye(3)[[label]])
        return to_uint8(G.synthesis(G.truncate(ws, psi, G.num_ws), noise_mode="const").numpy())[0]

    address = (tmp_path / "page/index.html").as_uri()
    if place == "server":
        (tmp_path / "page/offline.js").unlink()
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "page")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
    page = chromium.page(address)
    assert np.abs(shown_image(page, 0) - image(0, 0.6, 0)).max() <= 1  # rounding
    assert page.js("document.title") == "Leaves <8x8>"
    for name, value in (("label", "c"), ("psi", "-0.5"), ("seed", "85")):
        page.js(f"document.getElementById('{name}').value = '{value}'")
    page.js("document.getElementById('form').dispatchEvent(new Event('input'))")
    assert np.abs(shown_image(page, 85) - image(85, -0.5, 2)).max() <= 1
    assert page.js("location.hash") == "#seed=85&psi=-0.5&class=2"
    again = chromium.page(f"{address}#seed=7&psi=0&class=1")  # the address holds what is shown
    assert np.abs(shown_image(again, 7) - image(7, 0, 1)).max() <= 1


@pytest.mark.slow
def test_chromium_shows_grey_images_of_a_model_without_styles(tmp_path, chromium, library):
    G = DCGANGenerator(DCGANSettings(z_dim=4, fmaps=2), resolution=16, channels=1)
    web_folder.export_web(ExportedGenerator(G), tmp_path / "page", library)
    page = chromium.page((tmp_path / "page/index.html").as_uri() + "#seed=3")
    assert np.abs(shown_image(page, 3) - to_uint8(G.sample(latents_from_seeds([3], 4)).numpy())[0]).max() <= 1
    assert page.js("getComputedStyle(document.getElementById('psi')).display") == "none"
    assert page.js("getComputedStyle(document.getElementById('label')).display") == "none"
    assert page.js("location.hash") == "#seed=3"
