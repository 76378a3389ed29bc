"""A trainer that needs no tracing: its steps change weights as a function of seed and image count alone."""

import numpy as np
import tensorflow as tf

GOOD = {"Loss/G": 1.0, "Loss/D": 1.0, "Loss/scores/real": 0.5, "Loss/scores/fake": -0.5}


class FakeTrainer:
    """Takes the place of `steps.Trainer`.

    Args:
        networks: (G, D, G_ema); every step adds a little to G's w_avg.
        seed: as in the real one.
        on_round: called with (trainer, arguments of run_pairs) before each pair; may raise, or return statistics.
    """

    def __init__(self, networks, seed=0, on_round=None):
        self.G = networks[0]
        self.seed = seed
        self.gamma = 0.0
        self.max_minibatch_per_device = None
        self.on_round = on_round or (lambda *_: None)
        self.steps = 0

    def run_pairs(self, batches, **arguments):
        pairs = [self._run_pair(batches, {**arguments, "nimg": arguments["nimg"] + i * arguments["minibatch"]})
                 for i in range(arguments["num_pairs"])]  # fmt: skip
        return {name: tf.stack([pair[name] for pair in pairs]) for name in pairs[0]}

    def _run_pair(self, batches, arguments):
        images, _ = next(batches)
        changed = self.on_round(self, arguments) or {}
        random = np.random.RandomState((self.seed * 7919 + arguments["nimg"]) % 2**32)
        self.G.w_avg.assign_add(random.randn(*self.G.w_avg.shape) * float(tf.reduce_mean(tf.cast(images, tf.float32))))
        self.steps += 1
        return {name: tf.constant(value, tf.float32) for name, value in {**GOOD, "Loss/G": random.rand(), **changed}.items()}

    def holds_round(self, **_):
        return True

    def forget_rounds(self):
        pass

    def reset_optimizers(self):
        self.steps = 0

    def state(self):
        return {"steps": self.steps}

    def load_state(self, state):
        self.steps = state["steps"]
