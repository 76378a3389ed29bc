"""A classifier of images in a Keras file of the user, checked before it is built."""

import contextlib
import io
import json
import math
import zipfile
from collections.abc import Iterator

import h5py
import keras
import numpy as np
import tensorflow as tf

from stylegan_tf.display import visible
from stylegan_tf.errors import UserError
from stylegan_tf.files import MAX_DIRECTORY_BYTES, directory_bytes, open_regular
from stylegan_tf.ranges import MAX_WIDTH

_MAX_MODEL_BYTES, _MAX_CONFIG_BYTES = 2 << 30, 16 << 20
_WEIGHTS_NAME = "model.weights.h5"
_NOT_SIZES = {"seed", "shared_object_id"}  # integers of a configuration that may be large
_OTHER_BYTES = 16 << 20  # of a file of weights, beside weights and the state of an optimizer (3 times as large)
_MAX_COST = 40_000  # see `_cost`; the largest of keras.applications cost about 20,000
_MAX_ACTIVATIONS = 1 << 28  # numbers of one layer for one image: 64 channels of 2048x2048


def model_logits(model: keras.Model, images: np.ndarray | tf.Tensor, side: int) -> tf.Tensor:
    """Logits of uint8 images, reduced by means of whole blocks of pixels as the smaller levels of a dataset are."""
    images = tf.cast(images, tf.float32) / 127.5 - 1
    factor = images.shape[1] // side
    return model(tf.nn.avg_pool2d(images, factor, factor, "VALID") if factor > 1 else images, training=False)


def users_model(path: str, resolution: int, channels: int) -> tuple[keras.Model, int]:
    """A classifier from a file of the user and the side of the images that it expects, tried on two images.

    Keras and TensorFlow raise exceptions of any kind for a file that is damaged or hostile.

    Raises:
        UserError: not such a model; one line.
    """
    with _refused(path, "cannot be read as a Keras model"):
        _check_archive(path)
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[1] != shape[2] or not all(n is None or isinstance(n, int) for n in shape):
        raise UserError(f"{path} must have one input of square images [N, S, S, C]. Its input: {_one_line(shape)}")
    side = shape[1] or resolution
    if shape[-1] != channels or resolution % side:
        raise UserError(f"{path} expects images {shape[1:]}; the network generates {resolution} x {channels}.")
    with _refused(path, "cannot classify images"):
        _check_activations(model, (side, side, channels))
        outputs = np.asarray(model_logits(model, np.zeros((2, resolution, resolution, channels), np.uint8), side))
    if outputs.ndim != 2 or len(outputs) != 2 or not outputs.shape[1] or outputs.dtype.kind != "f" or not np.isfinite(outputs).all():
        found = f"{outputs.dtype} {list(outputs.shape)}, such as {visible(outputs.flat[0]) if outputs.size else 'none'}"
        raise UserError(f"{path} must give finite float logits [N, attributes]. For two images it gives {found}")
    return model, side


@contextlib.contextmanager
def _refused(path: str, what: str) -> Iterator[None]:
    """Turns every exception into one line, "`path` `what`: reason"."""
    try:
        yield
    except MemoryError as error:
        raise UserError(f"{path} {what}: it needs more memory than there is.") from error
    except Exception as error:
        raise UserError(f"{path} {what}: {_one_line(error)}") from error


def _check_archive(path: str) -> None:
    """Refuses what is not a .keras archive (older formats are read without Keras' safe mode), archives that unfold, and configurations
    of more weights than the archive contains, before any of them takes memory.

    Within a stateless scope, Keras derives the shapes of the weights and does not create them.

    Raises:
        ValueError: says what is wrong.
    """
    with open_regular(path) as file:
        directory = directory_bytes(file) or 0
    if directory > MAX_DIRECTORY_BYTES:
        raise ValueError(f"the directory of the archive has {directory:,} bytes.")
    with zipfile.ZipFile(path) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        if any(name.startswith(("/", "..")) or "/.." in name for name in sizes):
            raise ValueError("it contains paths that leave the archive.")
        if not {"config.json", "metadata.json"} <= sizes.keys() or not str(path).endswith(".keras"):
            raise ValueError("expected an archive of Keras 3, named .keras.")
        if sizes["config.json"] > _MAX_CONFIG_BYTES or sum(sizes.values()) > _MAX_MODEL_BYTES:
            raise ValueError(f"it unfolds to {sum(sizes.values()):,} bytes.")
        config = json.loads(archive.read("config.json"))
        if (largest := _largest_size(config)) > MAX_WIDTH:
            raise ValueError(f"its configuration contains a size of {largest:,}.")
        if _cost(config) > _MAX_COST:
            raise ValueError("its configuration contains too many layers: at most 10,000 objects, and 200 layers in a Sequential model.")
        with keras.StatelessScope(initialize_variables=False):
            model = keras.saving.deserialize_keras_object(config | {"compile_config": None}, safe_mode=True)
        num_bytes = sum(math.prod(weight.shape) * tf.as_dtype(weight.dtype).size for weight in model.variables)
        unfolded, allowed = [sizes.get(_WEIGHTS_NAME, 0)], 4 * num_bytes + _OTHER_BYTES
        if num_bytes and num_bytes <= unfolded[0] <= allowed:
            with h5py.File(io.BytesIO(archive.read(_WEIGHTS_NAME))) as weights:
                weights.visititems(lambda _, item: unfolded.append(item.nbytes) if isinstance(item, h5py.Dataset) else None)
    if not num_bytes <= unfolded[0] <= allowed or sum(unfolded[1:]) > allowed:
        contained = max(unfolded[0], sum(unfolded[1:]))
        raise ValueError(f"its configuration has weights of {num_bytes:,} bytes, {_WEIGHTS_NAME} contains {contained:,}.")


def _largest_size(config: object) -> int:
    """The largest integer of a configuration that may be a size."""
    if isinstance(config, dict):
        return max((_largest_size(value) for name, value in config.items() if name not in _NOT_SIZES), default=0)
    if isinstance(config, list):
        return max(map(_largest_size, config), default=0)
    return config if isinstance(config, int) else 0


def _cost(config: object) -> int:
    """Work for Keras: 4 for each object of a configuration, n^2 for a Sequential model of n layers, which is built anew for each."""
    if isinstance(config, list):
        return sum(map(_cost, config))
    if not isinstance(config, dict):
        return 0
    settings = config.get("config")
    layers = settings.get("layers") if config.get("class_name") == "Sequential" and isinstance(settings, dict) else None
    own = 4 * ("class_name" in config) + (len(layers) ** 2 if isinstance(layers, list) else 0)
    return own + sum(map(_cost, config.values()))


def _check_activations(model: keras.Model, shape: tuple[int, int, int]) -> None:
    """Raises ValueError for a model that would give one image more numbers in a layer than fit in memory; nothing is computed."""
    function = tf.function(lambda images: model(images, training=False), autograph=False)
    graph = function.get_concrete_function(tf.TensorSpec([1, *shape])).graph
    sizes = [tensor.shape.num_elements() or 0 for operation in graph.get_operations() for tensor in operation.outputs]
    if max(sizes) > _MAX_ACTIVATIONS:
        raise ValueError(f"a layer gives {max(sizes):,} numbers for one image of {shape[0]}x{shape[1]}.")


def _one_line(what: object) -> str:
    """Start of a message, on one line."""
    reason = str(what).rpartition("Exception encountered: ")[2]  # behind the configuration, in Keras' messages
    return visible(" ".join(reason.split()) or type(what).__name__, 200)
