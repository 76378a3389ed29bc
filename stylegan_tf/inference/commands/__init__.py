"""The commands of generate.py: each module adds its options and does one command's work."""
