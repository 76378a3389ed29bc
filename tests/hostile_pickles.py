"""Files made to do harm, by kind: bytes that a reader must refuse without running, allocating or crashing."""

import os
import pickle
import struct
import zipfile
from io import BytesIO

import numpy as np

CANARY = "STYLEGAN_TF_CANARY"  # no reader may ever put this into a call that the audit hook sees


class Call:
    """Pickles as a call of any function with any arguments."""

    def __init__(self, module: str, name: str, *args):
        self.module, self.name, self.args = module, name, args

    def text(self, protocol: int = 4) -> bytes:
        return header(protocol) + self.push(protocol) + b"."

    def push(self, protocol: int = 4) -> bytes:
        return name(self.module, self.name, protocol) + b"(" + b"".join(push(arg, protocol) for arg in self.args) + b"tR"


def header(protocol: int = 4) -> bytes:
    return b"\x80" + bytes([protocol])


def name(module: str, attribute: str, protocol: int = 4) -> bytes:
    if protocol < 4:
        return f"c{module}\n{attribute}\n".encode()
    return push(module) + push(attribute) + b"\x93"


def push(value, protocol: int = 4) -> bytes:
    """Opcodes that leave `value` on the stack."""
    if isinstance(value, Call):
        return value.push(protocol)
    if isinstance(value, bytes) and value[:1] == b"!":  # opcodes as they are
        return value[1:]
    return pickle.dumps(value, protocol=protocol)[2:-1] if protocol < 4 else pickle.dumps(value, protocol=3)[2:-1]


SHELL = f"echo {CANARY}"
PYTHON = f"__import__('os').system('echo {CANARY}')"

CALLS = {
    "os.system": Call("os", "system", SHELL),
    "posix.system": Call("posix", "system", SHELL),
    "nt.system": Call("nt", "system", SHELL),
    "subprocess.Popen": Call("subprocess", "Popen", ["sh", "-c", SHELL]),
    "subprocess.check_output": Call("subprocess", "check_output", ["sh", "-c", SHELL]),
    "os.execv": Call("os", "execv", "/bin/sh", ["sh", "-c", SHELL]),
    "pty.spawn": Call("pty", "spawn", ["sh", "-c", SHELL]),
    "eval": Call("builtins", "eval", PYTHON),
    "exec": Call("builtins", "exec", PYTHON),
    "python 2 eval": Call("__builtin__", "eval", PYTHON),
    "compile": Call("builtins", "compile", PYTHON, CANARY, "exec"),
    "import": Call("builtins", "__import__", "antigravity"),
    "import_module": Call("importlib", "import_module", "antigravity"),
    "getattr chain": Call("builtins", "getattr", Call("builtins", "__import__", "os"), "system"),
    "getattr of an array": Call("builtins", "getattr", b"!" + name("numpy", "ndarray"), "__subclasses__"),
    "attrgetter": Call("operator", "attrgetter", "__class__.__base__"),
    "methodcaller": Call("operator", "methodcaller", "system", SHELL),
    "partial": Call("functools", "partial", b"!" + name("os", "system"), SHELL),
    "map": Call("builtins", "map", b"!" + name("os", "system"), [SHELL]),
    "open for writing": Call("builtins", "open", CANARY, "w"),
    "io.open": Call("io", "open", CANARY, "w"),
    "rmtree": Call("shutil", "rmtree", CANARY),
    "unlink": Call("os", "unlink", CANARY),
    "socket": Call("socket", "create_connection", ("127.0.0.1", 9)),
    "urlopen": Call("urllib.request", "urlopen", f"http://127.0.0.1:9/{CANARY}"),
    "webbrowser": Call("webbrowser", "open", CANARY),
    "ctypes": Call("ctypes", "CDLL", CANARY),
    "pickle in a pickle": Call("pickle", "loads", Call("os", "system", SHELL).text(2)),
    "marshal": Call("marshal", "loads", b"\xe3" + bytes(30)),
    "timeit": Call("timeit", "timeit", PYTHON),
    "cProfile": Call("cProfile", "run", PYTHON),
    "pdb": Call("pdb", "run", PYTHON),
    "runpy": Call("runpy", "run_path", CANARY),
    "code": Call("code", "interact"),
    "numpy runstring": Call("numpy.testing._private.utils", "runstring", PYTHON, {}),
    "numpy load": Call("numpy", "load", CANARY, None, True),
    "numpy memmap": Call("numpy", "memmap", CANARY, "f4", "w+", 0, (1 << 40,)),
    "numpy fromfile": Call("numpy", "fromfile", "/dev/zero"),
    "numpy zeros": Call("numpy", "zeros", 1 << 40),
    "torch load": Call("torch", "load", CANARY),
    "keras loading": Call("keras.src.saving.saving_lib", "load_model", CANARY),
    "tensorflow read_file": Call("tensorflow", "io.read_file", CANARY),
    "dotted name through numpy": Call("numpy", "f2py.os.system", SHELL),
    "dotted name through ours": Call("stylegan_tf.files", "os.system", SHELL),
    "private name of dnnlib": Call("dnnlib.util", "call_func_by_name", SHELL),
    "name of Network": Call("dnnlib.tflib.network", "__import__", "os"),
    "reconstructor": Call("copyreg", "_reconstructor", b"!" + name("os", "_wrap_close"), b"!" + name("builtins", "object"), None),
    "add_extension": Call("copyreg", "add_extension", "os", "system", 1),
    "other codec": Call("_codecs", "encode", "x" * 100, "rot_13"),
    "codec that unpacks": Call("_codecs", "decode", b"x\x9c" + bytes(50), "zlib"),
    "bytearray of a size": Call("builtins", "bytearray", 1 << 40),
    "bytes of a size": Call("builtins", "bytes", 1 << 40),
    "range": Call("builtins", "list", Call("builtins", "range", 1 << 40)),
    "power": Call("operator", "pow", 10, 10**9),
    "repeat": Call("operator", "mul", [0], 1 << 40),
}

