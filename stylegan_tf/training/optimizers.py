"""Optimizers: TensorFlow 1's Adam and both kinds of RMSProp. A step with a gradient that is not finite changes no weight."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import tensorflow as tf

from stylegan_tf.models.base import Phase
from stylegan_tf.settings import NetworkOptimizerSettings

# Dynamic loss scale for float16: log2 at the start, added to it by a finite step, subtracted by an overflow (original release).
LOG2_SCALE_INITIAL, LOG2_SCALE_UP, LOG2_SCALE_DOWN = 64.0, 0.0005, 1.0


class Optimizer:
    """Updates variables in place, equally on every replica, from gradients that are already summed over the replicas.

    Args:
        variables: dict of name to tf.Variable, created in the current strategy's scope, as the moments will be.
        beta1, beta2, epsilon: see the subclasses.
        correction: factor c on the learning rate, and exponent of both betas, for lazy steps of regularisers (`lazy_correction`).
        use_loss_scaling: use a dynamic loss scale (needed in float16 only).
    """

    moments: tuple[str, ...]  # names of the attributes that hold a variable for each weight
    initial: float = 0.0  # first value of the moments

    def __init__(self, variables, *, beta1=0.0, beta2=0.99, epsilon=1e-8, correction=1.0, use_loss_scaling=False):
        self.variables = variables
        self.rate_factor = correction
        self.beta1, self.beta2, self.epsilon = beta1**correction, beta2**correction, epsilon
        self.use_loss_scaling = use_loss_scaling
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.log2_scale = tf.Variable(LOG2_SCALE_INITIAL, trainable=False, name="log2_scale")
        for kind in self.moments:  # one kind after the other: they are adjacent in memory
            setattr(self, kind, {name: tf.Variable(tf.fill(v.shape, self.initial), trainable=False) for name, v in variables.items()})

    @property
    def loss_scale(self) -> tf.Tensor | float:
        """Factor to multiply a loss by before its gradient is taken; `apply` divides it out."""
        return tf.pow(2.0, tf.convert_to_tensor(self.log2_scale)) if self.use_loss_scaling else 1.0

    def apply(self, gradients: dict[str, tf.Tensor | None], lrate: tf.Tensor, *, takes_step: tf.Tensor | None = None) -> tf.Tensor:
        """One step. Call in replica context with gradients that are equal on all replicas.

        Args:
            gradients: name to gradient, or None for a variable that the loss does not depend on: its moments are not changed.
            takes_step: bool scalar; False leaves weights, moments and loss scale as they are. None: the step is taken.

        Returns:
            Norm of all gradients together, float32. Where it is not finite, the step was skipped.
        """
        gradients = {name: gradient for name, gradient in gradients.items() if gradient is not None}
        if self.use_loss_scaling:
            gradients = {name: gradient / self.loss_scale for name, gradient in gradients.items()}
        if self.rate_factor != 1.0:
            lrate = lrate * self.rate_factor
        norm = tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(gradient) for gradient in gradients.values()]))

        def update():
            self.update(gradients, lrate)
            tf.raw_ops.AssignAddVariableOp(resource=self.step.handle, value=tf.constant(1, tf.int64))
            return self._change_scale(LOG2_SCALE_UP)

        def update_if_taken():
            return tf.cond(takes_step, update, lambda: tf.constant(True))

        tf.cond(tf.math.is_finite(norm), update if takes_step is None else update_if_taken, lambda: self._change_scale(-LOG2_SCALE_DOWN))
        return norm

    def update(self, gradients: dict[str, tf.Tensor], lrate: tf.Tensor) -> None:
        """Changes the variables and moments by finite gradients."""
        raise NotImplementedError

    def reset(self) -> None:
        """Resets moments and step; the loss scale is kept. Call in cross-replica context."""
        self.step.assign(0)
        for kind in self.moments:
            for variable in getattr(self, kind).values():
                variable.assign(tf.fill(variable.shape, self.initial))

    def state(self) -> dict:
        """Step, loss scale and moments as plain values and arrays."""
        moments = {kind: {name: variable.numpy() for name, variable in getattr(self, kind).items()} for kind in self.moments}
        return {"step": int(self.step.numpy()), "log2_scale": float(self.log2_scale.numpy()), **moments}

    def load_state(self, state: dict) -> None:
        """Restores what `state` returned.

        Raises:
            ValueError: another kind of optimizer, other variables, or other shapes.
        """
        numbers = [state.get(name) for name in ("step", "log2_scale")]
        if type(numbers[0]) is not int or not 0 <= numbers[0] < 2**62 or not isinstance(numbers[1], float) or not abs(numbers[1]) < 1e6:
            raise ValueError(f"The step and log2_scale of a saved optimizer must be numbers. Received: {str(numbers)[:80]}")
        for kind in self.moments:
            saved, moments = state.get(kind), getattr(self, kind)
            shapes = {name: getattr(array, "shape", None) for name, array in saved.items()} if isinstance(saved, dict) else {}
            if shapes != {name: tuple(v.shape) for name, v in moments.items()}:
                raise ValueError("The saved optimizer is of another kind or belongs to a network with other weights.")
            for name, array in saved.items():
                if array.dtype.kind != "f" or not np.isfinite(array).all():
                    raise ValueError(f"{kind} of {name} in a saved optimizer must be finite numbers.")
        for kind in self.moments:
            saved, moments = state[kind], getattr(self, kind)
            for name, array in saved.items():
                moments[name].assign(array)
        self.step.assign(state["step"])
        self.log2_scale.assign(state["log2_scale"])

    def _change_scale(self, difference):
        if self.use_loss_scaling:
            tf.raw_ops.AssignAddVariableOp(resource=self.log2_scale.handle, value=tf.constant(difference))
        return tf.constant(True)


class Adam(Optimizer):
    """Adam with TensorFlow 1's epsilon, which is outside of the bias correction (Kingma and Ba 2015, "epsilon hat")."""

    moments = ("first_moments", "second_moments")

    def update(self, gradients, lrate):
        step = tf.cast(tf.convert_to_tensor(self.step) + 1, tf.float32)
        powers = {"beta1_power": tf.pow(self.beta1, step), "beta2_power": tf.pow(self.beta2, step)}
        # As tensors: each use of a Python number would add a constant to the graph.
        constants = {name: tf.constant(getattr(self, name), tf.float32) for name in ("beta1", "beta2", "epsilon")}
        for name, gradient in gradients.items():
            slots = (self.variables[name], self.first_moments[name], self.second_moments[name])
            var, m, v = (slot.handle for slot in slots)
            tf.raw_ops.ResourceApplyAdam(var=var, m=m, v=v, grad=gradient, lr=lrate, **powers, **constants)


