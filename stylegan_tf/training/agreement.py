"""What several machines that train together decide as one: when to stop, and what control.json asks for."""

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

    def stop_reason(self, reason: str | None, is_between_looks: bool) -> str | None:
        """Why all stop now: the own reason, or that another worker has one. Asked of the others between two looks only."""
        if self.is_alone:
            return reason
        if not is_between_looks or self.total([float(reason is not None)])[0] == 0:
            return None
        return reason or "another worker"

    def is_wanted(self, wish: bool, is_between_looks: bool) -> bool:
        """True on all workers where one of them wishes it; between two looks only, where there are several."""
        if self.is_alone:
            return wish
        return is_between_looks and self.total([float(wish)])[0] > 0

    def read_control(self, control: Control, run_dir: RunDir) -> None:
        """The chief reads control.json; all workers obey."""
        if self.is_chief:
            control.read(run_dir)
        if self.is_alone:
            return
        said = [(float(name in control.values), control.values.get(name, 0.0)) for name in VALUES] if self.is_chief else []
        orders = [float(name in control.orders) for name in ORDERS] if self.is_chief else []
        numbers = [number for pair in said for number in pair] + orders if self.is_chief else [0.0] * (2 * len(VALUES) + len(ORDERS))
        heard = self.total(numbers)
        control.values = {name: heard[2 * i + 1] for i, name in enumerate(VALUES) if heard[2 * i]}
        control.orders = {name for i, name in enumerate(ORDERS) if heard[2 * len(VALUES) + i]}

    @tf.function(autograph=False)
    def _sum(self, values):
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, self._strategy.run(tf.identity, (values,)), axis=None)