F4 = b"!" + name("numpy", "dtype") + b"(" + push("f4") + b"\x89\x88tR"
EMPTY_ARRAY = name("numpy._core.multiarray", "_reconstruct") + b"(" + name("numpy", "ndarray") + push((0,)) + push(b"b") + b"tR"


def frombuffer(content, dtype, shape, order="C") -> bytes:
    return Call("numpy._core.numeric", "_frombuffer", content, dtype, shape, order).text()


def array_state(shape, content=b"", dtype=F4) -> bytes:
    return header() + EMPTY_ARRAY + b"(K\x01" + push(shape) + push(dtype) + b"\x89" + push(content) + b"tb."


def dtype(text, *rest) -> bytes:
    return b"!" + name("numpy", "dtype") + b"(" + push(text) + b"".join(push(item) for item in rest) + b"tR"


ARRAYS = {
    "shape beyond the bytes": frombuffer(bytes(16), F4, (1 << 30, 1 << 9)),
    "shape that overflows": frombuffer(bytes(16), F4, (1 << 62, 4)),
    "shape of nothing": frombuffer(b"", F4, (0, 1 << 62)),
    "negative shape": frombuffer(bytes(16), F4, (-1,)),
    "shape of floats": frombuffer(bytes(16), F4, (4.0,)),
    "shape that is a number": frombuffer(bytes(16), F4, 1 << 40),
    "hundred dimensions": frombuffer(bytes(4), F4, (1,) * 100),
    "bytes that are a list": frombuffer([0] * 16, F4, (4,)),
    "bytes that are an array": frombuffer(b"!" + frombuffer(bytes(16), F4, (4,))[2:-1], F4, (4,)),
    "type that is a string": frombuffer(bytes(16), "f4", (4,)),
    "objects": frombuffer(bytes(16), dtype("O8"), (2,)),
    "void": frombuffer(bytes(16), dtype("V1000000000"), (2,)),
    "long text": frombuffer(bytes(16), dtype("U1000000000"), (2,)),
    "fields": frombuffer(bytes(16), dtype([("a", "O")]), (2,)),
    "type by expression": frombuffer(bytes(16), dtype("f4,O"), (2,)),
    "dates": frombuffer(bytes(16), dtype("M8[ns]"), (2,)),
    "state beyond the bytes": array_state((1 << 40,), bytes(4)),
    "state that is a list of objects": array_state((2,), [1, 2]),
    "state twice": array_state((1,), bytes(4))[:-1] + b"(K\x01" + push((1 << 40,)) + push(F4) + b"\x89" + push(b"") + b"tb.",
    "state that never comes": header() + EMPTY_ARRAY + b".",
    "state with too few parts": header() + EMPTY_ARRAY + b"(K\x01tb.",
    "subclass": header() + name("numpy._core.multiarray", "_reconstruct") + b"(" + name("numpy", "matrix") + b")" + push(b"b") + b"tR.",
    "scalar of objects": Call("numpy._core.multiarray", "scalar", dtype("O"), b"\x01" * 8).text(),
    "scalar too short": Call("numpy._core.multiarray", "scalar", F4, b"\x01").text(),
    "dtype with an evil state": header() + F4[1:] + b"(K\x03X\x01\x00\x00\x00<NN" + push({"a": 1}) + b"K\x01K\x01K\x00tb.",
    "order that is no axis": Call("numpy._core.numeric", "_frombuffer", bytes(16), F4, (4,), "K", (9, 9)).text(),
}


