"""The explorer's server by raw HTTP: who may ask for what, that numbers are checked, and that images are those of generate.py."""

import contextlib
import http.client
import io
import json
import re
import shlex
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import stylegan_tf
from stylegan_tf import models, snapshot
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.inference.directions.direction import Direction
from stylegan_tf.inference.directions.file import save_directions
from stylegan_tf.inference.explorer.api import Api, between, entries_of
from stylegan_tf.inference.explorer.command import layers_text
from stylegan_tf.inference.explorer.server import MAX_BODY_BYTES, PAGE_FILES, ExplorerServer
from stylegan_tf.inference.explorer.view import Limits, parse_latent, parse_view
from stylegan_tf.inference.explorer.worker import Superseded, Worker
from stylegan_tf.seeds import latents_from_seeds
from tests import tiny_model
from tests.inference.small_network import small_stylegan2
from tests.legacy.official_files import official_bytes
from tests.recorded import golden_path
from tests.test_generate import run, save

ROOT = Path(__file__).parents[2]


class Served:
    """A server with its worker, and requests to it."""

    def __init__(self, paths, directions=None, host="127.0.0.1"):
        self.worker = Worker()
        self.entries = entries_of([str(path) for path in paths])
        api = Api(self.entries, None if directions is None else str(directions), self.worker, precision="float32", device=None)
        self.server = ExplorerServer(host, 0, api)
        self.port = self.server.server_address[1]
        self.threads = [threading.Thread(target=target, daemon=True) for target in (self.worker.run, self.server.serve_forever)]
        for thread in self.threads:
            thread.start()

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def post(self, name, value, **headers):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        token = {"X-Token": self.server.token} if self.server.token else {}
        return self.request("POST", f"/api/{name}", body, {"Content-Type": "application/json"} | token | headers)

    def ok(self, name, network=0, view=None, **more):
        answer, content = self.post(name, {"network": network, "client": "test", **({"view": view} if view else {}), **more})
        assert answer.status == 200, content
        return json.loads(content) if answer.headers["Content-Type"] == "application/json" else content

    def image(self, view, network=0):
        return np.asarray(Image.open(io.BytesIO(self.ok("image", network, view))))

    def close(self):
        self.worker.close()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("explorer")


@pytest.fixture(scope="module")
def served(folder):
    """Networks: 0 unconditional, 1 conditional and grey, 2 half-grown, 3 official, 4 StyleGAN2, 5 with labels of two numbers."""
    paths = [
        save(folder / "plain.pkl"),
        save(folder / "classes.pkl", label_size=3, channels=1, dataset={"class_names": ["hat", "dress", "shirt"]}),
        save(folder / "half.pkl", lod=1.0),
    ]
    (folder / "official.pkl").write_bytes(official_bytes())
    G = small_stylegan2()
    D = models.find("stylegan2").Discriminator(models.network_settings("stylegan2")[1](fmap_base=32, fmap_max=4), resolution=8)
    snapshot.save_networks(folder / "stylegan2.pkl", snapshot.Networks(G, D, G, model="stylegan2"))
    save(folder / "numbers.pkl", label_size=2, dataset={"label_examples": np.array([[1, 13], [0, 90]], np.float32)})
    rng = np.random.default_rng(0)
    directions = [
        Direction("pca0", np.tile(rng.normal(size=5), (4, 1)).astype(np.float32), (0, 1, 2, 3), "pca"),
        Direction("style1.0", (np.arange(32) == 9).astype(np.float32), (1,), "channels"),
    ]
    save_directions(folder / "directions.npz", directions, [-1, 1])
    server = Served([*paths, folder / "official.pkl", folder / "stylegan2.pkl", folder / "numbers.pkl"], folder / "directions.npz")
    yield server
    server.close()


def view(**changes):
    return {"latent": [[3, 1.0]], "psi": 0.7, "cutoff": 2, **changes}


