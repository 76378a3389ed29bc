"""The tiny model with a running value and a lazy step of its own, as a path length regulariser has them; for test_running_values.py."""

import dataclasses

import tensorflow as tf

from stylegan_tf.models.base import Phase, Values
from stylegan_tf.models.weights import assign_on_replica
from tests.tiny_model.model import TinyModel

EVERY = 4
DECAY = 0.9


class LengthModel(TinyModel):
    """Phases [D x times, G, G_length every 4th iteration]: the lengths of generated images are pulled to their running mean."""

    name = "running_values"

    def running_values(self, settings):
        return {"mean_length": 0.5}

    def phases(self, settings, G, D, running):
        mean = running["mean_length"]

        def length_terms(part, context):
            def term(waits):
                images = G.sample(part.z, part.labels, training=True)
                lengths = tf.sqrt(tf.reduce_mean(tf.square(images), axis=[1, 2, 3]))
                loss = EVERY * tf.square(lengths - tf.convert_to_tensor(mean))
                return Values(loss, {"Loss/length": lengths}, {"length": tf.reduce_sum(lengths * part.weights)})

            yield term

        def move_mean(step):
            assign_on_replica(mean, DECAY * tf.convert_to_tensor(mean) + (1 - DECAY) * step.sums["length"])

        D_phase, G_phase = super().phases(settings, G, D, running)
        return [
            dataclasses.replace(D_phase, after=None),
            dataclasses.replace(G_phase, after=lambda step: step.average_generator()),
            Phase("G_length", "G", length_terms, every=EVERY, after=move_mean),
        ]


MODEL = LengthModel()
