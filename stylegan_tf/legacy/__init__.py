"""The original's network pickles, read without running what is inside them.

python -m stylegan_tf.legacy convert karras2019stylegan-ffhq-1024x1024.pkl ffhq.pkl
"""

import os
from typing import Any

from stylegan_tf.legacy.unpickler import is_official

__all__ = ["is_official", "load_official"]


def load_official(path: str | os.PathLike, *, dtype: str | None = None) -> Any:
    """Reads an official pickle (G, D, Gs) as `snapshot.Networks`; see `loading.load`."""
    # TensorFlow takes seconds to import; whoever only reads arrays must not wait for it.
    from stylegan_tf.legacy.official import load_official as load

    return load(path, dtype=dtype)