def laughs(opener: bytes, closer: bytes, depth: int = 60) -> bytes:
    """Nested containers, each holding the one before twice: 2^depth values in a few bytes."""
    body = header() + push(1) + b"q\x00"
    for level in range(depth):
        body += opener + b"(" + b"h" + bytes([level]) + b"h" + bytes([level]) + closer + b"q" + bytes([level + 1])
    return body + b"."


def tuple_laughs(depth: int = 60) -> bytes:
    body = header() + push(1) + b"q\x00"
    for level in range(depth):
        body += b"h" + bytes([level]) + b"h" + bytes([level]) + b"\x86q" + bytes([level + 1])
    return body


def equal_hashes(count):
    """Different tuples of integers with one hash: 0 and the modulus of Python's hashes are exchanged in all ways."""
    modulus = 2**61 - 1
    return [tuple(modulus * (number >> bit & 1) for bit in range(17)) for number in range(count)]


def push_tuple(values):
    return b"(" + b"".join(b"K\x00" if value == 0 else b"\x8a\x08" + value.to_bytes(8, "little") for value in values) + b"t"


def array_often(megabytes, count):
    """One array that a list names many times: the file stays small, a copy of its value does not."""
    content = pickle.dumps([np.zeros(megabytes << 18, np.float32)], 4)
    assert content.endswith(b"a.")
    return content[:-2] + b"q\xc8a" + b"](" + b"h\xc8" * count + b"e\x86."


