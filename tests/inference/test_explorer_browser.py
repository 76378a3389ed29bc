"""The explorer's page in a real browser: headless Chromium, where there is one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylegan_tf import snapshot
from stylegan_tf.inference.directions.direction import Direction
from stylegan_tf.inference.directions.file import save_directions
from stylegan_tf.models.weights import named_weights
from tests.browser import CHROMIUM, Browser
from tests.inference.small_network import small_discriminator, small_generator
from tests.test_generate import run

pytestmark = [
    pytest.mark.slow,  # a browser and processes with TensorFlow: a minute
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]
ROOT = Path(__file__).parents[2]


class Explorer:
    """generate.py explore in a process of its own."""

    def __init__(self, folder, *arguments, port=0):
        command = [sys.executable, "generate.py", "explore", "--no-open", "--port", str(port), *map(str, arguments)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert "http://127.0.0.1:" in line, line
        self.url = line.split()[4]
        self.port = int(self.url.rsplit(":", 1)[1].strip("/"))

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run folder of two snapshots of a conditional network, and directions."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "run").mkdir()
    for number, name in enumerate(("network-snapshot-000001.pkl", "network-final.pkl")):
        G = small_generator(label_size=3, seed=number)
        embedding = named_weights(G)["mapping/label_embedding"]
        embedding.assign(embedding / 60)  # of the size of z: images of one class must differ
        networks = snapshot.Networks(G, small_discriminator(label_size=3), G, nimg=1000, dataset={"class_names": ["hat", "dress", "shirt"]})
        snapshot.save_networks(folder / "run" / name, networks)
    save_directions(
        folder / "d.npz", [Direction("pca0", np.ones((4, 5), np.float32), (0, 1, 2, 3), "pca", {"lpips_per_step": 0.1})], [-1, 1]
    )
    return folder


@pytest.fixture(scope="module")
def explorer(folder):
    explorer = Explorer(folder, "--network", folder / "run", "--directions", folder / "d.npz")
    yield explorer
    explorer.kill()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


COUNT = "Number(document.querySelector('#image').dataset.count || 0)"


def opened(browser, explorer, **size):
    page = browser.page(explorer.url, **size)
    page.wait(f"{COUNT} > 0 && document.querySelector('#image').naturalWidth == 8")
    return page


def changed(page, action):
    """Runs an action and waits until another image has come."""
    before = picture(page)
    action()
    page.wait(f"![null, {before!r}].includes({PICTURE})")
    return before


# null while an image is loading: a canvas stays empty then, and would be taken for another picture.
PICTURE = """(() => { const i = document.querySelector('#image'), c = document.createElement('canvas'); c.width = c.height = 8;
if (!i.complete || !i.naturalWidth) return null;
c.getContext('2d').drawImage(i, 0, 0); return c.toDataURL() })()"""


def picture(page):
    return page.wait(PICTURE)


def choose(page, selector, value):
    """Sets a control, and fires what a user's change fires."""
    page.js(
        f"(() => {{ const e = document.querySelector({selector!r}); e.value = {value!r}; "
        "for (const kind of ['input', 'change']) e.dispatchEvent(new Event(kind, {bubbles: true})) })()"
    )


def click(page, selector):
    page.js(f"document.querySelector({selector!r}).click()")


def test_load_drag_change_undo_and_keys(browser, explorer):
    page = opened(browser, explorer)
    assert page.js("document.querySelector('#about').textContent") == "stylegan, 8x8, 1 kimg"
    assert page.js("[...document.querySelectorAll('#network option')].map(o => o.text)") == [
        "run/network-final.pkl", "run/network-snapshot-000001.pkl",
    ]  # fmt: skip
    start = picture(page)
    changed(page, lambda: page.drag("#map", (150, 90), steps=30))
    page.wait("document.querySelector('#undo').disabled == false")
    click(page, "#undo")
    page.wait(f"({PICTURE}) == {start!r}")
    changed(page, lambda: click(page, "#redo"))
    changed(page, lambda: choose(page, "#seed", "12345"))
    controls = {
        "#class": "1", "#psi": "0.2", "#cutoff": "1", "#noise-seed": "7", "#lod": "0.5", ".direction input[type=range]": "2",
    }  # fmt: skip
    changed(page, lambda: choose(page, "#noise", "seed"))
    for selector, value in controls.items():
        changed(page, lambda selector=selector, value=value: choose(page, selector, value))
    changed(page, lambda: choose(page, "#noise", "none"))
    changed(page, lambda: click(page, "#mix"))
    changed(page, lambda: choose(page, "#class-mix label:nth-child(3) input", "0.9"))
    assert page.js("document.querySelector('#class').value") == "mix"
    changed(page, lambda: click(page, "#mix"))  # off: all four layers were those of the other seed
    page.js("document.querySelector('#map').focus()")
    changed(page, lambda: page.key("ArrowRight", modifiers=8))
    assert page.js("document.querySelector('#seed').value") == "12346"
    changed(page, lambda: page.key("z", code="KeyZ", modifiers=2))
    page.wait("document.querySelector('#seed').value == '12345'")
    changed(page, lambda: page.key("r", code="KeyR", text="r"))
    assert "ms a picture" in page.js("document.querySelector('#caption').textContent")
    page.wait("document.querySelector('#status').textContent == ''")


