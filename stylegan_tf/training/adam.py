"""TensorFlow 1's Adam: epsilon outside the bias correction, a step with any gradient that is not finite skipped whole."""

import numpy as np
import tensorflow as tf

# Dynamic loss scale for float16: log2 at the start, and what a good and an overflowing step add (original release).
LOG2_SCALE_INITIAL, LOG2_SCALE_UP, LOG2_SCALE_DOWN = 64.0, 0.0005, 1.0


class Adam:
    """Updates variables in place, on every replica alike, from gradients that are already summed over the replicas.

    Args:
        variables: dict of name to tf.Variable, created in the current strategy's scope, as the moments will be.
        beta1, beta2, epsilon: as in Kingma and Ba 2015, epsilon being their "epsilon hat".
        use_loss_scaling: keep a dynamic loss scale (needed in float16 alone).
    """

    def __init__(self, variables: dict, *, beta1=0.0, beta2=0.99, epsilon=1e-8, use_loss_scaling=False):
        self.variables = variables
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.use_loss_scaling = use_loss_scaling
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.log2_scale = tf.Variable(LOG2_SCALE_INITIAL, trainable=False, name="log2_scale")
        # Two separate loops: moments of one kind lie together.
        self.first_moments = {name: _zeros_like(variable) for name, variable in variables.items()}
        self.second_moments = {name: _zeros_like(variable) for name, variable in variables.items()}

    @property
    def loss_scale(self) -> tf.Tensor | float:
        """Factor to multiply a loss by before its gradient is taken; `apply` divides it out."""
        return tf.pow(2.0, tf.convert_to_tensor(self.log2_scale)) if self.use_loss_scaling else 1.0

    def apply(self, gradients: dict, lrate: tf.Tensor) -> tf.Tensor:
        """One step. Call in replica context with gradients that are equal on all replicas.

        Args:
            gradients: name to gradient, or None for a variable that took no part: its moments stay as they are.
            lrate: learning rate.

        Returns:
            Norm of all gradients together, float32; not finite where the step was skipped.
        """
        gradients = {name: gradient for name, gradient in gradients.items() if gradient is not None}
        if self.use_loss_scaling:
            gradients = {name: gradient / self.loss_scale for name, gradient in gradients.items()}
        norm = tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(gradient) for gradient in gradients.values()]))

        def update():
            step = tf.cast(tf.convert_to_tensor(self.step) + 1, tf.float32)
            powers = {"beta1_power": tf.pow(self.beta1, step), "beta2_power": tf.pow(self.beta2, step)}
            # As tensors: of Python numbers each use would be a constant of its own.
            constants = {name: tf.constant(getattr(self, name), tf.float32) for name in ("beta1", "beta2", "epsilon")}
            for name, gradient in gradients.items():
                slots = (self.variables[name], self.first_moments[name], self.second_moments[name])
                var, m, v = (slot.handle for slot in slots)
                tf.raw_ops.ResourceApplyAdam(var=var, m=m, v=v, grad=gradient, lr=lrate, **powers, **constants)
            tf.raw_ops.AssignAddVariableOp(resource=self.step.handle, value=tf.constant(1, tf.int64))
            return self._change_scale(LOG2_SCALE_UP)

        tf.cond(tf.math.is_finite(norm), update, lambda: self._change_scale(-LOG2_SCALE_DOWN))
        return norm

    def _change_scale(self, difference):
        if self.use_loss_scaling:
            tf.raw_ops.AssignAddVariableOp(resource=self.log2_scale.handle, value=tf.constant(difference))
        return tf.constant(True)

    def reset(self) -> None:
        """Throws all state away, powers of beta included; the loss scale stays. Call in cross-replica context."""
        self.step.assign(0)
        for moments in (self.first_moments, self.second_moments):
            for variable in moments.values():
                variable.assign(tf.zeros_like(variable))

    def state(self) -> dict:
        """Step, loss scale and moments as plain values and arrays."""
        return {
            "step": int(self.step.numpy()),
            "log2_scale": float(self.log2_scale.numpy()),
            "first_moments": {name: variable.numpy() for name, variable in self.first_moments.items()},
            "second_moments": {name: variable.numpy() for name, variable in self.second_moments.items()},
        }

    def load_state(self, state: dict) -> None:
        """Takes over what `state` returned.

        Raises:
            ValueError: other variables, or other shapes.
        """
        for kind in ("first_moments", "second_moments"):
            saved, moments = state[kind], getattr(self, kind)
            if {name: np.shape(array) for name, array in saved.items()} != {name: tuple(v.shape) for name, v in moments.items()}:
                raise ValueError("The saved optimizer belongs to a network with other weights.")
            for name, array in saved.items():
                moments[name].assign(array)
        self.step.assign(state["step"])
        self.log2_scale.assign(state["log2_scale"])


def _zeros_like(variable):
    return tf.Variable(tf.zeros(variable.shape, tf.float32), trainable=False)
