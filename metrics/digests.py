"""What stands for a network in a protocol: a digest of its weights and of the form that gives them meaning, or of its file."""

import hashlib
import json
import os

import numpy as np

from stylegan_tf.errors import MissingFileError

# Defaults at use or choices of speed: they do not change what a network draws for a score.
_NO_PART = ("name", "trainable", "dtype", "truncation_psi", "truncation_cutoff", "style_mixing_prob", "w_avg_beta", "fused_scale")


def network_digest(G, lod: float) -> str:
    """24 hexadecimal digits; the same for a copy, for another file name, and after saving and loading."""
    from stylegan_tf import networks

    config = {name: value for name, value in G.get_config().items() if name not in _NO_PART}
    digest = hashlib.sha256(json.dumps([config, lod], sort_keys=True, default=str).encode())
    for name, variable in sorted(networks.named_weights(G).items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(variable.numpy()).tobytes())
    return digest.hexdigest()[:24]


def array_digest(array: np.ndarray) -> str:
    """24 hexadecimal digits of an array's values and shape, whichever file it came from."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:24]


def classifier_digest(path: str | os.PathLike) -> str:
    """SHA-256 of the file of an attribute classifier, 24 hexadecimal digits: another file under the same path is another network.

    Raises:
        MissingFileError: no such file.
    """
    if not os.path.isfile(path):
        raise MissingFileError(f"{path} does not exist. Expected a Keras model (.keras) as attribute classifier.")
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:24]
