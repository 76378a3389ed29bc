"""The networks: mapping, synthesis, the generator around them, and the discriminator."""

from stylegan_tf.networks.discriminator import Discriminator
from stylegan_tf.networks.generator import Generator
from stylegan_tf.networks.mapping import MappingNetwork
from stylegan_tf.networks.naming import assign_weights, named_weights
from stylegan_tf.networks.synthesis import SynthesisNetwork

__all__ = ["Discriminator", "Generator", "MappingNetwork", "SynthesisNetwork", "assign_weights", "named_weights"]
