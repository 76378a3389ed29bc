"""The order of training: every image once an epoch, a function of seed and position, classes in their shares."""

import hashlib

import numpy as np
import pytest

from stylegan_tf.data.feed.order import Order, permutation
from stylegan_tf.errors import UserError


@pytest.mark.parametrize("num_images", [1, 2, 5, 64, 1000])
def test_every_epoch_shows_every_image_once(num_images):
    order = Order(num_images, seed=3)
    for epoch in (0, 1, 7):
        images = order.images_at(np.arange(num_images) + epoch * num_images)
        np.testing.assert_array_equal(np.sort(images), np.arange(num_images))


def test_recorded_order_never_changes():  # recorded on NumPy 2.4; a run must go on in the same order with any other
    assert permutation(10, 0, "epoch", 0).tolist() == [7, 0, 8, 3, 9, 1, 6, 4, 5, 2]
    assert Order(1000, seed=7).images_at([0, 999, 1000, 123_456_789]).tolist() == [114, 442, 836, 199]


def test_permutation_sorts_splitmix64_keys():
    def splitmix64(state):
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
        return state ^ state >> 31

    key = int.from_bytes(hashlib.blake2b(b"5:epoch:2", digest_size=8).digest(), "little")
    hashes = [splitmix64((key + (number + 1) * 0x9E3779B97F4A7C15) % 2**64) for number in range(50)]
    assert permutation(50, 5, "epoch", 2).tolist() == sorted(range(50), key=hashes.__getitem__)


def test_order_depends_on_position_alone():
    positions = np.arange(5000)
    whole = Order(997, seed=1).images_at(positions)
    for size in (1, 7, 64, 997):
        order = Order(997, seed=1)
        parts = [order.images_at(part) for part in np.array_split(positions, -(-len(positions) // size))]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    backwards = Order(997, seed=1)
    np.testing.assert_array_equal([backwards.images_at([position])[0] for position in positions[::-211]], whole[::-211])


def test_seeds_and_epochs_differ():
    first = Order(1000, seed=1).images_at(np.arange(2000))
    assert (first[:1000] != first[1000:]).mean() > 0.99
    assert (Order(1000, seed=2).images_at(np.arange(1000)) != first[:1000]).mean() > 0.99


def test_every_permutation_of_few_images_is_equally_likely():  # chi-square with 5 degrees of freedom: 20.5 is p = 0.001
    order = Order(3, seed=0)
    epochs = order.images_at(np.arange(3 * 3000)).reshape(-1, 3)
    counts = np.unique(epochs, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert ((counts - 500) ** 2 / 500).sum() < 20.5


def test_more_than_2_to_the_20_images_are_all_seen():  # the original never shows those after the first 1,048,576
    num_images = (1 << 20) + 5
    images = Order(num_images, seed=0).images_at(np.arange(num_images))
    assert len(np.unique(images)) == num_images


def test_without_shuffling_records_come_in_order():
    np.testing.assert_array_equal(Order(3, seed=0, shuffle=False).images_at([0, 1, 2, 3, 7]), [0, 1, 2, 0, 1])


def test_mirroring_is_a_fair_coin_of_seed_and_position():
    order = Order(10, seed=5)
    flipped = order.mirrored_at(np.arange(20_000))
    assert abs(flipped.mean() - 0.5) < 0.011  # three standard deviations
    np.testing.assert_array_equal(order.mirrored_at(np.arange(100, 200)), flipped[100:200])
    assert (Order(10, seed=6).mirrored_at(np.arange(1000)) != flipped[:1000]).mean() > 0.4
    assert abs(np.corrcoef(flipped[:-1], flipped[1:])[0, 1]) < 0.03


CLASSES = np.repeat([0, 1, 3], [800, 150, 50])  # class 2 has no images


@pytest.mark.parametrize(
    ("balance", "shares"), [("uniform", [334, 333, 333]), ("sqrt", np.sqrt([800, 150, 50]) / np.sqrt([800, 150, 50]).sum() * 1000)]
)
def test_balanced_epochs_give_every_class_its_share(balance, shares):
    order = Order(1000, seed=0, balance=balance, classes=CLASSES)
    for epoch in range(3):
        images = order.images_at(np.arange(1000) + 1000 * epoch)
        np.testing.assert_allclose(np.bincount(CLASSES[images], minlength=4)[[0, 1, 3]], shares, atol=1)


def test_balanced_classes_use_each_image_equally_often():
    order = Order(1000, seed=0, balance="uniform", classes=CLASSES)
    counts = np.bincount(order.images_at(np.arange(7000)), minlength=1000)
    for label in (0, 1, 3):
        of_class = counts[label == CLASSES]
        assert of_class.max() - of_class.min() <= 1


def test_balanced_order_depends_on_position_alone_and_mixes_classes():
    order = Order(1000, seed=0, balance="sqrt", classes=CLASSES)
    whole = order.images_at(np.arange(3000))
    np.testing.assert_array_equal(Order(1000, seed=0, balance="sqrt", classes=CLASSES).images_at(np.arange(1234, 3000)), whole[1234:])
    assert len(np.unique(CLASSES[whole[:50]])) == 3


@pytest.mark.parametrize("arguments", [{"balance": "all"}, {"balance": "sqrt"}, {"balance": "sqrt", "classes": CLASSES, "shuffle": False}])
def test_invalid_balances_are_refused(arguments):
    with pytest.raises(UserError, match=r"[Bb]alance"):
        Order(1000, seed=0, **arguments)