def test_files_of_the_page_and_nothing_else(served):
    for name in [*PAGE_FILES, ""]:
        answer, content = served.request("GET", f"/{name}")
        assert answer.status == 200
        assert content
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    for path in ("/../server.py", "/%2e%2e/server.py", "/page/index.html", "/etc/passwd", "/api/image"):
        assert served.request("GET", path)[0].status == 404
    for method in ("PUT", "DELETE", "HEAD", "OPTIONS"):  # no preflight is answered: other sites cannot post JSON
        assert served.request(method, "/api/networks")[0].status == 501


def test_the_page_loads_nothing_from_elsewhere():
    for name in PAGE_FILES:
        text = (ROOT / "stylegan_tf/inference/explorer/page" / name).read_text(encoding="utf-8")
        assert re.findall(r"(?:https?:)?//[\w.]+\.\w+", text.replace("http://www.w3.org/2000/svg", "")) == []


def test_page_files_are_installed(tmp_path):
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    installed = {path.name for path in (tmp_path / "stylegan_tf/inference/explorer/page").iterdir()}
    assert installed == set(PAGE_FILES)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:{port}"}, 403),
        ({"Host": "127.0.0.1:1"}, 403),
        ({"Host": "10.0.0.1:{port}"}, 403),
        ({"Host": "["}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:{port}"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Host": "localhost:{port}"}, 200),
    ],
)
def test_only_the_page_itself_may_ask(served, headers, status):
    headers = {name: value.format(port=served.port) for name, value in headers.items()}
    assert served.post("networks", {}, **headers)[0].status == status
    if "Host" in headers:
        assert served.request("GET", "/", headers={"Host": headers["Host"]})[0].status == status


def test_a_server_for_other_machines_needs_its_token(served, folder):
    other = Served([folder / "plain.pkl"], host="0.0.0.0")
    try:
        assert re.search(r"/\?token=[\w-]{20,}$", other.server.url)
        assert other.post("networks", {})[0].status == 200
        for token in ("", "x", other.server.token[:-1], "ü"):
            assert other.post("networks", {}, **{"X-Token": token.encode()})[0].status == 403
        assert other.post("networks", {}, Host=f"10.0.0.7:{other.port}")[0].status == 200
        assert other.post("networks", {}, Host=f"evil.example:{other.port}")[0].status == 403
    finally:
        other.close()
    assert served.server.token == ""
    assert "token" not in served.server.url


def test_tabs_that_connect_at_once_wait_for_their_turn(served):
    server = ExplorerServer("127.0.0.1", 0, served.server.api)  # accepts nothing yet
    with contextlib.ExitStack() as stack:
        stack.callback(server.server_close)
        for _ in range(40):  # one too many would get no answer
            stack.enter_context(socket.create_connection(server.server_address, timeout=0.5))


def test_bodies_are_bounded_and_json(served):
    assert served.post("networks", b"x" * (MAX_BODY_BYTES + 1))[0].status == 413
    assert served.post("networks", b"", **{"Content-Length": "99999999999999"})[0].status == 413
    for length in ("-1", "1.5", "x", "²"):
        assert served.post("networks", b"", **{"Content-Length": length.encode()})[0].status == 411
    assert served.post("networks", b"{}", **{"Transfer-Encoding": "chunked"})[0].status == 411
    for body in (b"{", b"[]", b"3", b"\xff", b"[" * 100_000):
        answer, content = served.post("image", body)
        assert answer.status == 400
        assert "error" in json.loads(content)
    assert served.post("nothing", {})[0].status == 404
    with socket.create_connection(("127.0.0.1", served.port)) as connection:  # garbage does not end the server
        connection.sendall(b"\x00\x01\x02 nonsense\r\n\r\n")
        assert connection.recv(100)
    assert served.post("networks", {})[0].status == 200


