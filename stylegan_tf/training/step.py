"""Iterations of a model's phases, several in one call, on any number of devices: the inner loop of training."""

import functools
import gc
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from stylegan_tf.cpu import graph_optimizer
from stylegan_tf.models.base import AfterStep, Context, Generator, Model, Network, Part, Phase
from stylegan_tf.models.weights import copy_variables, move_averages, named_weights
from stylegan_tf.resolution import Lod, split_lod
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training import custom_gradients, optimizers, timing
from stylegan_tf.training.inputs import Inputs, InputSource, RandomInputs, process_reals
from stylegan_tf.training.schedule import Stage
from stylegan_tf.training.splitting import Split, split_minibatch

# Phases of one iteration that are due, each with the names of its lazy penalties that are.
Due = tuple[tuple[str, frozenset[str]], ...]


class Trainer:
    """Holds the optimizers and the model's running values, and runs iterations.

    Args:
        model: what is trained.
        settings: of the run.
        G, D, G_ema: networks created in the scope of `strategy`.
        strategy: a tf.distribute strategy; None for the current one.
        label_pool: float32 [K, label_size], rows from which G's labels are chosen; None without labels.
        use_loss_scaling: dynamic loss scale, needed in float16 alone.
        inputs: makes the random inputs; None for `RandomInputs`.
    """

    def __init__(
        self,
        model: Model,
        settings: TrainingSettings,
        G: Generator,
        D: Network,
        G_ema: Generator,
        *,
        strategy: tf.distribute.Strategy | None = None,
        label_pool: np.ndarray | None = None,
        use_loss_scaling: bool = False,
        inputs: InputSource | None = None,
    ):
        self.model, self.settings = model, settings
        self.strategy = strategy or tf.distribute.get_strategy()
        self.G, self.D, self.G_ema = G, D, G_ema
        self.seed = settings.run.seed
        self.inputs = inputs or RandomInputs(model, settings, z_dim=G.z_dim, label_pool=label_pool)
        with self.strategy.scope():
            self.running = {name: tf.Variable(value, trainable=False) for name, value in model.running_values(settings).items()}
            self.phases = model.phases(settings, G, D, self.running)
            frozen = model.frozen(list(named_weights(D)), settings.transfer.frozen_layers)
            self.optimizers = {
                name: optimizers.make(
                    getattr(settings.optimizer, name),
                    {name: variable for name, variable in _trainable(network).items() if name not in (frozen if network is D else ())},
                    laziness=max(phase.every for phase in self.phases if phase.network == name),
                    use_loss_scaling=use_loss_scaling,
                )
                for name, network in (("G", G), ("D", D))
            }
        self._steps = _plan(self.phases)
        self.batches_per_iteration = max(phase.times for phase in self.phases if phase.shows_reals)
        self._traced: dict[tuple, Any] = {}

    def images_shown(self, minibatch: int, num_iterations: int = 1) -> int:
        """Real images that so many iterations show to D."""
        return minibatch * self.batches_per_iteration * num_iterations

    def run(self, batches: Iterator, stage: Stage, *, nimg: int, num_iterations: int = 1) -> list[dict[str, tf.Tensor]]:
        """Runs iterations without coming back to Python.

        Args:
            batches: iterator of (uint8 [minibatch, R, R, C], float32 [minibatch, label_size]).
            stage: minibatch, level of detail, learning rates and gamma. One trace for each (floor, fading or not, minibatch, phases due).
            nimg: real images shown so far; with the seed, it decides all random inputs.
            num_iterations: all phases once each, or not at all in iterations in which they are not due.

        Returns:
            Statistics of every iteration, float32 scalars by name: means over the minibatch and over the steps of a phase.
        """
        function, arguments = self._function(batches, stage, nimg, num_iterations)
        with graph_optimizer.disabled_on_cpus():
            return function(*arguments)

    def trace(self, batches: Iterator, stage: Stage, *, nimg: int, num_iterations: int = 1):
        """The traced function of `run`, to look at its graph; has the same arguments and runs nothing."""
        function, arguments = self._function(batches, stage, nimg, num_iterations)
        with graph_optimizer.disabled_on_cpus():
            return function.get_concrete_function(*arguments)

    def has_traced(self, stage: Stage, *, nimg: int, num_iterations: int = 1) -> bool:
        """False where `run` would have to trace first."""
        return self._key(stage, nimg, num_iterations) in self._traced

    @property
    def num_traces(self) -> int:
        """Functions that are traced or will be at their first call; a stage of growth needs one, two where a penalty is lazy."""
        return len(self._traced)

    def forget_traces(self) -> None:
        """Frees all traced functions: those of an earlier stage of growth would keep their memory for the rest of the run."""
        self._traced.clear()
        gc.collect()  # graphs refer to themselves, and Python would free them after minutes

    def reset_optimizers(self) -> None:
        """Resets the state of both optimizers, as growth does."""
        for optimizer in self.optimizers.values():
            optimizer.reset()

    def state(self) -> dict[str, Any]:
        """Optimizers and running values as plain values and arrays."""
        states = {f"{name}_optimizer": optimizer.state() for name, optimizer in self.optimizers.items()}
        return {**states, "running": {name: float(variable.numpy()) for name, variable in self.running.items()}}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restores what `state` returned.

        Raises:
            ValueError: the state of other networks or of another model.
        """
        running = state.get("running", {})  # states of version 1 have none
        if running.keys() != self.running.keys():
            raise ValueError(f"The saved running values are {sorted(running)}; the model has {sorted(self.running)}.")
        for name, optimizer in self.optimizers.items():
            optimizer.load_state(state[f"{name}_optimizer"])
        for name, variable in self.running.items():
            variable.assign(running[name])

    def _function(self, batches, stage, nimg, num_iterations):
        key = self._key(stage, nimg, num_iterations)
        if key not in self._traced:
            self._traced[key] = self._make_function(*key)
        images, average = self.images_shown(stage.minibatch), self.settings.optimizer
        betas = [ema_beta(images, average.ema_kimg, nimg + images * i, average.ema_rampup) for i in range(num_iterations)]
        fade = split_lod(stage.lod).fade
        # As tensors: Python numbers would ask for a trace each.
        numbers = [tf.constant(value, tf.float32) for value in (fade or 0.0, stage.G_lrate, stage.D_lrate, betas, stage.gamma)]
        return self._traced[key], (batches, *numbers, tf.constant([self.seed, nimg], tf.int32))

    def _key(self, stage, nimg, num_iterations):
        """What a trace depends on."""
        floor, fade = split_lod(stage.lod)
        first = nimg // self.images_shown(stage.minibatch)
        due = tuple(self._due(first + index) for index in range(num_iterations))
        return floor, fade is not None, stage.minibatch, stage.max_minibatch_per_device, due

    def _due(self, iteration: int) -> Due:
        phases = [phase for phase in self.phases if iteration % phase.every == 0]
        return tuple((phase.name, frozenset(name for name, n in (phase.lazy or {}).items() if iteration % n == 0)) for phase in phases)

    def _make_function(self, floor, is_fading, minibatch, max_part, due: tuple[Due, ...]):
        num_devices = self.strategy.num_replicas_in_sync
        options = {"num_devices": num_devices, "max_part": max_part}
        splits = {
            shrink: split_minibatch(max(minibatch // shrink, 1), group_size=1 if shrink > 1 else self.settings.group_size, **options)
            for shrink in {phase.shrink for phase in self.phases}
        }

        # Nothing here needs autograph: its rewriting took a third of the time of a trace, and 5 s once.
        @tf.function(autograph=False)
        @custom_gradients.forgotten_afterwards()
        def run_iterations(batches, fade, G_lrate, D_lrate, betas, gamma, seed):
            lod = Lod(floor, fade if is_fading else None)
            results, done = [], timing.now_after()
            for index, due_now in enumerate(due):
                with tf.control_dependencies([done] if index == 0 else []):
                    fetched = [next(batches) for _ in range(self.batches_per_iteration)]
                is_fetched = timing.now_after(*tf.nest.flatten(fetched))
                fetched = [(tf.ensure_shape(images, [minibatch, *images.shape[1:]]), labels) for images, labels in fetched]
                iteration_seed = seed + tf.constant([0, index * self.images_shown(minibatch)])
                numbers = {"G": G_lrate, "D": D_lrate, "beta": betas[index], "gamma": gamma}
                iteration = functools.partial(self._run_iteration, splits, due_now, lod)
                found = self.strategy.run(iteration, (fetched, numbers, iteration_seed))
                # Every replica holds the same sums: those of the first one are returned.
                statistics, times = tf.nest.map_structure(lambda value: self.strategy.experimental_local_results(value)[0], found)
                networks = [phase.network for phase, _, _ in self._steps if phase.name in dict(due_now)]
                results.append({**statistics, **timing.durations(done, is_fetched, list(zip(networks, times, strict=True)))})
                done = times[-1]
            return results

        return run_iterations

    def _run_iteration(self, splits: dict[int, Split], due: Due, lod: Lod, batches, numbers, seed):
        """All phases that are due, on one replica: statistics by name, and when each step was done."""
        reals = [(process_reals(images, lod.fade), labels) for images, labels in batches]
        context = Context(self._critic(lod), lod, numbers["gamma"], 1.0)
        statistics: dict[str, list] = {}
        times, ready = [], []
        for phase, repetition, seed_number in self._steps:
            if phase.name not in dict(due):
                continue
            with tf.control_dependencies(ready):  # else its inputs would be computed during the step before and kept in memory
                step_seed = tf.random.experimental.stateless_fold_in(seed, seed_number)
                count = max(reals[0][0].shape[0] // phase.shrink, 1)
                inputs = self.inputs.make(step_seed, count, lod)
                if phase.own_inputs is not None:
                    inputs = inputs._replace(own={**inputs.own, **phase.own_inputs(step_seed, count)})
            context = context._replace(due=dict(due)[phase.name], loss_scale=self.optimizers[phase.network].loss_scale)
            values, done, norm = self._step(phase, context, splits[phase.shrink], inputs, reals[repetition], numbers)
            times.append(done)
            ready = [norm]
            for name, value in values.items():
                statistics.setdefault(name, []).append(value)
        means = {name: values[0] if len(values) == 1 else tf.add_n(values) / len(values) for name, values in statistics.items()}
        return {**means, **{f"Running/{name}": tf.identity(value) for name, value in self.running.items()}}, times

    def _critic(self, lod: Lod):
        """D in training, for all phases of an iteration. What is applied to images before D sees them belongs here."""

        def critic(images, labels):
            return self.D(images, labels, lod=lod, training=True)

        return critic

    def _step(self, phase: Phase, context: Context, split: Split, inputs: Inputs, reals, numbers):
        """One optimizer step: every part's gradients, summed over parts and replicas, then applied.

        Returns:
            dict of statistics on the host; when the gradients were there; their norm on the device.
        """
        optimizer = self.optimizers[phase.network]
        replica_context = tf.distribute.get_replica_context()
        replica = tf.convert_to_tensor(replica_context.replica_id_in_sync_group)
        parts = [_part(split, inputs, reals, replica, index) for index in range(split.indices.shape[1])]
        if phase.prepare is not None and not split.is_whole:
            prepared = _sum_parts(self._compiled(functools.partial(phase.prepare, context=context)), parts)
            context = context._replace(prepared=replica_context.all_reduce(tf.distribute.ReduceOp.SUM, prepared))
        compute = self._compiled(functools.partial(compute_part, phase, context, optimizer.variables))
        gradients, statistics, sums = _sum_parts(compute, parts)
        names = [name for name, gradient in gradients.items() if gradient is not None]
        summed = replica_context.all_reduce(tf.distribute.ReduceOp.SUM, [[gradients[name] for name in names], statistics, sums])
        norm = optimizer.apply(dict(zip(names, summed[0], strict=True)), numbers[phase.network])
        if phase.after is not None:
            with tf.control_dependencies([norm]):
                phase.after(AfterStep(summed[2], functools.partial(self._average_generator, numbers["beta"])))
        on_host = timing.on_host(norm)
        statistics = {**summed[1], f"Gradients/{phase.name}_norm": on_host}
        if optimizer.use_loss_scaling:
            statistics[f"Train{phase.network}/log2_loss_scale"] = tf.identity(optimizer.log2_scale)
        return statistics, timing.now_after(on_host), norm

    def _compiled(self, compute):
        """`compute` with XLA where the settings ask for it."""
        return tf.function(compute, jit_compile=True, autograph=False) if self.settings.run.use_xla else compute

    def _average_generator(self, beta):
        """G_ema follows G: trained weights by `beta`, the others (w_avg, noise maps, batch statistics) are copied."""
        move_averages(_variables(self.G_ema.trainable_variables), _variables(self.G.trainable_variables), beta)
        copy_variables(_variables(self.G_ema.non_trainable_variables), _variables(self.G.non_trainable_variables))


def ema_beta(images: int, ema_kimg: float, nimg: int = 0, rampup: float | None = None) -> float:
    """Decay of the average of G for an update that follows after `images` of them; 0 for no average.

    Args:
        images: real images shown since the last update.
        ema_kimg: half-life, kimg.
        nimg: real images shown before these.
        rampup: the half-life is at most this share of `nimg`; None for no such limit (Karras et al. 2020, StyleGAN2-ADA, appendix).
    """
    half_life = 1000.0 * ema_kimg if rampup is None else min(1000.0 * ema_kimg, rampup * nimg)
    return 0.5 ** (images / half_life) if half_life > 0 else 0.0


def _plan(phases: Sequence[Phase]) -> list[tuple[Phase, int, int]]:
    """The steps of an iteration: phase, repetition, and the number that its random inputs are seeded with, due or not."""
    plan, first, number = [], {}, 0
    for phase in phases:
        first[phase.name] = first[phase.inputs_of] if phase.inputs_of else number
        plan += [(phase, repetition, first[phase.name] + repetition) for repetition in range(phase.times)]
        number += 0 if phase.inputs_of else phase.times
    return plan


def _part(split: Split, inputs: Inputs, reals, replica, index: int) -> Part:
    """What replica `replica` computes at accumulation step `index`."""
    images, labels = reals
    part = Part(images, labels, inputs.z, inputs.labels, inputs.mixing_factors, inputs.own, inputs.shared, inputs.noise_seed,
                weights=tf.constant(split.weights)[replica, index])  # fmt: skip
    if split.is_whole:
        return part
    chosen = tf.constant(split.indices)[replica, index]
    by_sample = ("reals", "real_labels", "z", "labels", "mixing_factors", "own")
    gathered = tf.nest.map_structure(lambda value: tf.gather(value, chosen), {name: getattr(part, name) for name in by_sample})
    noise_seed = tf.random.experimental.stateless_fold_in(part.noise_seed, replica * split.indices.shape[1] + index)
    return part._replace(**gathered, noise_seed=noise_seed)


def compute_part(phase: Phase, context: Context, variables: dict[str, tf.Variable], part: Part):
    """What one part adds to a step: gradients by name (None where a variable took no part), statistics, sums.

    One term after the other, each under a tape of its own: the activations of one are freed before those of the next are computed.
    """
    gradients, statistics, sums = [None] * len(variables), {}, {}
    for term in phase.terms(part, context):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(list(variables.values()))
            values = term([gradient for gradient in gradients if gradient is not None])
            total = tf.reduce_sum(values.loss * part.weights) * context.loss_scale
        gradients = [_sum(*pair) for pair in zip(gradients, tape.gradient(total, list(variables.values())), strict=True)]
        for name, value in {f"Loss/{phase.name}": values.loss, **values.statistics}.items():
            statistics[name] = statistics.get(name, 0.0) + tf.reduce_sum(value * part.weights)
        sums |= values.sums
    return dict(zip(variables, gradients, strict=True)), statistics, sums


def _sum(*gradients):
    """Of gradients by one weight; None where it took no part in any."""
    present = [gradient for gradient in gradients if gradient is not None]
    return tf.add_n(present) if present else None


def _sum_parts(compute, parts):
    """Adds up gradients, statistics and sums over the parts, one after the other to spare memory."""
    total = compute(parts[0])
    for part in parts[1:]:
        with tf.control_dependencies([value for value in tf.nest.flatten(total) if value is not None]):
            part = tf.nest.map_structure(tf.identity, part)
        total = tf.nest.map_structure(lambda a, b: None if a is None else a + b, total, compute(part))
    return total


def _variables(keras_variables):
    """The tf.Variables inside Keras's."""
    return [variable.value for variable in keras_variables]


def _trainable(network):
    return {name: variable.value for name, variable in named_weights(network).items() if variable.trainable}