def test_save_png_w_and_command(browser, explorer, tmp_path, monkeypatch):
    page = opened(browser, explorer)
    changed(page, lambda: choose(page, "#seed", "77"))
    changed(page, lambda: choose(page, "#class", "2"))
    click(page, "#save-png")
    click(page, "#save-w")
    click(page, "#copy")
    command = page.wait("document.querySelector('#command').value")
    files = [browser.downloads / name for name in ("seed0077.png", "w.npz")]
    page.wait("true")
    for path in files:
        for _ in range(200):
            if path.exists():
                break
            page.js("new Promise((resolve) => setTimeout(resolve, 50))")
    assert np.load(files[1])["w"].shape == (1, 4, 5)
    monkeypatch.chdir(tmp_path)
    import shlex

    run(*shlex.split(command)[2:])
    expected = np.asarray(Image.open("out/seed0077-class2-shirt.png")).astype(int)
    assert np.abs(np.asarray(Image.open(files[0])) - expected).max() <= 1
    choose(page, "#video-frames", "4")
    choose(page, "#video-format", "webp")
    click(page, "#video")
    for _ in range(400):
        if (browser.downloads / "walk.webp").exists():
            break
        page.js("new Promise((resolve) => setTimeout(resolve, 50))")
    assert Image.open(browser.downloads / "walk.webp").n_frames > 1


def test_compare_play_and_two_tabs(browser, explorer):
    page, other = opened(browser, explorer), opened(browser, explorer)
    choose(page, "#compare", "1")
    page.wait("document.querySelector('#image2').naturalWidth == 8")
    assert page.js("document.querySelector('#image').src != document.querySelector('#image2').src")
    counts = [tab.js(COUNT) for tab in (page, other)]
    for tab in (page, other):
        click(tab, "#play")
    for tab, count in zip((page, other), counts, strict=True):
        tab.send("Page.bringToFront")  # tabs behind others do not animate
        tab.wait(f"{COUNT} > {count + 5}")
        click(tab, "#play")
        assert tab.js("document.querySelector('#play').textContent") == "Play"
    changed(other, lambda: choose(other, "#seed", "5"))


def test_bookmarks_survive_a_reload_and_a_server_that_was_killed_and_restarted(browser, folder):
    explorer = Explorer(folder, "--network", folder / "run")
    page = opened(browser, explorer)
    changed(page, lambda: choose(page, "#seed", "42"))
    page.js("localStorage.removeItem('stylegan_tf.explorer.bookmarks')")
    click(page, "#bookmark")
    kept = picture(page)
    changed(page, lambda: choose(page, "#seed", "43"))
    explorer.kill()
    choose(page, "#seed", "44")
    page.wait("document.querySelector('#status').textContent.includes('does not answer')")
    again = Explorer(folder, "--network", folder / "run", port=explorer.port)
    try:
        page.wait("document.querySelector('#status').textContent == ''")
        page.send("Page.reload")
        page.wait(f"document.querySelector('.mark button') && {COUNT} > 0")
        click(page, ".mark button")
        page.wait(f"({PICTURE}) == {kept!r}")
        assert page.js("document.querySelector('#seed').value") == "42"
    finally:
        again.kill()


@pytest.mark.parametrize(("width", "is_dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_nothing_is_wider_than_the_window(browser, explorer, width, is_dark):
    page = opened(browser, explorer, width=width, height=844)
    page.dark(is_dark)
    assert page.js("document.documentElement.scrollWidth") <= width
    colours = page.js("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
    ink, paper = (np.mean([int(part) for part in colour[4:-1].split(",")]) for colour in colours)
    assert (paper < 60 and ink > 200) if is_dark else (paper > 240 and ink < 60)
    # Every control can be reached and named.
    nameless = page.js("""[...document.querySelectorAll('input, select, button, textarea')].filter((e) =>
        !(e.labels && e.labels.length && e.labels[0].textContent.trim()) && !e.getAttribute('aria-label') && !e.textContent.trim()
        && !e.querySelector('img[alt]')).map((e) => e.id || e.outerHTML)""")
    assert nameless == []
