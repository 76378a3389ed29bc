"""Installs the library, the metrics and the command `stylegan-tf`, which runs the programs (train.py, ...) outside of the checkout."""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

PROGRAMS = ("config", "dataset_tool", "train", "generate")


class BuildPy(build_py):
    """Copies the programs and presets of the checkout into stylegan_tf/programs/."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """(package, module, file) of every module."""
        copied = PROGRAMS if package == "stylegan_tf.programs" else ()
        return super().find_package_modules(package, package_dir) + [(package, name, f"{name}.py") for name in copied]


setup(
    name="stylegan_tf",
    version="0.1.0",
    description="StyleGAN (Karras et al. 2019) for current TensorFlow and Keras",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=["stylegan_tf", "stylegan_tf.*", "metrics", "metrics.*"]),
    cmdclass={"build_py": BuildPy},
    package_data={
        "metrics.networks": ["*.json"],
        "stylegan_tf.inference.export": ["web/*"],
        "stylegan_tf.inference.explorer": ["page/*"],
    },
    entry_points={"console_scripts": ["stylegan-tf = stylegan_tf.programs:main"]},
    install_requires=[
        "tensorflow>=2.20,<2.22",
        "tensorflow-datasets>=4.9.7",
        "importlib_resources>=6.4",  # tensorflow-datasets 4.9.10 imports it to prepare a set and does not declare it
        "numpy>=2.0",
        "scipy>=1.13",
        "pillow>=10.4",
        "opencv-python-headless>=4.11",
        "google-crc32c>=1.6",  # checksums of records
        "protobuf>=5",  # their contents
        "tensorboard>=2.20",
        "rich>=13",
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]>=2.20,<2.22"],  # the libraries of CUDA 12 and cuDNN beside TensorFlow, for NVIDIA GPUs on Linux
        "video": ["imageio-ffmpeg>=0.6"],
        "onnx": ["onnx>=1.19", "onnxruntime>=1.22", "tf2onnx>=1.17"],
        "notebook": ["nbclient>=0.10", "ipykernel>=6.29"],
        "test": ["pytest>=8", "pytest-xdist>=3.6", "ruff>=0.9", "scikit-learn>=1.5", "lmdb>=1.5", "stylegan_tf[onnx,video]"],
    },
)