BAD_VIEWS = [
    {"latent": []}, {"latent": [[1]]}, {"latent": [[-1, 1]]}, {"latent": [[2**32, 1]]}, {"latent": [[1.5, 1]]}, {"latent": [[True, 1]]},
    {"latent": [[1, 0]]}, {"latent": [[1, -1]]}, {"latent": [[1, 1]] * 100}, {"latent": "1"}, {"latent": None},
    {"psi": 1e9}, {"psi": "1"}, {"psi": float("nan")}, {"psi": float("inf")}, {"cutoff": -1}, {"cutoff": 1.0}, {"noise": "loud"},
    {"noise": ["const"]}, {"noise_seed": -1}, {"noise_seed": 2**40}, {"mix_layers": [4]}, {"mix_layers": [-1]},
    {"mix_layers": list(range(99))},
    {"mix_seed": None}, {"edits": [{"name": "x", "strength": 1}]}, {"edits": [{"name": "pca0", "strength": 1e9}]}, {"edits": 3},
    {"edits": [{"name": "pca0", "strength": 1, "layers": [9]}]}, {"edits": [{"name": "pca0", "strength": 1}] * 99}, {"edits": [None]},
    {"label": [1]}, {"label": "x"}, {"lod": -1}, {"lod": 9},
]  # fmt: skip


@pytest.mark.parametrize("change", BAD_VIEWS, ids=str)
def test_numbers_of_the_page_are_checked(served, change):
    answer, content = served.post("image", {"network": 0, "client": "test", "view": view(**change)})
    assert answer.status == 400
    assert json.loads(content)["error"].endswith(".")


@pytest.mark.parametrize(
    "request_", [{"network": 9}, {"network": -1}, {"network": "../x"}, {"network": True}, {"client": 3}, {"client": "x" * 99}]
)
def test_only_networks_of_the_command_line_can_be_opened(served, request_):
    assert served.post("open", {"network": 0, "client": "test", **request_})[0].status == 400


def test_what_the_page_shows_about_networks(served):
    info = [served.ok("open", number) for number in range(6)]
    assert [info[number]["num_ws"] for number in (0, 1, 2, 4)] == [4] * 4
    assert info[1]["class_names"] == ["hat", "dress", "shirt"]
    assert (info[2]["lod"], info[2]["max_lod"]) == (1.0, 1)
    assert [found["name"] for found in info[0]["directions"]] == ["pca0", "style1.0"]
    assert [found["name"] for found in info[4]["directions"]] == ["pca0"]  # of styles: those of another network
    assert info[5]["label_examples"] == [[1, 13], [0, 90]]
    assert served.image(view(latent=[[5, 1]]), 3).shape[2] == 3


def pixels(path):
    return np.asarray(Image.open(path)).astype(int)


@pytest.mark.parametrize(
    ("network", "change"),
    [
        (0, {}),
        (0, {"psi": -0.5, "cutoff": None}),
        (0, {"noise": "none"}),
        (0, {"noise": "random", "noise_seed": 3}),
        (0, {"latent": [[3, 0.25], [900, 0.75]]}),
        (0, {"mix_seed": 5, "mix_layers": [0, 1, 3]}),
        (0, {"edits": [{"name": "pca0", "strength": 1.5, "layers": [1, 2]}, {"name": "style1.0", "strength": 4}]}),
        (0, {"edits": [{"name": "style1.0", "strength": 4}], "mix_seed": 1, "mix_layers": [2]}),
        (1, {}),
        (1, {"label": [0, 1, 0]}),
        (1, {"label": [0.5, 0.25, 0.25]}),
        (2, {}),
        (2, {"lod": 0}),
        (2, {"lod": 0.5}),
        (3, {}),
        (5, {}),
        (5, {"label": [0, 1]}),
        (5, {"label": [0.5, -13]}),
        (4, {"noise": "none"}),
        (4, {"edits": [{"name": "pca0", "strength": -2}]}),
    ],
)
def test_the_command_of_an_image_gives_that_image(served, tmp_path, monkeypatch, network, change):
    monkeypatch.chdir(tmp_path)
    expected = served.image(view(**change), network).astype(int)
    command = served.ok("command", network, view(**change))
    parts = shlex.split(command["command"])
    assert parts[:2] == ["python", "generate.py"]
    if "w.npz" in parts:
        assert "Save w" in command["note"]
        Path("w.npz").write_bytes(served.ok("latents", network, view(**change)))
    run(*parts[2:])
    written = [path for path in tmp_path.rglob("*.png") if not path.name.startswith("style-mixing")]
    assert len(written) == 1
    assert np.abs(pixels(written[0]) - expected).max() <= 1


