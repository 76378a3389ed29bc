"""Defaults of a dataset build that both its options and the help of the program name."""

MARGIN = 0.1  # ground kept around an object, of its longer side
DEDUPE_DISTANCE = 4  # bits of 64 that perceptual hashes of near duplicates differ by
