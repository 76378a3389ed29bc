"""Installs the library, the metrics and the command `stylegan-tf`, which runs the programs (train.py, ...) outside of the checkout."""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py


class BuildPy(build_py):
    """Leaves out this file, which lies beside the programs."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """(package, module, file) of every module."""
        return [entry for entry in super().find_package_modules(package, package_dir) if entry[1] != "setup"]


setup(
    name="stylegan_tf",
    version="0.1.0",
    description="StyleGAN (Karras et al. 2019) for today's TensorFlow and Keras",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    # The programs and presets lie beside this file; installed, they are in stylegan_tf/programs/.
    packages=[*find_packages(include=["stylegan_tf", "stylegan_tf.*", "metrics", "metrics.*"]), "stylegan_tf.programs"],
    package_dir={"stylegan_tf.programs": "."},
    cmdclass={"build_py": BuildPy},
    package_data={"metrics.networks": ["*.json"]},
    entry_points={"console_scripts": ["stylegan-tf = stylegan_tf.__main__:main"]},
    install_requires=[
        "tensorflow>=2.20,<2.22",
        "tensorflow-datasets>=4.9.7",
        "importlib_resources>=6.4",  # tensorflow-datasets 4.9.10 imports it to prepare a set and does not declare it
        "numpy>=2.0",
        "scipy>=1.13",
        "pillow>=10.4",
        "opencv-python-headless>=4.11",
        "google-crc32c>=1.6",  # checksums of records
        "tensorboard>=2.20",
        "rich>=13",
    ],
    extras_require={
        "video": ["imageio-ffmpeg>=0.6"],
        "test": ["pytest>=8", "pytest-xdist>=3.6", "ruff>=0.9", "scikit-learn>=1.5", "lmdb>=1.5", "imageio-ffmpeg>=0.6"],
    },
)
