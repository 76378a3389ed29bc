"""Official StyleGAN network pickles, read without running any code in them.

python -m stylegan_tf.legacy convert karras2019stylegan-ffhq-1024x1024.pkl ffhq.pkl
"""

from stylegan_tf.legacy.official import read_official

__all__ = ["read_official"]
