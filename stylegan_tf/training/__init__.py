"""Training. `stylegan_tf.training.train(settings, data=...)` runs it from Python."""

__all__ = ["train"]


def __getattr__(name):
    # TensorFlow takes seconds to import, and the names and files of runs are read without it.
    if name == "train":
        from stylegan_tf import import_keras

        import_keras()
        from stylegan_tf.training.launch import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
