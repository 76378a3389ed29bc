"""Official pickles as networks of ours."""

import os

from stylegan_tf.legacy.arrays import NetworkArrays, OfficialArrays, read_official
from stylegan_tf.networks import Discriminator, Generator, assign_weights
from stylegan_tf.snapshot import Networks


def load_official(path: str | os.PathLike, *, dtype: str | None = None) -> Networks:
    """Reads the (G, D, Gs) of an official pickle.

    Args:
        path: a pickle of the original release, such as karras2019stylegan-ffhq-1024x1024.pkl.
        dtype: compute policy of the networks, "float32" unless told.

    Returns:
        The networks with the lod at which training stood. How long it had trained is not written in such files: nimg is 0.

    Raises:
        MissingFileError: there is no such file.
        UserError: not such a pickle, damaged, of another program, or its options and arrays disagree.
    """
    return make_networks(read_official(path), source=str(path), dtype=dtype)


def make_networks(official: OfficialArrays, *, source: str, dtype: str | None = None) -> Networks:
    """Networks of arrays that were read from the file `source`; see `load_official`."""
    G = _make(Generator, official.G, "G", dtype)
    D = _make(Discriminator, official.D, "D", dtype)
    G_ema = _make(Generator, official.G_ema, "G_ema", dtype)
    dataset = {"label_size": official.G_ema.options["label_size"], "class_names": []}
    return Networks(G, D, G_ema, nimg=0, lod=official.lod, dataset=dataset, config={}, source=source)


def _make(kind: type, arrays: NetworkArrays, name: str, dtype: str | None) -> Generator | Discriminator:
    network = kind(**arrays.options, dtype=dtype, name=name)
    assign_weights(network, arrays.weights)
    return network
