"""Tests of the readers of well-known sets, on tiny files in their real formats."""

import gzip
import pickle
import struct

import numpy as np
import pytest
import scipy.io

import dataset_tool
from stylegan_tf import command_line
from stylegan_tf.data import open_dataset, read_images
from stylegan_tf.errors import UserError
from tests.data.broken_files import encoded, leaf

RANDOM = np.random.RandomState(1)


def run(*arguments):
    return command_line.run(dataset_tool.main, [str(argument) for argument in arguments])


def shuffled(count):
    order = np.arange(count)
    np.random.RandomState(123).shuffle(order)
    return order


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    content = header + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def mnist(tmp_path):
    folder = tmp_path / "mnist"
    folder.mkdir()
    images, labels = RANDOM.randint(256, size=(20, 28, 28)).astype(np.uint8), np.arange(20, dtype=np.uint8) % 10
    write_idx(folder / "train-images-idx3-ubyte.gz", images)
    write_idx(folder / "train-labels-idx1-ubyte.gz", labels)
    return folder, images, labels


def test_mnist_is_padded_labelled_and_in_the_originals_order(mnist, tmp_path):
    folder, images, labels = mnist
    assert run("create_mnist", tmp_path / "set", folder) == 0
    dataset = open_dataset(tmp_path / "set")
    expected = np.pad(images, [(0, 0), (2, 2), (2, 2)])[shuffled(20)]
    assert (read_images(dataset, range(20))[..., 0] == expected).all()
    assert (dataset.labels.argmax(axis=1) == labels[shuffled(20)]).all()
    assert dataset.class_names == tuple("0123456789")


def test_stacked_mnist_has_the_digits_of_the_original(mnist, tmp_path):
    folder, images, _ = mnist
    assert run("create_mnistrgb", tmp_path / "set", folder, "--num_images", 7, "--random_seed", 5) == 0
    random = np.random.RandomState(5)
    padded = np.pad(images, [(0, 0), (2, 2), (2, 2)])
    expected = np.stack([padded[random.randint(len(images), size=3)] for _ in range(7)])  # [7, 3, 32, 32], one draw an image
    dataset = open_dataset(tmp_path / "set")
    assert (read_images(dataset, range(7)).transpose(0, 3, 1, 2) == expected).all()
    assert dataset.label_size == 0


def test_class_names_can_be_given(mnist, tmp_path, capsys):
    names = "T-shirt,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"
    assert run("create_mnist", tmp_path / "set", mnist[0], "--class-names", names) == 0
    assert open_dataset(tmp_path / "set").class_names[9] == "Ankle boot"
    assert run("create_mnist", tmp_path / "other", mnist[0], "--class-names", "one,two") == 2
    assert "2 class names were given for 10" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["cut", "longer", "missing", "other kind", "bomb"])
def test_damaged_idx_files_are_refused(mnist, tmp_path, damage, capsys):
    path = mnist[0] / "train-images-idx3-ubyte.gz"
    content = gzip.decompress(path.read_bytes())
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:2000])
    elif damage == "longer":
        path.write_bytes(gzip.compress(content + b"x"))
    elif damage == "missing":
        path.unlink()
    elif damage == "other kind":
        path.write_bytes(gzip.compress(b"\0\0\x0d\3" + content[4:]))
    else:
        path.write_bytes(gzip.compress(struct.pack(">HBBIII", 0, 8, 3, 2**31, 28, 28)))
    assert run("create_mnist", tmp_path / "set", mnist[0]) == 2
    assert "train-images-idx3-ubyte" in capsys.readouterr().err


