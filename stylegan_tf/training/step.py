"""The inner loop of training: iterations of a model's phases, several in one call, on any number of devices."""

import contextlib
import functools
import gc
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import ops

from stylegan_tf import devices
from stylegan_tf.augmentation import in_training
from stylegan_tf.cpu import graph_optimizer
from stylegan_tf.losses import LeCam
from stylegan_tf.models.base import AfterStep, Context, Generator, Model, Network, Phase
from stylegan_tf.models.weights import assign_on_replica, copy_variables, move_averages, named_weights
from stylegan_tf.resolution import Lod, split_lod
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training import optimizers, timing
from stylegan_tf.training.compilation import BackgroundCompiler, compile_inner_functions, with_xla
from stylegan_tf.training.inputs import (
    Inputs,
    RandomInputs,
    Split,
    compute_part,
    part_of_replica,
    process_reals,
    split_minibatch,
    sum_over_parts,
)
from stylegan_tf.training.schedule import Stage, is_generator_due

# Phases of one iteration that are due, each with the names of its lazy penalties that are.
Due = tuple[tuple[str, frozenset[str]], ...]
LECAM = ("lecam_real", "lecam_fake")  # running values: averages of the mean logits
AUGMENTATION = 1_000_000  # from here on, the numbers that the augmentations of the steps are seeded with


