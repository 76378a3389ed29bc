"""Data-only pickles: files of plain values and NumPy arrays, read without running anything that is inside them.

    value = read_pickle("network-snapshot-000140.pkl")
    write_pickle("network-final.pkl", {"nimg": 140_000, "weights": {"G/w_avg": w_avg}})

What may be in such a file: None, bool, int, float, str, bytes, list, tuple, dict, set, frozenset, NumPy arrays and
scalars of numbers. Python's own unpickler is not used: `machine.py` interprets the few opcodes that data needs.
"""

from stylegan_tf.safe_pickle.pickle_file import read_next, read_pickle, write_pickle
from stylegan_tf.safe_pickle.values import Record

__all__ = ["Record", "read_next", "read_pickle", "write_pickle"]
