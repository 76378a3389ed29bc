"""NumPy's RandomState(seed).randn as a TensorFlow graph, so that seeds mean the same to an exported network as to generate.py.

Source: Matsumoto and Nishimura 1998 (MT19937); Marsaglia's polar method, as NumPy's legacy generator uses them.
"""

import math

import tensorflow as tf

_WORDS = 624
_SHIFT = 397
_MASK = 0xFFFFFFFF


def randn(seeds: tf.Tensor, count: int) -> tf.Tensor:
    """The first `count` normal numbers of each seed.

    Args:
        seeds: int64 [N], 0 to 2^32 - 1.
        count: how many, at least 1.

    Returns:
        float32 [N, count].
    """
    num_pairs = -(-count // 2)
    # A try succeeds with probability pi / 4. Twelve standard deviations more tries than needed: never too few.
    share = math.pi / 4
    num_tries = math.ceil(num_pairs / share + 12 * math.sqrt(num_pairs * (1 - share)) / share) + 12
    words = _words(tf.cast(seeds, tf.int64), 4 * num_tries)  # [N, 4 * tries]
    high, low = _right(words[:, 0::2], 5), _right(words[:, 1::2], 6)
    uniform = (tf.cast(high, tf.float64) * 67108864.0 + tf.cast(low, tf.float64)) / 9007199254740992.0
    x1, x2 = 2 * uniform[:, 0::2] - 1, 2 * uniform[:, 1::2] - 1  # [N, tries]
    r2 = x1 * x1 + x2 * x2
    is_taken = (r2 < 1) & (r2 != 0)
    chosen = tf.argsort(tf.cast(~is_taken, tf.int32), axis=1, stable=True)[:, :num_pairs]
    x1, x2, r2 = (tf.gather(x, chosen, batch_dims=1) for x in (x1, x2, r2))
    factor = tf.sqrt(-2 * tf.math.log(r2) / r2)
    normal = tf.stack([factor * x2, factor * x1], axis=2)  # the second of a pair comes first
    return tf.cast(tf.reshape(normal, [tf.shape(seeds)[0], 2 * num_pairs])[:, :count], tf.float32)


def _words(seeds: tf.Tensor, count: int) -> tf.Tensor:
    """The first `count` 32-bit words of MT19937, as int64 [N, count]."""
    state = _seed_state(seeds)
    blocks = []
    for _ in range(-(-count // _WORDS)):
        state = _twist(state)
        blocks.append(_temper(state))
    return tf.concat(blocks, axis=1)[:, :count]


def _seed_state(seeds: tf.Tensor) -> tf.Tensor:
    """Knuth's linear congruence fills the state: [N, 624]."""

    def step(previous, index):
        return (1812433253 * _xor(previous, _right(previous, 30)) + index) & _MASK

    rest = tf.scan(step, tf.range(1, _WORDS, dtype=tf.int64), initializer=seeds & _MASK)  # [623, N]
    return tf.concat([seeds[:, None] & _MASK, tf.transpose(rest)], axis=1)


def _twist(state: tf.Tensor) -> tf.Tensor:
    """The next 624 words, in the parts that do not depend on each other."""

    def mix(first, second, far):
        y = (first & 0x80000000) | (second & 0x7FFFFFFF)
        odd = tf.where(y & 1 == 1, tf.constant(0x9908B0DF, tf.int64), tf.constant(0, tf.int64))
        return _xor(_xor(far, _right(y, 1)), odd)

    lag = _WORDS - _SHIFT  # 227
    part0 = mix(state[:, :lag], state[:, 1 : lag + 1], state[:, _SHIFT:])
    part1 = mix(state[:, lag : 2 * lag], state[:, lag + 1 : 2 * lag + 1], part0)
    part2 = mix(state[:, 2 * lag : -1], state[:, 2 * lag + 1 :], part1[:, : _WORDS - 1 - 2 * lag])
    last = mix(state[:, -1:], part0[:, :1], part1[:, _SHIFT - 1 - lag : _SHIFT - lag])
    return tf.concat([part0, part1, part2, last], axis=1)


def _temper(y: tf.Tensor) -> tf.Tensor:
    y = _xor(y, _right(y, 11))
    y = _xor(y, _left(y, 7) & 0x9D2C5680)
    y = _xor(y, _left(y, 15) & 0xEFC60000)
    return _xor(y, _right(y, 18))


def _left(x: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.left_shift(x, tf.constant(bits, x.dtype))


def _right(x: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.right_shift(x, tf.constant(bits, x.dtype))


_xor = tf.bitwise.bitwise_xor
