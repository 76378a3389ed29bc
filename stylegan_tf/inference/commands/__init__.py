"""The commands of generate.py: each module adds the options of a command and runs it."""
