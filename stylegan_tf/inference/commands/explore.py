"""`generate.py explore`: a page in the browser with a control for everything that an image depends on."""

import argparse
import threading
import webbrowser
from collections.abc import Callable

from stylegan_tf import loading
from stylegan_tf.inference.commands.edits import read_directions
from stylegan_tf.inference.commands.options import PRECISIONS, check_numbers
from stylegan_tf.inference.commands.session import require_styles


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add = parser.add_argument
    add("--network", metavar="PKL", help="snapshot, run folder (all its snapshots) or official pickle (default: the newest run)")
    add("--compare", nargs="+", default=[], metavar="PKL", help="further networks or run folders to choose from and to show side by side")
    add("--directions", metavar="FILE", help="directions.npz of `directions find`; the page has a slider for each direction")
    add("--host", default="127.0.0.1", metavar="NAME", help="address to listen at; other machines need a token (default: %(default)s)")
    add("--port", type=int, default=8000, metavar="N", help="port to listen at, 0 for a free one (default: %(default)s)")
    add("--no-open", action="store_true", help="print the address and open no browser")
    add("--precision", choices=PRECISIONS, default="float32", help="precision of the network's arithmetic (default: %(default)s)")
    add("--device", metavar="NAME", help="device, such as cpu or gpu:0 (default: the first GPU, else the CPU)")


def run(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Serves the page until Ctrl+C."""
    check_numbers(args, port=(0, 65535))
    from stylegan_tf.inference.explorer.api import Api, entries_of
    from stylegan_tf.inference.explorer.server import ExplorerServer
    from stylegan_tf.inference.explorer.worker import Worker

    entries = entries_of([args.network, *args.compare])
    contents = loading.read(entries[0].path)
    if args.directions is not None:
        require_styles(contents, "--directions")
        read_directions(args.directions, contents)
    worker = Worker()
    api = Api(entries, args.directions, worker, precision=args.precision, device=args.device)
    with ExplorerServer(args.host, args.port, api) as server:
        api.network(0)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        report(f"The explorer is at {server.url} (Ctrl+C ends it).")
        if not args.no_open:
            threading.Thread(target=webbrowser.open, args=[server.url], daemon=True).start()
        try:
            worker.run()
        except KeyboardInterrupt:
            report("The explorer has ended.")
        finally:
            worker.close()
            server.shutdown()
