"""Reads hostile files in a process of its own: limited memory, every call watched; prints what came of it as JSON.

What is read: every file of a folder, or thousands of damaged copies of one file.
"""

import json
import random
import resource
import signal
import sys
import time
from pathlib import Path

WATCHED = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "pty.spawn", "socket.connect", "ctypes.dlopen",
           "shutil.rmtree", "os.remove", "urllib.Request", "webbrowser.open")  # fmt: skip
SECONDS = 60


def reader_named(name):
    """The function under test. Nothing heavy is imported for readers that need nothing heavy."""
    if name == "read_pickle":
        from stylegan_tf.safe_pickle import read_pickle

        return read_pickle
    if name == "official":
        from stylegan_tf.legacy.official import read_official

        return read_official
    if name == "latents":
        from stylegan_tf.inference.latents import load_latents

        return lambda path: load_latents(path, "z")
    if name in ("read_npy", "read_npz", "map_npy"):
        from stylegan_tf import array_files

        if name == "map_npy":
            return lambda path: array_files.read_npy(path, is_mapped=True)
        return getattr(array_files, name)
    if name == "picture":
        from stylegan_tf.data import read_picture
        from stylegan_tf.data.intake import pillow_files

        pillow_files._silence_pillow()  # opens Pillow's library
        return read_picture
    if name in ("images", "idx", "cifar", "mat", "hdf5", "lmdb"):
        return source_reader(name)
    if name in ("check", "display", "training"):
        return dataset_reader(name)
    if name == "torch":
        from metrics.networks.torch_files import read_torch_file

        return read_torch_file
    if name == "weights":
        from metrics.networks.packages import LPIPS
        from metrics.networks.weights import read_weights_file

        return lambda path: read_weights_file(path, LPIPS)
    from stylegan_tf import loading, snapshot

    return {"load": loading.load, "state": snapshot.load_state}[name]


def source_reader(name):
    """Opens a source of images, and reads its first and last image and its label file."""
    import h5py  # noqa: F401 - before memory is measured
    import scipy.io  # noqa: F401

    from stylegan_tf.data import sources
    from stylegan_tf.data.sources import databases, wellknown

    openers = {"images": sources.open_images, "idx": wellknown.open_mnist, "cifar": wellknown.open_cifar100, "mat": wellknown.open_svhn}
    openers |= {"hdf5": databases.Hdf5Source, "lmdb": databases.LsunSource}

    def read(path):
        with openers[name](path) as source:
            for index in {0, len(source) - 1} if len(source) else ():
                try:
                    source.read(index)
                except sources.UnusableImage:
                    continue

    return read


def dataset_reader(name):
    """Reads all images of a dataset as the commands and training do."""
    import numpy as np

    from stylegan_tf.data import open_dataset
    from stylegan_tf.data.records.export import contact_sheet
    from stylegan_tf.data.records.inspection import check_records

    if name == "training":
        return lambda path: open_dataset(path).level(32).read_checked(np.arange(3))
    return lambda path: (check_records if name == "check" else contact_sheet)(open_dataset(path))


def main(name, folder, extra_megabytes):
    reader = reader_named(name)
    from stylegan_tf.errors import UserError

    events = []
    is_watching = False

    def watch(event, args):
        if is_watching and (event in WATCHED or (event in ("exec", "compile", "open") and "CANARY" in repr(args)[:2000])):
            if event == "open" and args[1] == "rb":
                return
            events.append(f"{event} {args!r:.200}")

    sys.addaudithook(watch)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + extra_megabytes * 2**20,) * 2)
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError(f"more than {SECONDS} s")))
    results = {}
    for path in mutants(Path(folder)) if Path(folder).is_file() else sorted(Path(folder).iterdir()):
        start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        signal.alarm(SECONDS)
        is_watching = True
        try:
            reader(path)
            outcome, message = "value", ""
        except UserError as error:
            outcome, message = "UserError", str(error)
        except BaseException as error:
            outcome, message = type(error).__name__, str(error)
        is_watching = False
        signal.alarm(0)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        results[path.name] = {"outcome": outcome, "message": message, "seconds": time.monotonic() - start, "megabytes": grown,
                              "events": list(events)}  # fmt: skip
        events.clear()
    print(json.dumps(results))


def mutants(base):
    """Damaged copies of a file, one at a time; base.count beside it says how many."""
    content = base.read_bytes()
    for number in range(int(base.with_suffix(".count").read_text())):
        rng = random.Random(number)
        path = base.with_name(f"mutant{number}{base.suffix}")
        path.write_bytes(mutate(content, rng))
        yield path
        path.unlink()


def mutate(content, rng):
    """One to four damages, more often near the beginning, where structure is."""
    damaged = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(min(len(damaged), rng.choice([64, 1024, 1 << 14, 1 << 30])) or 1)
        kind = rng.randrange(7)
        length = rng.choice([1, 1, 2, 4, 9, 100])
        if kind == 0:
            damaged[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            damaged[place : place + 1] = bytes([damaged[place] ^ (1 << rng.randrange(8))]) if place < len(damaged) else b""
        elif kind == 2:
            del damaged[place : place + length]
        elif kind == 3:
            damaged[place:place] = rng.randbytes(length)
        elif kind == 4:
            del damaged[place:]
        elif kind == 5:
            other = rng.randrange(len(damaged) or 1)
            damaged[place:place] = damaged[other : other + length]
        else:  # an opcode of the format where another was
            opcodes = b"().NKMJX]}abceghjqrstuBCRUT\x80\x81\x85\x8a\x8b\x8c\x8d\x8e\x8f\x90\x93\x94\x95\x96"
            damaged[place : place + 1] = bytes([rng.choice(opcodes)])
    return bytes(damaged)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
