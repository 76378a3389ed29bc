"""StyleGAN (Karras et al. 2019) for today's TensorFlow and Keras."""

__version__ = "0.1.0"
__all__ = ["load"]


def __getattr__(name):
    # TensorFlow takes seconds to import; `--help` must not wait for it.
    if name == "load":
        from stylegan_tf.loading import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
