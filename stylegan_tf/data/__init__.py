"""Datasets: made by `DatasetWriter`, opened by `open_dataset`, read by `read_images`, fed to training by `make_pipeline`; pictures."""

from stylegan_tf.data.feed.pipeline import make_pipeline
from stylegan_tf.data.intake.decode import read_picture
from stylegan_tf.data.intake.picture_set import PictureSet
from stylegan_tf.data.records.dataset import Dataset, open_dataset, read_images
from stylegan_tf.data.records.writer import DatasetWriter

__all__ = ["Dataset", "DatasetWriter", "PictureSet", "make_pipeline", "open_dataset", "read_images", "read_picture"]