@pytest.mark.parametrize("name", ["official-sg2-ada-small", "official-sg2-ada-small-torch1"])
def test_a_published_stylegan2(tmp_path, monkeypatch, name):
    """A pickle of PyTorch: the image of a seed and a class, an edit, and the command that gives the same image."""
    path = golden_path(f"{name}.pkl")
    G = stylegan_tf.load(path).G_ema
    save_directions(tmp_path / "d.npz", [Direction("d", np.ones((G.num_ws, G.w_dim), np.float32), tuple(range(G.num_ws)), "pca")], [-1, 1])
    served = Served([path], tmp_path / "d.npz")
    try:
        info = served.ok("open")
        assert (info["model"], info["label_size"], info["resolution"]) == ("stylegan2", G.label_size, G.resolution)
        label = np.float32([[0, 1, 0]]) if G.label_size else None
        expected = G(latents_from_seeds([3], G.z_dim), label, truncation_psi=0.7, noise_mode="const")
        plain = view(cutoff=None, **({"label": label[0].tolist()} if label is not None else {}))
        image = served.image(plain)
        assert np.abs(image.astype(int) - stylegan_tf.to_uint8(expected)[0]).max() <= 1
        assert np.any(served.image({**plain, "edits": [{"name": "d", "strength": 2}]}) != image)
        monkeypatch.chdir(tmp_path)
        run(*shlex.split(served.ok("command", view=plain)["command"])[2:])
        assert np.abs(pixels(next(Path("out").glob("*.png"))) - image).max() <= 1
    finally:
        served.close()


def test_changes_change_the_image(served):
    plain = served.image(view())
    np.testing.assert_array_equal(served.image(view()), plain)
    edits = [{"name": "style1.0", "strength": 4}]
    for change in ({"latent": [[4, 1]]}, {"psi": 0}, {"noise": "none"}, {"mix_seed": 5, "mix_layers": [0]}, {"edits": edits}):
        assert np.any(served.image(view(**change)) != plain)
    np.testing.assert_array_equal(served.image(view()), plain)
    answer, _ = served.post("image", {"network": 0, "client": "test", "view": view()})
    assert float(answer.headers["X-Milliseconds"]) > 0


def test_a_model_without_styles_has_a_map_of_z(tmp_path, monkeypatch):
    tiny_model.register(monkeypatch)
    from tests.tiny_model.model import networks

    G, D = networks()
    snapshot.save_networks(tmp_path / "tiny.pkl", snapshot.Networks(G, D, G, model="tiny"))
    served = Served([tmp_path / "tiny.pkl"])
    try:
        assert served.ok("open")["num_ws"] == 0
        blend = {"latent": [[0, 0.5], [1, 0.5]]}
        z = np.load(io.BytesIO(served.ok("latents", view=blend)))["z"]
        first, second = (np.random.RandomState(seed).randn(len(z[0])) for seed in (0, 1))
        np.testing.assert_allclose(z[0], (first + second) / np.sqrt(2), rtol=1e-5)  # the variance of one latent
        assert served.image(blend).shape == (8, 8, 3)
        monkeypatch.chdir(tmp_path)
        command = shlex.split(served.ok("command", view={"latent": [[7, 1]]})["command"])
        run(*command[2:])
        assert np.abs(pixels("out/seed0007.png") - served.image({"latent": [[7, 1]]})).max() <= 1
    finally:
        served.close()