class Trainer:
    """Holds the optimizers and the model's running values, and runs iterations.

    Args:
        G, D, G_ema: networks created in the scope of `strategy`.
        strategy: a tf.distribute strategy; None for the current one.
        label_pool: float32 [K, label_size], rows from which G's labels are chosen; None without labels.
        use_loss_scaling: dynamic loss scale, needed in float16 alone.
        inputs: makes the random inputs; None for `RandomInputs`.
        xla: how steps are compiled; None: as `run.xla` says for the visible GPUs.
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
        inputs: RandomInputs | None = None,
        xla: devices.Compilation | None = None,
    ):
        self.model, self.settings = model, settings
        self.strategy = strategy or tf.distribute.get_strategy()
        self.G, self.D, self.G_ema = G, D, G_ema
        self.seed = settings.run.seed
        self.xla = xla or devices.resolve_xla(settings.run, devices.visible_capabilities())
        self.inputs = inputs or RandomInputs(model, settings, z_dim=G.z_dim, label_pool=label_pool)
        self.augmentation = in_training.make(settings)
        # Values that a run may begin or cease to keep where it is resumed.
        self._optional = self.augmentation.running_values if self.augmentation else {}
        if settings.loss.lecam_weight:
            self._optional = {**self._optional, **dict.fromkeys(LECAM, 0.0)}
        first = {**model.running_values(settings), **self._optional}
        with self.strategy.scope():
            self.running = {name: tf.Variable(value, trainable=False) for name, value in first.items()}
            self.phases = model.phases(settings, G, D, self.running)
            frozen = model.frozen(list(named_weights(D)), settings.transfer.frozen_layers)
            self.optimizers = {
                name: optimizers.make(
                    getattr(settings.optimizer, name),
                    {name: variable for name, variable in _trainable(network).items() if name not in (frozen if network is D else ())},
                    correction=optimizers.lazy_correction(self.phases, name),
                    use_loss_scaling=use_loss_scaling,
                )
                for name, network in (("G", G), ("D", D))
            }
        self._steps = _plan(self.phases)
        self.batches_per_iteration = max(phase.times for phase in self.phases if phase.shows_reals)
        self._traced: dict[tuple, Any] = {}
        self._tracing = threading.Lock()
        self.compiler = BackgroundCompiler() if self.xla == "background" else None

    def images_shown(self, minibatch: int, num_iterations: int = 1) -> int:
        """Real images that so many iterations show to D."""
        return minibatch * self.batches_per_iteration * num_iterations

    def run(self, batches: Iterator, stage: Stage, *, nimg: int, num_iterations: int = 1) -> list[dict[str, tf.Tensor]]:
        """Runs iterations in one call of TensorFlow.

        Args:
            batches: iterator of (uint8 [minibatch, R, R, C], float32 [minibatch, label_size]).
            stage: minibatch, level of detail, learning rates and gamma. One trace for each (floor, fading or not, minibatch, phases due).
            nimg: real images shown so far; with the seed, it decides all random inputs.
            num_iterations: all phases once each, or not at all in iterations in which they are not due.

        Returns:
            Statistics of every iteration, float32 scalars by name: means over the minibatch and over the steps of a phase.
        """
        key = self._key(stage, nimg, num_iterations)
        function = self._function(key)
        arguments = self._arguments(batches, stage, nimg, num_iterations)
        # Not while another thread traces: each would remove gradients that the other has registered.
        is_new = not function.experimental_get_tracing_count()
        with graph_optimizer.disabled_on_cpus(), self._tracing if is_new else contextlib.nullcontext():
            if is_new and self.xla == "foreground" and self.strategy.num_replicas_in_sync == 1:
                compile_inner_functions(function.get_concrete_function(*arguments).graph)
            results = function(*arguments)
        self.prepare(batches, stage, nimg=nimg, num_iterations=num_iterations)
        return results

    def prepare(self, batches: Iterator, stage: Stage, *, nimg: int, num_iterations: int = 1) -> None:
        """Compiles the function of `run` in the background, if steps are compiled there and nothing else is. Takes the same arguments."""
        key = self._key(stage, nimg, num_iterations)
        if self.compiler is None or not self.compiler.can_request(key):
            return
        arguments = self._arguments(batches, stage, nimg, num_iterations)

        def trace():
            function = self._make_function(*key, is_compiled=True)
            with self._tracing, graph_optimizer.disabled_on_cpus():
                return function, function.get_concrete_function(*arguments).graph

        side, fading = self.G.resolution >> key[0], ", fading in" if key[1] else ""
        self.compiler.request(key, f"A step at {side}x{side}{fading}", trace)

    def trace(self, batches: Iterator, stage: Stage, *, nimg: int, num_iterations: int = 1):
        """The traced function of `run`, for its graph. Takes the same arguments; no iteration is run."""
        function = self._function(self._key(stage, nimg, num_iterations))
        with graph_optimizer.disabled_on_cpus():
            return function.get_concrete_function(*self._arguments(batches, stage, nimg, num_iterations))

    def has_traced(self, stage: Stage, *, nimg: int, num_iterations: int = 1) -> bool:
        """False if `run` would have to trace first."""
        return self._key(stage, nimg, num_iterations) in self._traced

    def forget_traces(self, stage: Stage | None = None) -> None:
        """Frees all traced functions, except those that were prepared for `stage`.

        Those of an earlier stage of growth would occupy memory for the rest of the run.
        """
        self._traced.clear()
        if self.compiler is not None:
            kept = None if stage is None else self._key(stage, 0, 1)[:-1]
            self.compiler.forget(lambda key: key[:-1] == kept)
        gc.collect()  # graphs hold reference cycles, which Python would collect minutes later

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
        if not isinstance(running, dict):
            raise ValueError(f"The saved running values must be a dictionary. Received: {type(running).__name__}")
        gone = {name for name in running if str(name).startswith(in_training.PREFIX) or name in LECAM} - self._optional.keys()
        running = self._optional | {name: value for name, value in running.items() if name not in gone}
        if running.keys() != self.running.keys():
            raise ValueError(f"The saved running values are {str(list(running))[:200]}; the model has {list(self.running)}.")
        for name, value in running.items():
            if not isinstance(value, float) or not abs(value) <= np.finfo(np.float32).max:
                raise ValueError(f"The saved running value {name} must be a finite number. Received: {str(value)[:40]}")
        for name, optimizer in self.optimizers.items():
            saved = state.get(f"{name}_optimizer")
            if not isinstance(saved, dict):
                raise ValueError(f"The saved optimizer of {name} must be a dictionary. Received: {type(saved).__name__}")
            optimizer.load_state(saved)
        for name, variable in self.running.items():
            variable.assign(running[name])

    def _function(self, key):
        compiled = self.compiler.ready(key) if self.compiler is not None else None
        if compiled is not None:
            self._traced[key] = compiled
        elif key not in self._traced:
            self._traced[key] = self._make_function(*key, is_compiled=self.xla == "foreground")
        return self._traced[key]

    def _arguments(self, batches, stage, nimg, num_iterations):
        images, average = self.images_shown(stage.minibatch), self.settings.optimizer
        betas = [ema_beta(images, average.ema_kimg, nimg + images * i, average.ema_rampup) for i in range(num_iterations)]
        betas = betas if average.ema_decay is None else [average.ema_decay] * num_iterations
        fade = split_lod(stage.lod).fade
        # As tensors: every new Python number would cause a new trace.
        numbers = [tf.constant(value, tf.float32) for value in (fade or 0.0, stage.G_lrate, stage.D_lrate, betas, stage.gamma)]
        return (batches, *numbers, tf.constant([self.seed, nimg], tf.int32))

    def _key(self, stage, nimg, num_iterations):
        """Everything that a trace depends on: floor, fading or not, minibatch, its largest part, and what is due."""
        floor, fade = split_lod(stage.lod)
        first = nimg // self.images_shown(stage.minibatch)
        due = tuple(self._due(first + index) for index in range(num_iterations))
        return floor, fade is not None, stage.minibatch, stage.max_minibatch_per_device, due

    def _due(self, iteration: int) -> Due:
        networks = ("D",) if self.settings.loss.D_trains_ahead and not is_generator_due(iteration) else ("G", "D")
        phases = [phase for phase in self.phases if iteration % phase.every == 0 and phase.network in networks]
        return tuple((phase.name, frozenset(name for name, n in (phase.lazy or {}).items() if iteration % n == 0)) for phase in phases)

    def _make_function(self, floor, is_fading, minibatch, max_part, due: tuple[Due, ...], *, is_compiled: bool):
        num_devices = self.strategy.num_replicas_in_sync
        options = {"num_devices": num_devices, "max_part": max_part}
        splits = {
            shrink: split_minibatch(max(minibatch // shrink, 1), group_size=1 if shrink > 1 else self.settings.group_size, **options)
            for shrink in {phase.shrink for phase in self.phases}
        }

        # Nothing here needs autograph: its rewriting took a third of the time of a trace, and 5 s at the first one.
        @tf.function(autograph=False)
        @_gradients_unregistered_afterwards()
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
                iteration = functools.partial(self._run_iteration, splits, due_now, lod, is_compiled)
                found = self.strategy.run(iteration, (fetched, numbers, iteration_seed))
                # Every replica holds the same sums: the first one's are returned.
                statistics, times = tf.nest.map_structure(lambda value: self.strategy.experimental_local_results(value)[0], found)
                networks = [phase.network for phase, _, _ in self._steps if phase.name in dict(due_now)]
                results.append({**statistics, **timing.durations(done, is_fetched, list(zip(networks, times, strict=True)))})
                done = times[-1]
            return results

        return run_iterations

    def _run_iteration(self, splits: dict[int, Split], due: Due, lod: Lod, is_compiled: bool, batches, numbers, seed):
        """Runs all phases that are due, on one replica. Returns statistics by name, and the time at which each step was done."""
        reals = [(process_reals(images, lod.fade), labels) for images, labels in batches]
        context = Context(self._critic(lod), lod, numbers["gamma"], 1.0, lecam=self._lecam())
        statistics: dict[str, list] = {}
        times, ready = [], []
        strength = self.augmentation.strength(self.running) if self.augmentation else None
        for number, (phase, repetition, seed_number) in enumerate(self._steps):
            if phase.name not in dict(due):
                continue
            minibatch = reals[0][0].shape[0]
            count = max(minibatch // phase.shrink, 1)
            with tf.control_dependencies(ready):  # else its inputs would be computed during the previous step and occupy memory
                step_seed = tf.random.experimental.stateless_fold_in(seed, seed_number)
                inputs = self.inputs.make(step_seed, count, lod)
                if phase.own_inputs is not None:
                    inputs = inputs._replace(own={**inputs.own, **phase.own_inputs(step_seed, count)})
            context = context._replace(due=dict(due)[phase.name], loss_scale=self.optimizers[phase.network].loss_scale)
            if self.augmentation:
                augment_seed = tf.random.experimental.stateless_fold_in(seed, AUGMENTATION + number)
                options = {"seed": augment_seed, "minibatch": minibatch, "strength": strength}
                context = context._replace(augment=functools.partial(self.augmentation.applied_before, **options))
            reals_of_step = reals[repetition if phase.shows_reals else 0]
            values, done, norm = self._step(phase, context, splits[phase.shrink], inputs, reals_of_step, numbers, is_compiled=is_compiled)
            times.append(done)
            ready = [norm]
            for name, value in values.items():
                statistics.setdefault(name, []).append(value)
        means = {name: values[0] if len(values) == 1 else tf.add_n(values) / len(values) for name, values in statistics.items()}
        self._move_running_values(means, self.images_shown(reals[0][0].shape[0]))
        return {**means, **{f"Running/{name}": tf.identity(value) for name, value in self.running.items()}}, times

    def _lecam(self) -> LeCam | None:
        """The penalty with the averages as they are before the iteration."""
        if not self.settings.loss.lecam_weight:
            return None
        return LeCam(self.settings.loss.lecam_weight, *(tf.convert_to_tensor(self.running[name]) for name in LECAM))

    def _move_running_values(self, means, images: int) -> None:
        """Those of augmentation and LeCam, after an iteration that shows so many real images."""
        after = self.augmentation.after_iteration(self.running, means, images) if self.augmentation else {}
        if self.settings.loss.lecam_weight:
            for name, kind in zip(LECAM, ("real", "fake"), strict=True):
                after[name] = LeCam.keep * tf.convert_to_tensor(self.running[name]) + (1.0 - LeCam.keep) * means[f"Loss/scores/{kind}"]
        for name, value in after.items():
            assign_on_replica(self.running[name], value)

    def _critic(self, lod: Lod):
        """D in training, for all phases of an iteration; `Context.augment` puts it behind what is applied to images before D sees them."""

        def critic(images, labels):
            return self.D(images, labels, lod=lod, training=True)

        return critic

    def _step(self, phase: Phase, context: Context, split: Split, inputs: Inputs, reals, numbers, *, is_compiled: bool):
        """One optimizer step: gradients are computed for every part, summed over parts and replicas, and applied.

        Returns:
            Statistics by name, on the host; the time at which the gradients were ready; their norm, on the device.
        """
        optimizer, options = self.optimizers[phase.network], self.settings.loss
        is_critic, takes_step = phase.network == "D" and phase.every == 1, None  # not a step of a regulariser
        if is_critic and options.clip is not None and options.clip_when == "before":
            self._clip_critic()
        replica_context = tf.distribute.get_replica_context()
        replica = tf.convert_to_tensor(replica_context.replica_id_in_sync_group)
        parts = [part_of_replica(split, inputs, reals, replica, index) for index in range(split.indices.shape[1])]
        if context.augment is not None:
            parts = [part._replace(numbers=tf.constant(split.indices)[replica, index]) for index, part in enumerate(parts)]
        if phase.prepare is not None and not split.is_whole:
            prepared = sum_over_parts(with_xla(functools.partial(phase.prepare, context=context), is_compiled), parts)
            context = context._replace(prepared=replica_context.all_reduce(tf.distribute.ReduceOp.SUM, prepared))
        compute = with_xla(functools.partial(compute_part, phase, context, optimizer.variables), is_compiled)
        gradients, statistics, sums = sum_over_parts(compute, parts)
        names = [name for name, gradient in gradients.items() if gradient is not None]
        summed = replica_context.all_reduce(tf.distribute.ReduceOp.SUM, [[gradients[name] for name in names], statistics, sums])
        if is_critic and options.D_min_loss is not None:
            takes_step = summed[1][f"Loss/{phase.name}"] > options.D_min_loss
        norm = optimizer.apply(dict(zip(names, summed[0], strict=True)), numbers[phase.network], takes_step=takes_step)
        if is_critic and options.clip is not None and options.clip_when == "after":
            with tf.control_dependencies([norm]):
                self._clip_critic()
        if phase.after is not None:
            with tf.control_dependencies([norm]):
                phase.after(AfterStep(summed[2], functools.partial(self._average_generator, numbers["beta"])))
        on_host = timing.on_host(norm)
        statistics = {**summed[1], f"Gradients/{phase.name}_norm": on_host}
        if takes_step is not None:
            statistics["TrainD/steps_taken"] = tf.cast(takes_step, tf.float32)
        if optimizer.use_loss_scaling:
            statistics[f"Train{phase.network}/log2_loss_scale"] = tf.identity(optimizer.log2_scale)
        return statistics, timing.now_after(on_host), norm

    def _clip_critic(self) -> None:
        """Clips the weights of D that are trained, gains and offsets of normalisations included (Arjovsky et al. 2017, algorithm 1)."""
        limit = self.settings.loss.clip
        for variable in self.optimizers["D"].variables.values():
            assign_on_replica(variable, tf.clip_by_value(tf.convert_to_tensor(variable), -limit, limit))

    def _average_generator(self, beta):
        """Updates G_ema: trained weights are averaged with decay `beta`, the others (w_avg, noise maps, batch statistics) are copied."""
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
    """All steps of an iteration, due or not: phase, repetition, and the number that seeds its random inputs."""
    plan, first, number = [], {}, 0
    for phase in phases:
        first[phase.name] = first[phase.inputs_of] if phase.inputs_of else number
        plan += [(phase, repetition, first[phase.name] + repetition) for repetition in range(phase.times)]
        number += 0 if phase.inputs_of else phase.times
    return plan


def _variables(keras_variables):
    """The tf.Variables inside Keras's."""
    return [variable.value for variable in keras_variables]


def _trainable(network):
    return {name: variable.value for name, variable in named_weights(network).items() if variable.trainable}


@contextlib.contextmanager
def _gradients_unregistered_afterwards() -> Iterator[None]:
    """Removes the gradients that `tf.custom_gradient` registers while the enclosed code is traced; all derivatives must be taken inside.

    `tf.distribute` registers one for each sum over replicas, permanently and with its graph, and TensorFlow has no public way to
    remove it. A run would grow by a graph of thousands of nodes, about 30 MB, at each stage of growth.
    """
    registry = getattr(ops.gradient_registry, "_registry", {})
    before = set(registry)
    try:
        yield
    finally:
        for name in set(registry) - before:
            if name.startswith("CustomGradient-"):
                del registry[name]
