"""Official StyleGAN network pickles, read without running any code in them: official.py. It imports nothing, for Ctrl-C in __main__.py."""
