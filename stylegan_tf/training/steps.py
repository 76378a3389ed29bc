"""One D step and one G step, several in one call, on any number of devices: the inner loop of training."""

import functools
import gc
from collections.abc import Iterator
from typing import Any, NamedTuple

import tensorflow as tf

from stylegan_tf.cpu import graph_optimizer
from stylegan_tf.networks import named_weights
from stylegan_tf.resolution import Lod, split_lod
from stylegan_tf.training import custom_gradients, ema, timing
from stylegan_tf.training.adam import Adam
from stylegan_tf.training.dealing import deal_minibatch
from stylegan_tf.training.gradients import PartGradients
from stylegan_tf.training.random_inputs import RandomInputs
from stylegan_tf.training.reals import process_reals


class Part(NamedTuple):
    """What one device computes at once; the fields of `StepInputs` and the reals, all [part_size, ...]."""

    reals: Any
    real_labels: Any
    z: Any
    z_mix: Any
    labels: Any
    mixing_factors: Any
    mixing_cutoff: Any
    noise_seed: Any
    weights: Any


class Trainer:
    """Holds the optimizers and runs rounds of steps.

    Args:
        G, D, G_ema: networks created in the scope of `strategy`.
        strategy: a tf.distribute strategy; None for the current one.
        loss, optimizer: `settings.LossSettings`, `settings.OptimizerSettings`.
        seed: of everything drawn at random.
        max_minibatch_per_device: most samples computed at once on one device; the rest is accumulated.
        label_pool: float32 [K, label_size], rows that G's labels are drawn from; None without labels.
        frozen: names of D's weights that stay as they are.
        use_loss_scaling: dynamic loss scale, needed in float16 alone.
        use_xla: compile losses and gradients with XLA.
        inputs: draws the random inputs; None for `RandomInputs` as G asks.
    """

    def __init__(self, G, D, G_ema, *, strategy=None, loss, optimizer, seed=0, max_minibatch_per_device=None, label_pool=None,
                 frozen=(), use_loss_scaling=False, use_xla=False, inputs=None):  # fmt: skip
        self.strategy = strategy or tf.distribute.get_strategy()
        self.G, self.D, self.G_ema = G, D, G_ema
        self.optimizer_settings = optimizer
        self.seed = seed
        self.gamma = loss.gamma
        self.lazy_interval = loss.lazy_interval
        self.max_minibatch_per_device = max_minibatch_per_device
        self.use_xla = use_xla
        self.inputs = inputs or RandomInputs(z_dim=G.z_dim, label_pool=label_pool, style_mixing_prob=G.style_mixing_prob)
        options = {"beta1": optimizer.beta1, "beta2": optimizer.beta2, "epsilon": optimizer.epsilon, "use_loss_scaling": use_loss_scaling}
        with self.strategy.scope():
            self.G_optimizer = Adam(_trainable(G), **options)
            self.D_optimizer = Adam({name: v for name, v in _trainable(D).items() if name not in frozen}, **options)
        self.gradients = PartGradients(G, D, loss=loss, noise_mode=self.inputs.noise_mode, G_variables=self.G_optimizer.variables,
                                       D_variables=self.D_optimizer.variables)  # fmt: skip
        self._rounds = {}

    def run_round(self, batches: Iterator, *, lod, minibatch, G_lrate, D_lrate, nimg, num_pairs=4) -> dict[str, tf.Tensor]:
        """Runs `num_pairs` pairs of a D step (with the average of G) and a G step without coming back to Python.

        Args:
            batches: iterator of (uint8 [minibatch, R, R, C], float32 [minibatch, label_size]).
            lod: float level of detail; one trace for each (floor, fading or not, minibatch), two where R1 is lazy.
            minibatch: samples of a step over all devices.
            G_lrate, D_lrate: learning rates.
            nimg: real images shown so far; with the seed, it decides everything drawn at random.
            num_pairs: pairs in this round.

        Returns:
            Statistics as float32 scalar tensors, means over the round.
        """
        values = self.run_pairs(batches, lod=lod, minibatch=minibatch, G_lrate=G_lrate, D_lrate=D_lrate, nimg=nimg,
                                num_pairs=num_pairs)  # fmt: skip
        return {name: tf.reduce_mean(value) for name, value in values.items()}

    def run_pairs(self, batches: Iterator, **options) -> dict[str, tf.Tensor]:
        """As `run_round`, with the statistics of every pair: float32 [num_pairs]."""
        function, arguments = self._round(batches, **options)
        with graph_optimizer.disabled_on_cpus():
            return function(*arguments)

    def trace_round(self, batches: Iterator, **options):
        """The traced function of `run_pairs`, for a look at its graph; takes the same arguments and runs nothing."""
        function, arguments = self._round(batches, **options)
        with graph_optimizer.disabled_on_cpus():
            return function.get_concrete_function(*arguments)

    def holds_round(self, *, lod, minibatch, nimg, num_pairs=4) -> bool:
        """False where `run_round` would have to trace first."""
        return self._key(lod, minibatch, nimg, num_pairs) in self._rounds

    @property
    def num_rounds_kept(self) -> int:
        """Traced or to be traced functions that are held; a stage of growth needs one."""
        return len(self._rounds)

    def forget_rounds(self) -> None:
        """Lets go of all traced rounds: those of an earlier stage of growth would keep their memory for the rest of the run."""
        self._rounds.clear()
        gc.collect()  # graphs hold themselves, and Python would find out after minutes

    def _round(self, batches, *, lod, minibatch, G_lrate, D_lrate, nimg, num_pairs=4):
        fade = split_lod(lod).fade
        key = self._key(lod, minibatch, nimg, num_pairs)
        if key not in self._rounds:
            self._rounds[key] = self._make_round(*key)
        beta = ema.ema_beta(minibatch, self.optimizer_settings.ema_kimg)
        # As tensors: Python numbers would ask for a trace each.
        numbers = [tf.constant(value, tf.float32) for value in (fade or 0.0, G_lrate, D_lrate, beta, self.gamma)]
        return self._rounds[key], (batches, *numbers, tf.constant([self.seed, nimg], tf.int32))

    def _key(self, lod, minibatch, nimg, num_pairs):
        """What a trace is for."""
        floor, fade = split_lod(lod)
        is_regularised = tuple((nimg // minibatch + pair) % self.lazy_interval == 0 for pair in range(num_pairs))
        return floor, fade is not None, minibatch, self.max_minibatch_per_device, is_regularised

    def _make_round(self, floor, is_fading, minibatch, max_part, is_regularised):
        deal = deal_minibatch(minibatch, group_size=self.D.mbstd_group_size, num_devices=self.strategy.num_replicas_in_sync,
                              max_part=max_part)  # fmt: skip
        num_layers = self.G.num_layers_at(float(floor))

        def run_pair(is_regularised, images, labels, fade, G_lrate, D_lrate, beta, gamma, seed):
            lod = Lod(floor, fade if is_fading else None)
            reals = {"reals": process_reals(images, lod.fade), "real_labels": labels}
            seeds = [tf.random.experimental.stateless_fold_in(seed, purpose) for purpose in (0, 1)]
            scale = self.D_optimizer.loss_scale
            draws = self.inputs.draw(seeds[0], minibatch, num_layers)

            def for_discriminator(part):
                return self.gradients.for_discriminator(part, lod, gamma, scale, is_regularised)

            D_statistics, norm = self._step(deal, draws, reals, self.D_optimizer, D_lrate, "D", for_discriminator)
            with tf.control_dependencies([norm]):  # else G would draw during the step of D, and keep all it needs in memory
                self._average_generator(beta)
                draws = self.inputs.draw(seeds[1], minibatch, num_layers)
            scale_G = self.G_optimizer.loss_scale
            G_statistics, _ = self._step(deal, draws, reals, self.G_optimizer, G_lrate, "G",
                                         lambda part: self.gradients.for_generator(part, lod, scale_G))  # fmt: skip
            return {**D_statistics, **G_statistics}

        # Nothing here needs autograph: its rewriting took a third of the time of a trace, and 5 s once.
        @tf.function(autograph=False)
        @custom_gradients.forgotten_afterwards()
        def run_round(batches, fade, G_lrate, D_lrate, beta, gamma, seed):
            done = timing.now_after()
            pairs = []
            for pair in range(len(is_regularised)):
                with tf.control_dependencies([done] if pair == 0 else []):
                    images, labels = next(batches)
                fetched = timing.now_after(images, labels)
                images = tf.ensure_shape(images, [minibatch, *images.shape[1:]])
                pair_seed = seed + tf.constant([0, pair * minibatch])
                arguments = (images, labels, fade, G_lrate, D_lrate, beta, gamma, pair_seed)
                statistics = self.strategy.run(functools.partial(run_pair, is_regularised[pair]), arguments)
                # Every replica holds the same sums: the first one's will do.
                statistics = {name: self.strategy.experimental_local_results(value)[0] for name, value in statistics.items()}
                start, D_done, done = done, statistics.pop("D_done"), statistics.pop("G_done")
                pairs.append({**statistics, **timing.durations(start, fetched, D_done, done)})
            return {name: tf.stack([statistics[name] for statistics in pairs]) for name in pairs[0]}

        return run_round

    def _step(self, deal, draws, reals, optimizer, lrate, network, compute):
        """One optimizer step: every part's gradients, summed over parts and replicas, then applied.

        Returns:
            dict of statistics on the host, and the norm of the gradients on the device, there when all gradients are.
        """
        context = tf.distribute.get_replica_context()
        replica = tf.convert_to_tensor(context.replica_id_in_sync_group)
        compute = tf.function(compute, jit_compile=True, autograph=False) if self.use_xla else compute
        parts = [self._part(deal, draws, reals, replica, index) for index in range(deal.indices.shape[1])]
        gradients, statistics, w_sum = _sum_parts(compute, parts)
        names = [name for name, gradient in gradients.items() if gradient is not None]
        summed = context.all_reduce(tf.distribute.ReduceOp.SUM, [[gradients[name] for name in names], statistics, w_sum])
        norm = optimizer.apply(dict(zip(names, summed[0], strict=True)), lrate)
        if self.G.w_avg_beta is not None:
            ema.update_average([_raw(self.G.w_avg)], [summed[2]], self.G.w_avg_beta)
        on_host = timing.on_host(norm)
        statistics = {**summed[1], f"Gradients/{network}_norm": on_host, f"{network}_done": timing.now_after(on_host)}
        if optimizer.use_loss_scaling:
            statistics[f"Train{network}/log2_loss_scale"] = tf.identity(optimizer.log2_scale)
        return statistics, norm

    def _part(self, deal, draws, reals, replica, index):
        """Selects what replica `replica` computes at accumulation step `index`."""
        values = {**draws._asdict(), **reals, "weights": None}
        cutoff, noise_seed = values.pop("mixing_cutoff"), values.pop("noise_seed")
        weights = tf.constant(deal.weights)[replica, index]
        if not deal.is_whole:
            chosen = tf.constant(deal.indices)[replica, index]
            values = {name: tf.gather(value, chosen) for name, value in values.items() if value is not None}
            noise_seed = tf.random.experimental.stateless_fold_in(noise_seed, replica * deal.indices.shape[1] + index)
        return Part(**{**values, "mixing_cutoff": cutoff, "noise_seed": noise_seed, "weights": weights})

    def _average_generator(self, beta):
        """G_ema follows G: trained weights by `beta`, the others are copied."""
        ema.update_average(_raws(self.G_ema.trainable_variables), _raws(self.G.trainable_variables), beta)
        ema.copy_weights(_raws(self.G_ema.non_trainable_variables), _raws(self.G.non_trainable_variables))

    def reset_optimizers(self) -> None:
        """Throws the state of both optimizers away, as growth does."""
        self.G_optimizer.reset()
        self.D_optimizer.reset()

    def state(self) -> dict:
        """Both optimizers as plain values and arrays."""
        return {"G_optimizer": self.G_optimizer.state(), "D_optimizer": self.D_optimizer.state()}

    def load_state(self, state: dict) -> None:
        """Takes over what `state` returned."""
        self.G_optimizer.load_state(state["G_optimizer"])
        self.D_optimizer.load_state(state["D_optimizer"])


def _raw(variable):
    """The tf.Variable inside a Keras one."""
    return variable.value


def _raws(variables):
    return [_raw(variable) for variable in variables]


def _trainable(network):
    return {name: _raw(variable) for name, variable in named_weights(network).items() if variable.trainable}


def _sum_parts(compute, parts):
    """Adds up gradients, statistics and w over the parts, one after the other to spare memory."""
    total = compute(parts[0])
    for part in parts[1:]:
        with tf.control_dependencies([value for value in tf.nest.flatten(total) if value is not None]):
            part = tf.nest.map_structure(tf.identity, part)
        total = tf.nest.map_structure(lambda a, b: None if a is None else a + b, total, compute(part))
    return total