BOMBS = {
    "one array 64 times": array_often(8, 64),
    "keys with equal hashes": header() + b"}" + b"".join(push_tuple(key) + b"K\x00s" for key in equal_hashes(60_000)) + b".",
    "members with equal hashes": header() + b"\x8f(" + b"".join(map(push_tuple, equal_hashes(60_000))) + b"\x90.",
    "members with equal hashes in protocol 2": header(2) + name("builtins", "frozenset", 2) + b"](" + b"".join(
        map(push_tuple, equal_hashes(60_000))
    ) + b"e\x85R.",
    "floats with equal hashes": header() + b"}(" + b"".join(
        b"G" + struct.pack(">d", (1 + number / 4096) * 2.0 ** (61 * power)) + b"K\x00" for number in range(512) for power in range(-16, 16)
    ) + b"u.",
    "a key of a million items": header() + b"}(" + b"K\x00" * 1_000_000 + b"tK\x00s.",
    "laughing lists": laughs(b"]", b"e"),
    "laughing tuples": tuple_laughs() + b".",
    "laughing tuples as a key": tuple_laughs() + b"q\x64}h\x64K\x01s.",
    "laughing tuples in a set": tuple_laughs() + b"q\x64\x8f(h\x64\x90.",
    "laughing dictionaries": header() + push(1) + b"q\x00" + b"".join(
        b"}(K\x00h" + bytes([level]) + b"K\x01h" + bytes([level]) + b"uq" + bytes([level + 1]) for level in range(60)
    ) + b".",
    "dups": header() + b"]" + b"2" * 5_000_000 + b"(e.",
    "empty sets": header() + b"(" + b"\x8f" * 4_000_000 + b"t.",
    "empty lists": header() + b"(" + b"]" * 4_000_000 + b"t.",
    "empty dictionaries": header() + b"(" + b"}" * 4_000_000 + b"t.",
    "memo": header() + b"]" + b"\x94" * 4_000_000 + b".",
    "marks": header() + b"(" * 4_000_000 + b".",
    "deep lists": header() + b"]" * 1_000_000 + b"a" * 999_999 + b".",
    "deep tuples": header() + b")" + b"\x85" * 1_000_000 + b".",
    "list in itself": header() + b"]q\x00h\x00a.",
    "dictionary in itself": header() + b"}q\x00K\x01h\x00s.",
    "list in itself through a tuple": header() + b"]q\x00h\x00\x85a.",
    "repeated text to bytes": header() + push("\xff" * 1_000_000) + b"q\x00]q\x01(" + (
        name("_codecs", "encode") + b"h\x00" + push("latin1") + b"\x86R"
    ) * 3000 + b"e.",
    "repeated swaps of bytes": header() + push(bytes(4_000_000)) + b"q\x00" + dtype(">f4", False, True)[1:] + b"q\x01](" + (
        name("numpy._core.numeric", "_frombuffer") + b"(h\x00h\x01" + push((1_000_000,)) + push("C") + b"tR"
    ) * 500 + b"e.",
    "keys of one hash": header() + b"}(" + b"".join(
        b"\x8a\x0a" + (number * (2**61 - 1)).to_bytes(10, "little") + b"N" for number in range(1, 5000)
    ) + b"u.",
}  # fmt: skip

CLAIMS = {
    "bytes": header() + b"B\xff\xff\xff\xffx",
    "many bytes": header() + b"\x8e" + struct.pack("<Q", 2**63) + b"x",
    "bytearray": header(5) + b"\x96" + struct.pack("<Q", 2**40) + b"x",
    "text": header() + b"X\xff\xff\xff\xffx",
    "long text": header() + b"\x8d" + struct.pack("<Q", 2**64 - 1) + b"x",
    "short text": header() + b"\x8c\xffx",
    "long integer": header() + b"\x8b\xff\xff\xff\x7fx",
    "negative long integer": header() + b"\x8b\xff\xff\xff\xffx",
    "huge integer that is there": header() + b"\x8b" + struct.pack("<i", 2_000_000) + b"\x01" * 2_000_000 + b".",
    "old text": header(2) + b"T\xff\xff\xff\x7fx",
    "negative old text": header(2) + b"T\xff\xff\xff\xffx",
    "frame": header() + b"\x95" + struct.pack("<Q", 2**63) + b"N.",
    "line without end": header(2) + b"c" + b"a" * 10_000_000,
}