class RMSProp(Optimizer):
    """PyTorch's RMSProp: rate * gradient / (sqrt(mean square) + epsilon); mean squares decay by beta2 and start at 0.

    Source: Tieleman and Hinton 2012; `torch.optim.RMSprop`.
    """

    moments = ("mean_squares",)

    def update(self, gradients, lrate):
        for name, gradient in gradients.items():
            mean_square = self.mean_squares[name]
            value = self.beta2 * tf.convert_to_tensor(mean_square) + (1.0 - self.beta2) * tf.square(gradient)
            tf.raw_ops.AssignVariableOp(resource=mean_square.handle, value=value)
            tf.raw_ops.AssignSubVariableOp(resource=self.variables[name].handle, value=lrate * gradient / self.root(value))

    def root(self, mean_square: tf.Tensor) -> tf.Tensor:
        """What the gradient is divided by."""
        return tf.sqrt(mean_square) + self.epsilon


class RMSPropTF(RMSProp):
    """TensorFlow 1's RMSProp: epsilon inside the root, and mean squares that start at 1."""

    initial = 1.0

    def root(self, mean_square):
        return tf.sqrt(mean_square + self.epsilon)


KINDS: dict[str, type[Optimizer]] = {"adam": Adam, "rmsprop_tf": RMSPropTF, "rmsprop_torch": RMSProp}


def make(settings: NetworkOptimizerSettings, variables: dict[str, tf.Variable], *, correction: float, use_loss_scaling: bool) -> Optimizer:
    """Creates the optimizer of `settings.kind`; `variables`, `correction` and `use_loss_scaling` as in `Optimizer`."""
    betas = {"beta1": settings.beta1, "beta2": settings.beta2, "epsilon": settings.epsilon}
    return KINDS[settings.kind](variables, **betas, correction=correction, use_loss_scaling=use_loss_scaling)


def lazy_correction(phases: Sequence[Phase], network: str) -> float:
    """Factor c on the learning rate, and exponent of the betas, of a network whose regularisers have lazy steps of their own.

    c is the share of the network's steps that its most frequent phases take: n / (n + 1) where a regulariser has a step after every
    n steps of the loss, 1 without such steps.

    Source: Karras et al. 2020, appendix B.
    """
    steps = [(phase.every, Fraction(phase.times, phase.every)) for phase in phases if phase.network == network]
    most_frequent = min(every for every, _ in steps)
    return float(sum(share for every, share in steps if every == most_frequent) / sum(share for _, share in steps))
