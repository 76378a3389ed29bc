"""Run as a program by test_batch_norm.py: the same calls on one and on two logical CPUs, results to an .npz file."""

import sys

import numpy as np
import tensorflow as tf

from stylegan_tf.layers.batch_norm import BatchNorm, moving_statistics_kept

SAMPLES = {1: [5], 2: [3, 2]}  # of each replica: not the same number


def run(num_devices):
    """Values, derivatives and moving averages by name; per sample in the order of the whole batch."""
    devices = [f"CPU:{index}" for index in range(num_devices)]
    strategy = tf.distribute.MirroredStrategy(devices) if num_devices > 1 else tf.distribute.OneDeviceStrategy("CPU:0")
    random = np.random.RandomState(0)
    images, cotangents = (random.normal(1, 2, (5, 3, 2, 4)).astype(np.float32) for _ in range(2))
    with strategy.scope():
        layer = BatchNorm(momentum=0.8)
        layer.build((None, 3, 2, 4))
        layer.gain.assign(random.normal(1, 0.3, 4))
        layer.offset.assign(random.normal(0, 1, 4))
    weights = [layer.gain.value, layer.offset.value]

    def replica(x, cotangent):
        with tf.GradientTape() as outer:
            outer.watch([x, *weights])
            with tf.GradientTape() as inner:
                inner.watch([x, *weights])
                y = layer(x, training=True)
                total = tf.reduce_sum(tf.sin(y) * cotangent)
            first = inner.gradient(total, [x, *weights])
            penalty = tf.reduce_sum(tf.square(first[0]))  # as R1
        second = outer.gradient(penalty, [x, *weights])
        with moving_statistics_kept():
            layer(3 * x, training=True)
        layer(2 * x, training=True)  # the other replica may still be in the context above
        return {"y": y, "first": first[0], "second": second[0]}, {"first": first[1:], "second": second[1:]}

    def on_replicas(parts):
        return strategy.experimental_distribute_values_from_function(lambda context: parts[context.replica_id_in_sync_group])

    def step():
        traced = tf.function(lambda *parts: strategy.run(replica, parts), autograph=False)
        return traced(on_replicas(images), on_replicas(cotangents))

    ends = np.cumsum(SAMPLES[num_devices])[:-1]
    images, cotangents = ([tf.constant(part) for part in np.split(array, ends)] for array in (images, cotangents))
    by_sample, by_weight = step()
    results = {name: np.concatenate([part.numpy() for part in strategy.experimental_local_results(value)])
               for name, value in by_sample.items()}  # fmt: skip
    for order, values in by_weight.items():
        for name, value in zip(["gain", "offset"], values, strict=True):
            results[f"{order}/{name}"] = sum(part.numpy() for part in strategy.experimental_local_results(value))
    with moving_statistics_kept():  # outside: for all replicas
        step()
    for name in ("moving_mean", "moving_variance"):
        copies = [copy.numpy() for copy in strategy.experimental_local_results(getattr(layer, name).value)]
        assert all((copy == copies[0]).all() for copy in copies)
        results[name] = copies[0]
    return results


def main(path):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    np.savez(path, **{f"{num_devices}|{name}": value for num_devices in SAMPLES for name, value in run(num_devices).items()})


if __name__ == "__main__":
    main(sys.argv[1])