DAMAGE = {
    "nothing": b"",
    "one byte": b"\x80",
    "header alone": header(),
    "no end": header() + b"N",
    "nothing on the stack": header() + b".",
    "two values": header() + b"NN.",
    "protocol 0": b"(lp0\nI1\na.",
    "protocol 1": b"]q\x00.",
    "protocol 255": b"\x80\xff.",
    "header twice": header() + b"\x80\xffN.",
    "open mark": header() + b"(N.",
    "mark alone at the end": header() + b"(t(.",
    "no mark": header() + b"t.",
    "append to nothing": header() + b"Na.",
    "append to a dictionary": header() + b"}Na.",
    "items into a list": header() + b"](NNu.",
    "odd items": header() + b"}(Nu.",
    "tuple of nothing": header() + b"\x87.",
    "tuple of too few": header() + b"N\x87.",
    "missing memo": header() + b"h\x05.",
    "list as a key": header() + b"}]Ns.",
    "dictionary in a set": header() + b"\x8f(}\x90.",
    "call of a string": header() + push("os.system") + push(("x",)) + b"R.",
    "call with a list": header() + name("numpy", "dtype") + b"]R.",
    "call of nothing": header() + b"R.",
    "state of nothing": header() + b"b.",
    "state of a list": header() + b"]}b.",
    "name of numbers": header() + b"K\x01K\x02\x93.",
    "name of a list": header() + b"]]\x93.",
    "endless name": header() + push("a" * 1_000_000) + push("b" * 1_000_000) + b"\x93.",
    "name that is no ASCII": header(2) + b"c\xff\xff\n\xff\n.",
    "name with a line break": header() + name("os\nsystem", "x\x1b[2J") + b".",
    "text that is no UTF-8": header() + b"\x8c\x02\xff\xfe.",
    "name as a value": header() + name("numpy", "dtype") + b".",
    "name in a list": header() + b"]" + name("numpy", "ndarray") + b"a.",
    "old instance": header(2) + b"(cos\nsystem\nios\nsystem\n.",
    "old object": header(2) + b"(" + name("os", "system", 2) + push(SHELL) + b"o.",
    "new object": header() + name("os", "_wrap_close") + b")\x81.",
    "new object with keywords": header() + name("builtins", "dict") + b")}\x92.",
    "extension": header(2) + b"\x82\x01.",
    "extension of two bytes": header(2) + b"\x83\x01\x00.",
    "persistent name": header() + push(CANARY) + b"Q.",
    "persistent name in text": b"\x80\x02PSTYLEGAN\n.",
    "buffer outside": header(5) + b"\x97.",
    "read-only buffer": header(5) + b"\x96" + struct.pack("<Q", 1) + b"x\x98.",
    "text numbers": header() + b"I" + b"9" * 100_000 + b"\n.",
    "zeros": bytes(1000),
    "noise": np.random.default_rng(0).bytes(10_000),
    "noise behind a header": header() + np.random.default_rng(1).bytes(10_000),
}


def zip_bomb(megabytes: int = 512, member: str = "z.npy") -> bytes:
    """A zip of zeros: some kilobytes that unpack to `megabytes`, in parts that claim to be NumPy arrays."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(member, "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (megabytes << 18,)})
        for _ in range(megabytes):
            file.write(bytes(1 << 20))
    return stream.getvalue()


FILES = {
    **{f"call: {kind}": call.text(4) for kind, call in CALLS.items()},
    **{f"call in protocol 2: {kind}": CALLS[kind].text(2) for kind in ("os.system", "eval", "getattr chain", "pickle in a pickle")},
    **{f"array: {kind}": content for kind, content in ARRAYS.items()},
    **{f"bomb: {kind}": content for kind, content in BOMBS.items()},
    **{f"claim: {kind}": content for kind, content in CLAIMS.items()},
    **{f"damage: {kind}": content for kind, content in DAMAGE.items()},
    "other: web page": b"<!DOCTYPE html><html>quota exceeded</html>",
    "other: git lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "other: zip": b"PK\x03\x04" + os.urandom(100),
    "other: gzip": b"\x1f\x8b\x08" + os.urandom(100),
    "other: HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
}
