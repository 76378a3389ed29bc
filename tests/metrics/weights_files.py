"""Metric networks written in the form of the files that cannot be fetched here: names, shapes and order as in those files."""

import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np

from metrics.networks.conversion import INCEPTION_LAYERS
from tests.legacy.official_files import dump

VGG_WIDTHS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
VGG_PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)  # of the convolutions in torchvision's `features`
VGG_NAMES = [f"conv{block}_{layer}" for block, count in enumerate((2, 2, 3, 3, 3), 1) for layer in range(1, count + 1)]
LINEAR_WIDTHS = (64, 128, 256, 512, 512)
# pytorch-fid's module of each part of the graph, in the order of its state_dict, with the order of its branches.
_TORCH_BLOCKS = {
    "Mixed_5b": ("mixed", "A"), "Mixed_5c": ("mixed_1", "A"), "Mixed_5d": ("mixed_2", "A"), "Mixed_6a": ("mixed_3", "B"),
    "Mixed_6b": ("mixed_4", "C"), "Mixed_6c": ("mixed_5", "C"), "Mixed_6d": ("mixed_6", "C"), "Mixed_6e": ("mixed_7", "C"),
    "Mixed_7a": ("mixed_8", "D"), "Mixed_7b": ("mixed_9", "E"), "Mixed_7c": ("mixed_10", "E"),
}  # fmt: skip
_TORCH_BRANCHES = {
    "A": {"branch1x1": "conv", "branch5x5_1": "tower/conv", "branch5x5_2": "tower/conv_1", "branch3x3dbl_1": "tower_1/conv",
          "branch3x3dbl_2": "tower_1/conv_1", "branch3x3dbl_3": "tower_1/conv_2", "branch_pool": "tower_2/conv"},
    "B": {"branch3x3": "conv", "branch3x3dbl_1": "tower/conv", "branch3x3dbl_2": "tower/conv_1", "branch3x3dbl_3": "tower/conv_2"},
    "C": {"branch1x1": "conv", "branch7x7_1": "tower/conv", "branch7x7_2": "tower/conv_1", "branch7x7_3": "tower/conv_2",
          "branch7x7dbl_1": "tower_1/conv", "branch7x7dbl_2": "tower_1/conv_1", "branch7x7dbl_3": "tower_1/conv_2",
          "branch7x7dbl_4": "tower_1/conv_3", "branch7x7dbl_5": "tower_1/conv_4", "branch_pool": "tower_2/conv"},
    "D": {"branch3x3_1": "tower/conv", "branch3x3_2": "tower/conv_1", "branch7x7x3_1": "tower_1/conv", "branch7x7x3_2": "tower_1/conv_1",
          "branch7x7x3_3": "tower_1/conv_2", "branch7x7x3_4": "tower_1/conv_3"},
    "E": {"branch1x1": "conv", "branch3x3_1": "tower/conv", "branch3x3_2a": "tower/mixed/conv", "branch3x3_2b": "tower/mixed/conv_1",
          "branch3x3dbl_1": "tower_1/conv", "branch3x3dbl_2": "tower_1/conv_1", "branch3x3dbl_3a": "tower_1/mixed/conv",
          "branch3x3dbl_3b": "tower_1/mixed/conv_1", "branch_pool": "tower_2/conv"},
}  # fmt: skip
TORCH_LAYERS = {
    f"Conv2d_{name}": layer
    for name, layer in zip(
        ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3"), ("conv", "conv_1", "conv_2", "conv_3", "conv_4"), strict=True
    )
}
TORCH_LAYERS |= {
    f"{module}.{branch}": f"{block}/{layer}"
    for module, (block, kind) in _TORCH_BLOCKS.items() for branch, layer in _TORCH_BRANCHES[kind].items()
}  # fmt: skip


def inception_parts(seed=0):
    """Kernel [kh, kw, in, out] and vectors of every layer; kernels differ by layer and are otherwise constant."""
    rng = np.random.default_rng(seed)
    parts = {}
    for number, (name, shape) in enumerate(INCEPTION_LAYERS.items(), 1):
        vectors = {part: rng.uniform(0.5, 2, shape[3]).astype(np.float32) for part in ("beta", "mean", "variance")}
        parts[name] = {"kernel": np.full(shape, number / 100, np.float32), **vectors}
    return parts


def torch_inception(parts):
    """The state_dict of pt_inception-2015-12-05-6726825d.pth."""
    arrays = OrderedDict()
    for module, layer in TORCH_LAYERS.items():
        part = parts[layer]
        arrays[f"{module}.conv.weight"] = part["kernel"].transpose(3, 2, 0, 1)
        arrays[f"{module}.bn.weight"] = np.ones_like(part["beta"])
        arrays[f"{module}.bn.bias"] = part["beta"]
        arrays[f"{module}.bn.running_mean"], arrays[f"{module}.bn.running_var"] = part["mean"], part["variance"]
        arrays[f"{module}.bn.num_batches_tracked"] = np.array(0, np.int64)
    arrays["fc.weight"], arrays["fc.bias"] = np.full((1008, 2048), 0.5, np.float32), np.zeros(1008, np.float32)
    return arrays