def python2_pickle(batch):
    """The bytes that Python 2 wrote: str keys and values as STRING opcodes, protocol 2."""

    def item(value):
        if isinstance(value, bytes):
            return b"T" + struct.pack("<I", len(value)) + value
        if isinstance(value, int):
            return b"K" + bytes([value])
        if isinstance(value, list):
            return b"](" + b"".join(map(item, value)) + b"e"
        # numpy.core.multiarray._reconstruct(numpy.ndarray, (0,), 'b'), then the state (1, shape, dtype('u1'), False, bytes)
        shape = b"".join(b"M" + struct.pack("<H", side) for side in value.shape)
        dtype = b"cnumpy\ndtype\n" + item(b"u1") + b"K\0K\1\x87R(K\3" + item(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
        start = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85" + item(b"b") + b"\x87R"
        return start + b"(K\1(" + shape + b"t" + dtype + b"\x89" + item(value.tobytes()) + b"tb"

    content = b"".join(item(key) + item(value) for key, value in batch.items())
    return b"\x80\x02}(" + content + b"u."


def test_python2_pickle_of_this_test_is_what_numpy_reads():
    value = np.arange(12, dtype=np.uint8).reshape(3, 4)
    read = pickle.loads(python2_pickle({b"data": value, b"labels": [1, 2]}), encoding="latin1")
    assert (read["data"] == value).all()
    assert read["labels"] == [1, 2]


def test_cifar10(tmp_path):
    folder = tmp_path / "cifar"
    folder.mkdir()
    data, labels = RANDOM.randint(256, size=(10, 3072)).astype(np.uint8), list(range(10))
    for number in range(5):
        part = slice(2 * number, 2 * number + 2)
        (folder / f"data_batch_{number + 1}").write_bytes(python2_pickle({b"data": data[part], b"labels": labels[part]}))
    names = [b"airplane", b"automobile", b"bird", b"cat", b"deer", b"dog", b"frog", b"horse", b"ship", b"truck"]
    (folder / "batches.meta").write_bytes(python2_pickle({b"label_names": names}))
    assert run("create_cifar10", tmp_path / "set", folder) == 0
    dataset = open_dataset(tmp_path / "set")
    expected = data.reshape(-1, 3, 32, 32)[shuffled(10)]
    assert (read_images(dataset, range(10)).transpose(0, 3, 1, 2) == expected).all()
    assert (dataset.labels.argmax(axis=1) == shuffled(10)).all()
    assert dataset.class_names[9] == "truck"


def test_cifar100(tmp_path):
    data = RANDOM.randint(256, size=(6, 3072)).astype(np.uint8)
    batch = {b"data": data, b"fine_labels": [0, 99, 5, 10, 3, 4], b"coarse_labels": [0, 1, 2, 3, 4, 5]}
    (tmp_path / "train").write_bytes(python2_pickle(batch))
    assert run("create_cifar100", tmp_path / "set", tmp_path, "--shuffle", 0) == 0
    dataset = open_dataset(tmp_path / "set")
    assert dataset.labels.shape == (6, 100)
    assert dataset.labels.argmax(axis=1).tolist() == [0, 99, 5, 10, 3, 4]


def test_a_pickle_that_would_run_code_is_refused(tmp_path, capsys):
    (tmp_path / "train").write_bytes(b"\x80\x02cos\nsystem\n" + b"U\x0etouch " + bytes(8) + b"\x85R.")
    assert run("create_cifar100", tmp_path / "set", tmp_path) == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("form", ["mat", "mat in folder", "pickles"])
def test_svhn(tmp_path, form):
    images = RANDOM.randint(256, size=(9, 32, 32, 3)).astype(np.uint8)
    labels = np.array([10, 1, 2, 3, 4, 5, 6, 7, 8], np.uint8)  # 10 stands for the digit 0
    if form == "pickles":
        for number in range(3):
            part = slice(3 * number, 3 * number + 3)
            content = [images[part].transpose(0, 3, 1, 2).copy(), labels[part].copy()]
            (tmp_path / f"train_{number + 1}.pkl").write_bytes(pickle.dumps(content, 2))
    else:
        scipy.io.savemat(tmp_path / "train_32x32.mat", {"X": images.transpose(1, 2, 3, 0), "y": labels[:, None]})
    assert run("create_svhn", tmp_path / "set", tmp_path / "train_32x32.mat" if form == "mat" else tmp_path, "--shuffle", 0) == 0
    dataset = open_dataset(tmp_path / "set")
    assert (read_images(dataset, range(9)) == images).all()
    assert dataset.labels.argmax(axis=1).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_damaged_mat_files_are_refused(tmp_path, capsys):
    (tmp_path / "train_32x32.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    assert run("create_svhn", tmp_path / "set", tmp_path) == 2
    assert "train_32x32.mat" in capsys.readouterr().err


def test_lsun(tmp_path, capsys):
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(tmp_path / "lmdb"), map_size=1 << 24) as database, database.begin(write=True) as transaction:
        for number in range(5):
            size = (96, 64) if number < 4 else (20, 20)
            transaction.put(f"key{number}".encode(), encoded(leaf(number, 64).resize(size), "WEBP", lossless=True))
        transaction.put(b"key9", b"damaged")
    assert run("create_lsun", tmp_path / "set", tmp_path / "lmdb", "--resolution", 64, "--max_images", 3) == 0
    dataset = open_dataset(tmp_path / "set")
    assert dataset.num_images == 3
    expected = np.asarray(leaf(1, 64).resize((96, 64)))[:, 16:80]
    assert (read_images(dataset, [1])[0] == expected).all()  # the square in the middle, in the order of keys
    assert run("create_lsun_wide", tmp_path / "wide", tmp_path / "lmdb", "--width", 64, "--height", 32) == 0
    picture = read_images(open_dataset(tmp_path / "wide"), range(4))
    assert picture.shape == (4, 64, 64, 3)
    assert not picture[:, :16].any()  # bars above and below are black, as the original's
    assert not picture[:, 48:].any()
    assert picture[:, 16:48].any(axis=(2, 3)).all()
    assert run("create_lsun", tmp_path / "none", tmp_path / "nowhere") == 2
    assert "data.mdb" in capsys.readouterr().err


def test_celeba_is_cropped_to_128_pixels_around_the_face(tmp_path):
    folder = tmp_path / "celeba" / "img_align_celeba_png"
    folder.mkdir(parents=True)
    pixels = RANDOM.randint(256, size=(3, 218, 178, 3)).astype(np.uint8)
    from PIL import Image

    for number, image in enumerate(pixels):
        (folder / f"{number:06d}.png").write_bytes(encoded(Image.fromarray(image), "PNG"))
    assert run("create_celeba", tmp_path / "set", tmp_path / "celeba") == 0
    expected = pixels[:, 121 - 64 : 121 + 64, 89 - 64 : 89 + 64][shuffled(3)]
    assert (read_images(open_dataset(tmp_path / "set"), range(3)) == expected).all()
    assert run("create_celeba", tmp_path / "other", tmp_path / "celeba", "--cx", 20) == 2


def test_hdf5(tmp_path, capsys):
    h5py = pytest.importorskip("h5py")
    images = RANDOM.randint(256, size=(6, 3, 16, 16)).astype(np.uint8)
    labels = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
    with h5py.File(tmp_path / "cats.h5", "w") as file:
        file["data2x2"] = images[:, :, ::4, ::4]
        file["data4x4"] = images
        file["other"] = np.zeros(4)
    np.save(tmp_path / "cats-labels.npy", labels)
    assert run("create_from_hdf5", tmp_path / "set", tmp_path / "cats.h5") == 0
    dataset = open_dataset(tmp_path / "set")
    assert (read_images(dataset, range(6)).transpose(0, 3, 1, 2) == images[shuffled(6)]).all()
    assert (dataset.labels == labels[shuffled(6)]).all()
    (tmp_path / "bad.h5").write_bytes((tmp_path / "cats.h5").read_bytes()[:700])
    assert run("create_from_hdf5", tmp_path / "bad", tmp_path / "bad.h5") == 2
    assert "cannot be read as HDF5" in capsys.readouterr().err


@pytest.mark.slow
def test_tfds_from_a_local_folder(tmp_path):
    pytest.importorskip("importlib_resources")  # tensorflow-datasets 4.9 makes no set without it, and does not ask for it
    import tensorflow as tf
    import tensorflow_datasets as tfds

    images = np.stack([np.asarray(leaf(number)) for number in range(6)])
    tfds.dataset_builders.store_as_tfds_dataset(
        name="tiny_leaves",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {"image": tfds.features.Image(shape=(32, 32, 3)), "label": tfds.features.ClassLabel(names=["oak", "maple"])}
        ),
        split_datasets={"train": tf.data.Dataset.from_tensor_slices({"image": images, "label": [0, 1] * 3})},
        data_dir=str(tmp_path / "tfds"),
        disable_shuffling=True,
    )
    assert run("create_from_tfds", tmp_path / "set", "tiny_leaves", "--data-dir", tmp_path / "tfds") == 0
    dataset = open_dataset(tmp_path / "set")
    assert (dataset.num_images, dataset.class_names) == (6, ("oak", "maple"))
    expected = {np.asarray(leaf(number)).tobytes(): number % 2 for number in range(6)}
    for image, label in zip(read_images(dataset, range(6)), dataset.labels, strict=True):
        assert expected[image.tobytes()] == label.argmax()


def test_unknown_tfds_names_are_refused(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    from stylegan_tf.data.sources.databases import TfdsSource

    with pytest.raises(UserError, match="cannot load no_such_set_at_all"):
        TfdsSource("no_such_set_at_all", data_dir=str(tmp_path))
