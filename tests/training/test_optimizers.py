"""Optimizers step by step: Adam against TensorFlow 1's in the original release, RMSProp against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.settings import NetworkOptimizerSettings
from stylegan_tf.training import optimizers
from stylegan_tf.training.optimizers import Adam
from tests.closeness import assert_close
from tests.recorded import arrays

# A handful of float32 operations a step, and gradients that NumPy computes here; measured below 3e-7.
TOLERANCE = 1e-6

BETAS = {"default": {"beta1": 0.0, "beta2": 0.99}, "beta1_0.9": {"beta1": 0.9, "beta2": 0.999}}


@pytest.fixture(scope="module")
def recorded():
    return arrays("optim_ema")


def start(recorded, case="default"):
    """Variables w, b and c as recorded before the first step. c takes no part in the loss."""
    return {name: tf.Variable(recorded[f"{case}/step0/{name}"]) for name in "wbc"}


def gradients_of(recorded, variables):
    """Of mean((x (w cw) + b cb - t)^2)."""
    x, t, cw, cb = (np.float64(recorded[name]) for name in ("x", "t", "cw", "cb"))
    error = x @ (variables["w"].numpy() * cw) + variables["b"].numpy() * cb - t
    slope = 2 * error / error.size
    return {"w": x.T @ slope * cw, "b": slope.sum(axis=0) * cb, "c": None}


def apply(adam, gradients, factor=1.0):
    """One step with the recorded learning rate; `factor` times the gradients."""
    scaled = {name: None if g is None else tf.constant(g * factor, tf.float32) for name, g in gradients.items()}
    return adam.apply(scaled, tf.constant(0.0015))


@pytest.mark.parametrize("case", BETAS)
def test_seven_steps_equal_the_originals(recorded, case):
    variables = start(recorded, case)
    adam = Adam(variables, **BETAS[case], epsilon=1e-8)
    for step in range(1, 8):
        gradients = gradients_of(recorded, variables)
        if step <= 3:
            for name in "wb":
                assert_close(gradients[name], recorded[f"{case}/step{step}/g{name}"], TOLERANCE, f"gradient {name} {step}")
        if step == 6:
            adam.reset()
        else:
            norm = apply(adam, gradients, {4: np.nan, 5: 1e-6}.get(step, 1.0))
            assert np.isfinite(norm) == (step != 4)
        for name in "wbc":
            assert_close(variables[name], recorded[f"{case}/step{step}/{name}"], TOLERANCE, f"{name} {step}")
        for name, theirs in (("w", "w"), ("b", "b"), ("c", "c_unused")):
            prefix = f"{case}/step{step}/slot/{theirs}/Q{case.replace('.', '_')}_opt0"
            # With beta1 0 a tiny first moment is what a difference of numbers near 0.4 leaves.
            assert_close(adam.first_moments[name], recorded[prefix], TOLERANCE, f"m {name} {step}", scale=0.4)
            assert_close(adam.second_moments[name], recorded[prefix + "_1"], TOLERANCE, f"v {name} {step}")


def test_a_gradient_that_is_not_finite_skips_the_whole_step(recorded):
    for bad in (np.nan, np.inf):
        variables = start(recorded)
        adam = Adam(variables)
        apply(adam, gradients_of(recorded, variables))
        before, state = {name: v.numpy() for name, v in variables.items()}, adam.state()
        gradients = gradients_of(recorded, variables)
        gradients["b"] = np.array([0.1, bad, 0.1])  # one element of one variable
        apply(adam, gradients)
        for name, variable in variables.items():
            np.testing.assert_array_equal(variable.numpy(), before[name])
        assert adam.state()["step"] == state["step"] == 1
        np.testing.assert_array_equal(adam.state()["second_moments"]["w"], state["second_moments"]["w"])


def test_loss_scale_moves_as_the_originals_and_is_divided_out(recorded):
    variables = start(recorded)
    adam = Adam(variables, use_loss_scaling=True)
    trajectory = [adam.log2_scale.numpy()]
    for factor in (1.0, 1.0, np.nan, 1.0):  # good, good, overflow, good
        apply(adam, gradients_of(recorded, variables), factor * float(adam.loss_scale))
        trajectory.append(adam.log2_scale.numpy())
    np.testing.assert_allclose(trajectory, recorded["loss_scaling/log2_trajectory_ok_ok_nan_ok"], atol=1e-5)  # an ulp of 64 is 7.6e-6
    for name in "wb":
        # 2^64.001 in float32 is known to 64 * 6e-8 * ln 2 of itself; Adam divides most of that out again.
        assert_close(variables[name], recorded[f"loss_scaling/{name}"], 3e-6, name)


def test_without_loss_scaling_the_scale_is_one(recorded):
    assert Adam(start(recorded)).loss_scale == 1.0


@pytest.mark.parametrize("use_loss_scaling", [False, True])
def test_a_restored_state_goes_on_with_the_same_digits(recorded, use_loss_scaling):
    def two_steps(adam, variables):
        for _ in range(2):
            apply(adam, gradients_of(recorded, variables), float(adam.loss_scale))

    variables = start(recorded)
    adam = Adam(variables, beta1=0.9, use_loss_scaling=use_loss_scaling)
    two_steps(adam, variables)
    copies = {name: tf.Variable(variable.numpy()) for name, variable in variables.items()}
    restored = Adam(copies, beta1=0.9, use_loss_scaling=use_loss_scaling)
    restored.load_state(adam.state())
    two_steps(adam, variables)
    two_steps(restored, copies)
    for name in variables:
        np.testing.assert_array_equal(copies[name].numpy(), variables[name].numpy())


def test_a_state_of_other_weights_is_refused(recorded):
    variables = start(recorded)
    other = Adam({**variables, "w": tf.Variable(np.zeros([4, 4], np.float32))}).state()
    with pytest.raises(ValueError, match="other weights"):
        Adam(variables).load_state(other)


@pytest.mark.parametrize("correction", [1.0, 0.8])
@pytest.mark.parametrize("kind", ["rmsprop_torch", "rmsprop_tf"])
def test_rmsprop_equals_numpy(kind, correction):
    """PyTorch: v from 0, p -= lr g / (sqrt(v) + epsilon). TensorFlow 1: v from 1, p -= lr g / sqrt(v + epsilon)."""
    random, epsilon, beta2 = np.random.RandomState(0), 0.01, 0.9  # an epsilon that matters
    weights = {"w": random.randn(3, 4), "b": random.randn(4)}
    variables = {name: tf.Variable(value, dtype=tf.float32) for name, value in weights.items()}
    settings = NetworkOptimizerSettings(kind=kind, beta2=beta2, epsilon=epsilon)
    optimizer = optimizers.make(settings, variables, correction=correction, use_loss_scaling=False)
    squares = {name: np.full(value.shape, 1.0 if kind == "rmsprop_tf" else 0.0) for name, value in weights.items()}
    rate, decay = 0.05 * correction, beta2**correction
    for step in range(6):
        gradients = {name: random.randn(*value.shape) * 0.1**step for name, value in weights.items()}
        if step == 4:  # b takes no part: weight and mean square are not changed
            gradients["b"] = None
        optimizer.apply({name: None if g is None else tf.constant(g, tf.float32) for name, g in gradients.items()}, tf.constant(0.05))
        for name, gradient in gradients.items():
            if gradient is not None:
                v = squares[name] = decay * squares[name] + (1 - decay) * gradient**2
                root = np.sqrt(v + epsilon) if kind == "rmsprop_tf" else np.sqrt(v) + epsilon
                weights[name] = weights[name] - rate * gradient / root
            assert_close(variables[name], weights[name], TOLERANCE, f"{name} {step}")
            assert_close(optimizer.mean_squares[name], squares[name], TOLERANCE, f"mean square of {name} {step}")


@pytest.mark.parametrize("kind", ["rmsprop_torch", "rmsprop_tf"])
def test_rmsprop_is_saved_reset_and_skips_a_step_that_is_not_finite(kind):
    def make(value):
        variables = {"w": tf.Variable(value)}
        return variables["w"], optimizers.make(NetworkOptimizerSettings(kind=kind), variables, correction=1.0, use_loss_scaling=False)

    w, optimizer = make([1.0, -2.0])
    optimizer.apply({"w": tf.constant([0.5, 0.25])}, tf.constant(0.1))
    state = optimizer.state()
    copy, restored = make(w.numpy())
    restored.load_state(state)
    optimizer.apply({"w": tf.constant([np.nan, 1.0])}, tf.constant(0.1))
    for each in (optimizer, restored):
        each.apply({"w": tf.constant([-0.5, 2.0])}, tf.constant(0.1))
    np.testing.assert_array_equal(w.numpy(), copy.numpy())
    optimizer.reset()
    np.testing.assert_array_equal(optimizer.state()["mean_squares"]["w"], [1.0, 1.0] if kind == "rmsprop_tf" else [0.0, 0.0])
    with pytest.raises(ValueError, match="another kind"):
        restored.load_state(Adam({"w": w}).state())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step", None),
        ("step", -1),
        ("step", True),
        ("step", 2**80),
        ("log2_scale", float("nan")),
        ("log2_scale", "64"),
        ("first_moments", None),
        ("first_moments", []),
        ("first_moments", {}),
        ("first_moments", {"w": 0.0}),
        ("second_moments", {"w": np.full([2], np.nan, np.float32)}),
        ("second_moments", {"w": np.array(["a", "b"])}),
    ],
)
def test_a_state_that_is_not_valid_is_refused_and_changes_nothing(name, value):
    adam = Adam({"w": tf.Variable([1.0, 2.0])})
    adam.apply({"w": tf.constant([0.5, -0.5])}, tf.constant(0.1))
    before = adam.state()
    with pytest.raises(ValueError, match="saved optimizer"):
        adam.load_state({**before, name: value})
    assert str(adam.state()) == str(before)
