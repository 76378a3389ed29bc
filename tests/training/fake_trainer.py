"""A trainer that needs no tracing: its iterations change weights as a function of seed and image count alone."""

import numpy as np
import tensorflow as tf

GOOD = {"Loss/G": 1.0, "Loss/D": 1.0, "Loss/scores/real": 0.5, "Loss/scores/fake": -0.5}


class FakeTrainer:
    """Takes the place of `step.Trainer`.

    Args:
        networks: `snapshot.Networks`; every iteration adds a little to G's w_avg.
        seed: as in the real one.
        on_iteration: called with (trainer, stage, nimg) before each iteration; may raise, or return statistics.
    """

    compiler = None

    def __init__(self, networks, seed=0, on_iteration=None):
        self.G = networks.G
        self.seed = seed
        self.on_iteration = on_iteration or (lambda *_: None)
        self.steps = 0

    def images_shown(self, minibatch, num_iterations=1):
        return minibatch * num_iterations

    def run(self, batches, stage, *, nimg, num_iterations):
        return [self._run_iteration(batches, stage, nimg + i * stage.minibatch) for i in range(num_iterations)]

    def _run_iteration(self, batches, stage, nimg):
        images, _ = next(batches)
        changed = self.on_iteration(self, stage, nimg) or {}
        random = np.random.RandomState((self.seed * 7919 + nimg) % 2**32)
        self.G.w_avg.assign_add(random.randn(*self.G.w_avg.shape) * float(tf.reduce_mean(tf.cast(images, tf.float32))))
        self.steps += 1
        return {name: tf.constant(value, tf.float32) for name, value in {**GOOD, "Loss/G": random.rand(), **changed}.items()}

    def has_traced(self, stage, **_):
        return True

    def forget_traces(self, stage):
        pass

    def reset_optimizers(self):
        self.steps = 0

    def state(self):
        return {"steps": self.steps}

    def load_state(self, state):
        self.steps = state["steps"]
