"""Reads an official pickle of any supported program."""

import os
from pathlib import Path

from stylegan_tf.legacy.stylegan import read_stylegan
from stylegan_tf.legacy.stylegan2 import read_stylegan2
from stylegan_tf.legacy.torch_modules import is_torch_pickle
from stylegan_tf.snapshot_file import SnapshotContents


def read_official(path: str | os.PathLike) -> SnapshotContents:
    """Reads the networks of an official pickle: of StyleGAN (TensorFlow 1), StyleGAN2-ADA or StyleGAN2 in stylegan3 (both PyTorch).

    Raises:
        MissingFileError: there is no such file.
        UserError: not such a pickle, damaged, of another program, or with impossible options.
    """
    return (read_stylegan2 if is_torch_pickle(path) else read_stylegan)(Path(path))
