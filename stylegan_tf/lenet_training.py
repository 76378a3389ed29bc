"""Training of LeNets on a dataset of digits: python -m stylegan_tf.lenet_training --data DIR --test DIR --out FILE.npz"""

if __name__ == "__main__":  # before the imports that take time
    from stylegan_tf import program_start

    program_start.begin()

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf import command_line, data, lenet_file
from stylegan_tf.argument_parser import Parser
from stylegan_tf.data import Dataset
from stylegan_tf.data.records.manifest import are_classes
from stylegan_tf.display import say
from stylegan_tf.errors import UserError
from stylegan_tf.progress_bar import track
from stylegan_tf.seeds import check_random_seed

if TYPE_CHECKING:
    from keras.optimizers.schedules import LearningRateSchedule

    from stylegan_tf.lenet import LeNet

EXAMPLES = """examples:
  python -m stylegan_tf.lenet_training --data datasets/mnist --test datasets/mnist-test --stop-at 0.947 --out classifiers/document.npz
  python -m stylegan_tf.lenet_training --data datasets/mnist --test datasets/mnist-test --out classifiers/converged.npz
"""
DOCUMENT_ACCURACY = 0.947  # of the classifier in the study of digits
BATCH = 100
EPOCHS = 10  # MNIST: 99 % of the test images after 8
LEARNING_RATE = 1e-3
_STEPS_PER_CHECK = 10  # steps between two checks of the accuracy, if training stops at an accuracy


def train(
    images: np.ndarray, labels: np.ndarray, test_images: np.ndarray, test_labels: np.ndarray, *, stop_at: float | None = None,
    epochs: int = EPOCHS, seed: int = 0,
) -> lenet_file.LeNetFile:  # fmt: skip
    """Trains a LeNet: Adam with a rate of 0.001 that falls to 0 along a cosine, or is constant if training stops early.

    Args:
        images, test_images: uint8 [N, 32, 32, 1].
        labels, test_labels: int [N], 0 to 9.
        stop_at: accuracy on the test images at which training stops; None: after all epochs.
        epochs: passes over the images.
        seed: of the fresh weights and the order of the images.

    Raises:
        UserError: `stop_at` is not reached.
    """
    import keras

    from stylegan_tf import lenet

    network = lenet.fresh(seed=seed)
    num_steps = epochs * (len(images) // min(BATCH, len(images)))
    rate = LEARNING_RATE if stop_at is not None else keras.optimizers.schedules.CosineDecay(LEARNING_RATE, num_steps)
    step = step_of(network, rate)
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(len(images))[: num_steps // epochs * BATCH] for _ in range(epochs)])
    batches = np.array_split(order, num_steps)
    for index, rows in enumerate(track(batches, num_steps, "LeNet: steps", unit="steps"), start=1):
        step(images[rows], labels[rows])
        if stop_at is not None and index % _STEPS_PER_CHECK == 0 and accuracy(network, test_images, test_labels) >= stop_at:
            break
    found = accuracy(network, test_images, test_labels)
    if stop_at is not None and found < stop_at:
        raise UserError(f"The accuracy after {num_steps} steps is {found:.4f}, below {stop_at}. Try more epochs or a lower --stop-at.")
    weights = {name: variable.numpy() for name, variable in network.weights.items()}
    return lenet_file.LeNetFile(weights, stop_at is None, found)


def step_of(network: "LeNet", rate: "float | LearningRateSchedule") -> Callable[[np.ndarray, np.ndarray], None]:
    """A step of Adam on uint8 images [N, 32, 32, channels] and their classes [N], compiled."""
    import keras
    import tensorflow as tf

    variables = list(network.weights.values())
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(variables)

    @tf.function(reduce_retracing=True)
    def step(batch, classes):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(classes, network(to_floats(batch))))
        optimizer.apply(tape.gradient(loss, variables), variables)

    return step


def to_floats(images):
    """uint8 images to the range of the networks, [-1, 1]."""
    import tensorflow as tf

    return tf.cast(images, tf.float32) * (2.0 / 255.0) - 1.0


def accuracy(network, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of the uint8 images [N, 32, 32, 1] that a LeNet recognises."""
    parts = np.array_split(np.arange(len(images)), -(-len(images) // 1000))
    return sum(int(np.sum(np.argmax(network(to_floats(images[rows])), axis=1) == labels[rows])) for rows in parts) / len(images)


def digits(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """All images, uint8 [N, 32, 32, 1], and their classes, int [N].

    Raises:
        UserError: not grey 32x32 images of ten classes.
    """
    side, num_classes = lenet_file.SIDE, lenet_file.NUM_CLASSES
    if (dataset.resolution, dataset.channels) != (side, 1) or dataset.label_size != num_classes or not are_classes(dataset.labels):
        raise UserError(
            f"{dataset.name} has images {dataset.resolution}x{dataset.resolution}x{dataset.channels} and labels of size "
            f"{dataset.label_size}. LeNet needs {side}x{side}x1 and ten classes, as create_mnist makes them."
        )
    parts = np.array_split(np.arange(dataset.num_images), -(-dataset.num_images // 1000))
    return np.concatenate([data.read_images(dataset, rows) for rows in parts]), np.argmax(dataset.labels, axis=1)


def main(argv: Sequence[str]) -> int:
    """The command."""
    description = "Trains a LeNet to recognise digits and saves its weights."
    parser = Parser(prog="python -m stylegan_tf.lenet_training", description=description, epilog=EXAMPLES)
    add = parser.add_argument
    add("--data", required=True, metavar="DIR", help="dataset of digits, 32x32 (dataset_tool.py create_mnist)")
    add("--test", required=True, metavar="DIR", help="dataset of test digits (create_mnist --split test)")
    add("--out", required=True, metavar="FILE", help="file of the weights, .npz")
    add("--stop-at", type=float, metavar="SHARE", help=f"stop at this accuracy on the test digits; the study's is {DOCUMENT_ACCURACY}")
    add("--epochs", type=int, default=EPOCHS, metavar="N", help="passes over the digits (default: %(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="seed of the first weights and of the order of the digits (default: %(default)s)")
    options = parser.parse_args(argv)
    out = Path(options.out)
    if out.suffix != ".npz":
        raise UserError(f"--out must end in .npz. Received: {out}")
    check_random_seed(options.seed)
    if options.epochs < 1 or not (options.stop_at is None or 0 < options.stop_at < 1):
        raise UserError("--epochs must be at least 1, and --stop-at a share between 0 and 1.")
    out.parent.mkdir(parents=True, exist_ok=True)
    command_line.check_output(out)
    images, labels = digits(data.open_dataset(options.data))
    test_images, test_labels = digits(data.open_dataset(options.test))
    command_line.import_tensorflow()
    trained = train(images, labels, test_images, test_labels, stop_at=options.stop_at, epochs=options.epochs, seed=options.seed)
    lenet_file.write(out, trained)
    say(f"{out}: {100 * trained.accuracy:.2f} % of {len(test_labels)} test digits recognised.")
    return 0


if __name__ == "__main__":
    sys.exit(command_line.run(main))
