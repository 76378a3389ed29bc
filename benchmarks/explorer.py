"""Speed of the explorer: images that one page gets while its map is dragged, through the server, one at a time.

    python -m benchmarks.explorer
    python -m benchmarks.explorer --resolution 256 --fmap-base 8192 --fmap-max 512

Prints one JSON line; asserts nothing.
"""

import http.client
import json
import statistics
import sys
import tempfile
import threading
from pathlib import Path

from benchmarks.options import parse
from stylegan_tf import command_line

DESCRIPTION = __doc__
_IMAGES = 20  # of each repetition


def main() -> None:
    workload, options = parse(DESCRIPTION, resolution=64, fmap_max=64, batch=1, fmap_base=512)
    from benchmarks import measure
    from stylegan_tf import snapshot
    from stylegan_tf.inference.explorer.api import Api, entries_of
    from stylegan_tf.inference.explorer.server import ExplorerServer
    from stylegan_tf.inference.explorer.worker import Worker

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.pkl"
        snapshot.save_networks(path, snapshot.Networks(**workload.networks()))
        worker = Worker()
        server = ExplorerServer("127.0.0.1", 0, Api(entries_of([str(path)]), None, worker, precision=workload.precision, device=None))
        for target in (worker.run, server.serve_forever):
            threading.Thread(target=target, daemon=True).start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
        milliseconds = []

        def drag() -> None:
            for step in range(_IMAGES):  # from seed to seed in tenths
                share = step % 10 / 10
                view = {"latent": [[step // 10, 1 - share], [step // 10 + 1, share]], "psi": 0.7, "cutoff": 8}
                body = json.dumps({"network": 0, "client": "benchmark", "view": view})
                connection.request("POST", "/api/image", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                milliseconds.append(float(answer.headers["X-Milliseconds"]))

        seconds = measure.repeat(drag, repeats=options.repeats)
        milliseconds = milliseconds[-_IMAGES * options.repeats :]
        measure.print_result({
            **vars(workload), **measure.summary(seconds, _IMAGES), "network_ms": statistics.median(milliseconds),
            "network_ms_min": min(milliseconds), "network_ms_max": max(milliseconds), "nominal_flops_per_image": workload.synthesis_flops(),
        })  # fmt: skip
        worker.close()
        server.shutdown()


if __name__ == "__main__":
    sys.exit(command_line.run(lambda _: main()))
