"""A classifier of images in a Keras file of the user, checked before it is built."""

import json
import math
import zipfile

import keras
import numpy as np
import tensorflow as tf

from stylegan_tf.errors import UserError
from stylegan_tf.ranges import MAX_WIDTH

_MAX_MODEL_BYTES, _MAX_CONFIG_BYTES = 2 << 30, 16 << 20
_WEIGHTS_NAME = "model.weights.h5"
_NOT_SIZES = {"seed", "shared_object_id"}  # integers of a configuration that may be large
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
    _check_archive(path)
    _check_weights(path)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except MemoryError as error:
        raise UserError(f"{path} cannot be read as a Keras model: it needs more memory than there is.") from error
    except Exception as error:
        raise UserError(f"{path} cannot be read as a Keras model: {_one_line(error)}") from error
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[1] != shape[2] or not all(n is None or isinstance(n, int) for n in shape):
        raise UserError(f"{path} must have one input of square images [N, S, S, C]. Its input: {_one_line(shape)}")
    side = shape[1] or resolution
    if shape[-1] != channels or resolution % side:
        raise UserError(f"{path} expects images {shape[1:]}; the network generates {resolution} x {channels}.")
    try:
        _check_activations(path, model, (side, side, channels))
        outputs = np.asarray(model_logits(model, np.zeros((2, resolution, resolution, channels), np.uint8), side))
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} cannot classify images: {_one_line(error)}") from error
    if outputs.ndim != 2 or len(outputs) != 2 or not outputs.shape[1] or outputs.dtype.kind != "f":
        raise UserError(f"{path} must give float logits [N, attributes]. For two images it gives {outputs.dtype} {list(outputs.shape)}")
    return model, side


def _check_archive(path: str) -> None:
    """Refuses what is not a .keras archive (older formats are read without Keras' safe mode), and archives that unfold."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry.file_size for entry in archive.infolist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError(f"{path} cannot be read as a Keras model (.keras): {_one_line(error)}") from error
    if not {"config.json", "metadata.json"} <= entries.keys() or not str(path).endswith(".keras"):
        raise UserError(f"{path} cannot be read as a Keras model: expected an archive of Keras 3, named .keras.")
    if entries["config.json"] > _MAX_CONFIG_BYTES or sum(entries.values()) > _MAX_MODEL_BYTES:
        raise UserError(f"{path} cannot be read as a Keras model: it unfolds to {sum(entries.values()):,} bytes.")


def _check_weights(path: str) -> None:
    """Refuses a configuration of more weights than the archive contains, before any of them takes memory.

    Within a stateless scope, Keras derives the shapes of the weights and does not create them.
    """
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: entry.file_size for entry in archive.infolist()}
        try:
            config = json.loads(archive.read("config.json"))
            largest = _largest_size(config)
            if largest > MAX_WIDTH:
                raise UserError(f"{path} cannot be read as a Keras model: its configuration contains a size of {largest:,}.")
            with keras.StatelessScope(initialize_variables=False):
                model = keras.saving.deserialize_keras_object(config | {"compile_config": None}, safe_mode=True)
            num_bytes = sum(math.prod(weight.shape) * tf.as_dtype(weight.dtype).size for weight in model.variables)
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"{path} cannot be read as a Keras model: {_one_line(error)}") from error
    if num_bytes > entries.get(_WEIGHTS_NAME, 0):
        raise UserError(
            f"{path} cannot be read as a Keras model: its configuration has weights of {num_bytes:,} bytes, "
            f"{_WEIGHTS_NAME} contains {entries.get(_WEIGHTS_NAME, 0):,}."
        )


def _largest_size(config: object) -> int:
    """The largest integer of a configuration that may be a size."""
    if isinstance(config, dict):
        return max((_largest_size(value) for name, value in config.items() if name not in _NOT_SIZES), default=0)
    if isinstance(config, list):
        return max(map(_largest_size, config), default=0)
    return config if isinstance(config, int) else 0


def _check_activations(path: str, model: keras.Model, shape: tuple[int, int, int]) -> None:
    """Refuses a model that would give one image more numbers in a layer than fit in memory; nothing is computed."""
    graph = tf.function(lambda images: model(images, training=False)).get_concrete_function(tf.TensorSpec([1, *shape])).graph
    sizes = [tensor.shape.num_elements() or 0 for operation in graph.get_operations() for tensor in operation.outputs]
    if max(sizes) > _MAX_ACTIVATIONS:
        raise UserError(f"{path} cannot classify images: a layer gives {max(sizes):,} numbers for one image of {shape[0]}x{shape[1]}.")


def _one_line(what: object) -> str:
    """Start of a message without line breaks and control characters."""
    text = " ".join(str(what).split()) or type(what).__name__
    return "".join(character if character.isprintable() else "?" for character in text)[:200]