def test_a_short_video_goes_through_the_seeds_and_back(served):
    options = {"keys": [[[0, 1]], [[1, 1]]], "frames": 6, "fps": 5, "format": "gif"}
    for suffix in ("gif", "webp"):
        video = Image.open(io.BytesIO(served.ok("video", 0, view(psi=1), **options | {"format": suffix})))
        assert video.n_frames == 6
    for change in ({"frames": 10**6}, {"fps": 0}, {"format": "exe"}, {"keys": [[[0, 1]]]}, {"keys": "x"}, {"frames": True}):
        assert served.post("video", {"network": 0, "client": "test", "view": view(), **options, **change})[0].status == 400
    first, second = parse_latent([[0, 1]]), parse_latent([[1, 0.5], [2, 0.5]])
    assert between([first, second], 0.0) == ((0, 1.0),)
    assert between([first, second], 0.25) == ((0, 0.5), (1, 0.25), (2, 0.25))
    assert between([first, second], 0.75) == ((1, 0.25), (2, 0.25), (0, 0.5))


def test_the_newest_request_wins_and_tabs_take_turns():
    worker, begun, go_on, order = Worker(), threading.Event(), threading.Event(), []
    outcomes = {}

    def ask(name, key, compute):
        try:
            outcomes[name] = worker.submit(key, compute)
        except Superseded:
            outcomes[name] = "superseded"

    def start(name, key, compute):
        thread = threading.Thread(target=ask, args=(name, key, compute))
        thread.start()
        while key not in worker._waiting and name != "running":
            pass
        return thread

    def hold():
        begun.set()
        go_on.wait(10)
        return "held"

    threading.Thread(target=worker.run, daemon=True).start()
    threads = [start("running", "a", hold)]
    begun.wait(10)
    threads.append(start("a1", "a", lambda: order.append("a1")))
    threads.append(start("b1", "b", lambda: order.append("b1") or "b"))
    for number in (2, 3):
        threads.append(threading.Thread(target=ask, args=(f"a{number}", "a", lambda number=number: order.append(f"a{number}") or "a")))
        threads[-1].start()
        while outcomes.get(f"a{number - 1}") != "superseded":
            pass
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert outcomes == {"running": "held", "a1": "superseded", "a2": "superseded", "a3": "a", "b1": "b"}
    assert order == ["a3", "b1"]  # the newest has the place of the oldest
    with pytest.raises(ZeroDivisionError):
        worker.submit("c", lambda: 1 / 0)
    worker.close()
    with pytest.raises(Superseded):
        worker.submit("c", lambda: 1)


def test_a_run_folder_gives_all_its_snapshots(tmp_path):
    for name in ("network-snapshot-000001.pkl", "network-snapshot-000010.pkl", "network-final.pkl"):
        (tmp_path / name).write_bytes(b"")
    assert [Path(entry.path).name for entry in entries_of([str(tmp_path)])] == [
        "network-final.pkl", "network-snapshot-000010.pkl", "network-snapshot-000001.pkl",
    ]  # fmt: skip
    with pytest.raises(MissingFileError):
        entries_of([str(tmp_path / "none")])


def test_layers_as_text():
    assert layers_text([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"


def test_weights_of_a_blend_add_up_to_one():
    assert parse_latent([[1, 0.5], [2, 0.5], [3, 0]]) == ((1, 0.5), (2, 0.5))
    with pytest.raises(UserError):
        parse_view(3, Limits(0, 4, 0))


def test_help_and_wrong_calls(tmp_path, capsys):
    from tests.test_generate import refused

    assert "--port" in refused(capsys, "explore", "--network", tmp_path, "--port", "99999")
    assert "none.pkl" in refused(capsys, "explore", "--network", tmp_path / "none.pkl")
    path = save(tmp_path / "a.pkl")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "--port" in refused(capsys, "explore", "--network", path, "--port", port, "--no-open")
