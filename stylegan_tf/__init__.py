"""StyleGAN (Karras et al. 2019) for current TensorFlow and Keras.

    import stylegan_tf
    nets = stylegan_tf.load("results")                   # the newest run; or a run folder, a snapshot, an official pickle
    pictures = nets.draw(seeds=[1, 2], psi=0.7)          # uint8 [N, R, R, C]; a notebook shows the pictures
    images = nets.G_ema.sample(z, labels)                # G_ema, G and D are Keras models; float32 [N, R, R, C]
    pictures = stylegan_tf.to_uint8(images)              # clips to [-1, 1] and converts to [0, 255]
    G, D = stylegan_tf.Generator(resolution=64), stylegan_tf.Discriminator(resolution=64)    # StyleGAN's, random weights
    from stylegan_tf.training import train               # a run as one call

More help: help(nets), help(nets.draw), help(stylegan_tf.Generator), help(train). README.md and docs/ describe the programs
train.py, dataset_tool.py, generate.py and metrics/.
"""

import importlib
import os
import sys

# TensorFlow leaves oneDNN's kernels off on CPUs without AVX-512 VNNI. They are 2.3 times as fast there as its own
# (docs/experiments.md), and the switch is read once, at TensorFlow's import.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# The networks are Keras 3 on TensorFlow. Variables and keras.json made for other programs would choose otherwise at Keras' import.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_USE_LEGACY_KERAS"] = "0"

__version__ = "0.1.0"

# Public names and the modules that contain them. They are imported at their first use: TensorFlow takes seconds.
_MODULES = {
    "load": "stylegan_tf.loading",
    "Generator": "stylegan_tf.networks",
    "Discriminator": "stylegan_tf.networks",
    "to_float": "stylegan_tf.images",
    "to_uint8": "stylegan_tf.images",
}
# Without Generator and Discriminator: help(stylegan_tf) would print Keras' documentation of all their methods, 3,000 lines.
__all__ = ["load", "networks", "to_float", "to_uint8"]


def import_keras() -> None:
    """Imports Keras, unless that was done before, without its file keras.json: settings of other programs, which may end the import."""
    if "keras" in sys.modules:
        return
    home = os.environ.get("KERAS_HOME")
    os.environ["KERAS_HOME"] = f"{os.devnull}/keras"  # cannot exist, so that no file is read (it may be a pipe) or written
    try:
        import keras
    finally:
        del os.environ["KERAS_HOME"]
        os.environ |= {} if home is None else {"KERAS_HOME": home}
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")


def __getattr__(name: str) -> object:
    if _MODULES.get(name, f"stylegan_tf.{name}") == "stylegan_tf.networks":
        import_keras()
    if name == "networks":
        return importlib.import_module("stylegan_tf.networks")
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*_MODULES, *__all__, "__doc__", "__version__"})