def official_inception(parts):
    """(name, array) pairs with the names of the graph of 2015-12-05, as the original's Network keeps variables."""
    pairs = []
    for layer, part in parts.items():
        pairs.append((f"{layer}/conv2d_params", part["kernel"]))
        pairs += [(f"{layer}/batchnorm/{ours}", part[part_name]) for ours, part_name in
                  (("beta", "beta"), ("moving_mean", "mean"), ("moving_variance", "variance"))]  # fmt: skip
    return [*pairs, ("softmax/weights", np.full((2048, 1008), 0.5, np.float32)), ("softmax/biases", np.zeros(1008, np.float32))]


def vgg_parts(seed=1):
    """Kernels [3, 3, in, out], biases, and the five vectors of LPIPS."""
    rng = np.random.default_rng(seed)
    shapes = zip((3, *VGG_WIDTHS), VGG_WIDTHS, strict=False)
    layers = [(np.full((3, 3, *shape), rng.uniform(), np.float32), rng.random(shape[1], np.float32)) for shape in shapes]
    return layers, [rng.random(width, np.float32) for width in LINEAR_WIDTHS]


def torch_vgg(layers):
    """The state_dict of vgg16-397923af.pth; the dense layers, 494 MB there, lie as a hole in the file."""
    arrays = OrderedDict()
    for place, (kernel, bias) in zip(VGG_PLACES, layers, strict=True):
        arrays[f"features.{place}.weight"], arrays[f"features.{place}.bias"] = kernel.transpose(3, 2, 0, 1), bias
    for place, shape in ((0, (4096, 25088)), (3, (4096, 4096)), (6, (1000, 4096))):
        arrays[f"classifier.{place}.weight"] = np.broadcast_to(np.float32(0), shape)
        arrays[f"classifier.{place}.bias"] = np.zeros(shape[0], np.float32)
    return arrays


def torch_linear(vectors):
    """The state_dict of lpips' vgg.pth."""
    return OrderedDict((f"lin{number}.model.1.weight", vector[None, :, None, None]) for number, vector in enumerate(vectors))


def official_lpips(layers, vectors):
    """(name, array) pairs of VGG16 and LPIPS as the original's Network keeps variables."""
    pairs = []
    for name, (kernel, bias) in zip(VGG_NAMES, layers, strict=True):
        pairs += [(f"{name}/weight", kernel), (f"{name}/bias", bias)]
    return pairs + [(f"lin{number}/weight", vector[None, None, :, None]) for number, vector in enumerate(vectors)]


def official_pickle(pairs, name, protocol=3):
    """Bytes of a single Network of the original, as its metric pickles are: no tuple, no components."""
    state = {"version": 3, "name": name, "static_kwargs": {}, "components": {}, "variables": pairs,
             "build_module_src": "raise RuntimeError('run')\n", "build_func_name": name}  # fmt: skip
    return dump([state], protocol, is_single=True)


class TorchWriter:
    """Writes state_dicts as torch.save does: protocol 2, storages by persistent name, `_metadata` hung on the dictionary."""

    def __init__(self, arrays, *, is_parameter=False, rebuild="_rebuild_tensor_v2"):
        self.arrays, self.is_parameter, self.rebuild = arrays, is_parameter, rebuild

    def program(self, *, has_view) -> bytes:
        body = b"\x80\x02" + _name("collections", "OrderedDict") + b")R("
        for key, (name, array) in enumerate(self.arrays.items()):
            body += _text(name) + self._tensor(str(key), array, has_view)
        return body + b"u" + _METADATA + b"."

    def _tensor(self, key: str, array, has_view: bool) -> bytes:
        shape = array.shape
        stride = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
        kind = "LongStorage" if array.dtype == np.int64 else "FloatStorage"
        identity = b"(" + _text("storage") + _name("torch", kind) + _text(key) + _text("cuda:0") + _number(array.size)
        identity += b"N" * has_view + b"tQ"
        tensor = _name("torch._utils", self.rebuild) + b"(" + identity + _number(0) + _numbers(shape) + _numbers(stride)
        tensor += (b"\x89" + _name("collections", "OrderedDict") + b")R") * (self.rebuild != "_rebuild_tensor") + b"tR"
        if self.is_parameter:  # as PyTorch 0.1 kept them
            return _name("torch.nn.parameter", "Parameter") + tensor + b"\x85R(\x88\x89Ntb"
        return tensor

    def write_zip(self, path: Path) -> Path:
        """The form since PyTorch 1.6."""
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", self.program(has_view=False))
            for key, array in enumerate(self.arrays.values()):
                archive.writestr(f"archive/data/{key}", np.ascontiguousarray(array).tobytes())
            archive.writestr("archive/version", "3\n")
        return path

    def write_legacy(self, path: Path) -> Path:
        """The form before it."""
        with open(path, "wb") as file:
            for value in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}):
                file.write(pickle.dumps(value, 2))
            file.write(self.program(has_view=True) + pickle.dumps([str(key) for key in range(len(self.arrays))], 2))
            for array in self.arrays.values():
                file.write(struct.pack("<q", array.size))
                if array.nbytes > 1 << 20 and 0 in array.strides:
                    file.seek(array.nbytes, 1)
                else:
                    file.write(np.ascontiguousarray(array).tobytes())
            file.truncate()
        return path


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _name(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _numbers(values) -> bytes:
    return b"(" + b"".join(map(_number, values)) + b"t"


_METADATA = b"}" + _text("_metadata") + _name("collections", "OrderedDict") + b")R"
_METADATA += _text("") + b"}" + _text("version") + _number(1) + b"sssb"
