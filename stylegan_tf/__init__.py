"""StyleGAN (Karras et al. 2019) for today's TensorFlow and Keras."""

import os

# TensorFlow leaves oneDNN's kernels off on CPUs without AVX-512 VNNI. They are 2.3 times as fast there as its own
# (docs/experiments.md), and the switch is read once, at TensorFlow's import.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# The networks are Keras 3 on TensorFlow. Variables and keras.json made for other programs would choose otherwise at Keras' import.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_USE_LEGACY_KERAS"] = "0"

__version__ = "0.1.0"
__all__ = ["load"]


def __getattr__(name):
    # TensorFlow takes seconds to import; `--help` must not wait for it.
    if name == "load":
        from stylegan_tf.loading import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
