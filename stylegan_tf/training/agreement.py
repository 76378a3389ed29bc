"""Decisions that several machines take together: when to stop, and what control.json changes."""

from collections.abc import Sequence

import tensorflow as tf

from stylegan_tf.training.control import ORDERS, VALUES, Control
from stylegan_tf.training.devices import Devices
from stylegan_tf.training.run_dir import RunDir


class Agreement:
    """Adds numbers up over the workers. Every worker must call the same methods in the same order.

    Args:
        devices: of the run.
    """

    def __init__(self, devices: Devices):
        self._strategy = devices.strategy
        self.is_chief = devices.is_chief
        self.is_alone = devices.num_workers == 1
        self._replicas_here = devices.num_devices // devices.num_workers

    def total(self, values: Sequence[float]) -> list[float]:
        """Sums over the workers, value by value."""
        if self.is_alone:
            return list(values)
        return [float(value) / self._replicas_here for value in self._sum(tf.constant(list(values), tf.float32))]

    def stop_reason(self, reason: str | None, is_at_update: bool) -> str | None:
        """Why all stop now: the own reason, or that another worker has one. The others are asked at updates of the schedule only."""
        if self.is_alone:
            return reason
        if not is_at_update or self.total([float(reason is not None)])[0] == 0:
            return None
        return reason or "another worker"

    def is_wanted(self, wish: bool, is_at_update: bool) -> bool:
        """True on all workers where one of them wishes it; at updates of the schedule only, where there are several."""
        if self.is_alone:
            return wish
        return is_at_update and self.total([float(wish)])[0] > 0

    def read_control(self, control: Control, run_dir: RunDir) -> None:
        """The chief reads control.json; its contents apply to all workers."""
        if self.is_chief:
            control.read(run_dir)
        if self.is_alone:
            return
        sent = [(float(name in control.values), control.values.get(name, 0.0)) for name in VALUES] if self.is_chief else []
        orders = [float(name in control.orders) for name in ORDERS] if self.is_chief else []
        numbers = [number for pair in sent for number in pair] + orders if self.is_chief else [0.0] * (2 * len(VALUES) + len(ORDERS))
        received = self.total(numbers)
        control.values = {name: received[2 * i + 1] for i, name in enumerate(VALUES) if received[2 * i]}
        control.orders = {name for i, name in enumerate(ORDERS) if received[2 * len(VALUES) + i]}

    @tf.function(autograph=False)
    def _sum(self, values):
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, self._strategy.run(tf.identity, (values,)), axis=None)
