"""The original's network pickles, read without running what is inside them.

python -m stylegan_tf.legacy convert karras2019stylegan-ffhq-1024x1024.pkl ffhq.pkl
"""

from stylegan_tf.legacy.official import read_official

__all__ = ["read_official"]
