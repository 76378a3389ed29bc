"""The rows of the studies: which presets, how long, scored how, and the figures that the studies themselves report."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One preset of a study."""

    preset: str  # of config.py; also the name of the row.
    reported: Mapping[str, str] = field(default_factory=dict)  # figures of the study's own document, by column
    is_quick: bool = False  # whether --quick trains it
    quick: tuple[str, ...] = ()  # settings that make it small for --quick
    note: str = ""  # what to know when the figures are compared


@dataclass(frozen=True)
class Protocol:
    """How every row is scored."""

    final: tuple[str, ...]  # metrics of the last snapshot
    curve: tuple[str, ...]  # metrics of every snapshot


@dataclass(frozen=True)
class Study:
    """A table of rows."""

    rows: tuple[Row, ...]  # in the order in which they are trained
    # protocols; names of metrics for LeNet scores and scores of labels are left out where a row has no labels.
    full: Protocol
    quick: Protocol
    resolution: int  # of the dataset that is made from pictures
    quick_kimg: float  # length of each run with --quick
    is_digits: bool = False  # LeNets are trained, and the classifier on real and generated digits


_SMALL = ("G.fmaps=16", "D.fmaps=16")
_SMALL_STYLES = ("G.fmap_base=256", "G.fmap_max=32", "D.fmap_base=256", "D.fmap_max=32", "G.z_dim=32", "G.w_dim=32",
                 "schedule.steady_kimg=0.2", "schedule.fade_kimg=0.1")  # fmt: skip

_SMALL_FLOWERS = (*_SMALL_STYLES, "G.mapping_fmaps=32", "data.resolution=32")

_DIGITS = (
    Row("digits-dcgan-compact", {"FID": "17.30", "epochs": "25"}, True, _SMALL),
    Row("digits-cdcgan-smoothing", {"FID": "17", "LeNet IS": "4.98", "LeNet accuracy": "87 %", "epochs": "30"},
        note="the study's best accuracy"),
    Row("digits-cdcgan-feedback", {"FID": "16", "LeNet IS": "5.23", "LeNet accuracy": "82 %", "epochs": "30"}, True, _SMALL,
        "82 % in the table, 84 % in the text; the formula of the loss has the Inception Score for the classifier's loss"),
    Row("digits-cgan", {"FID": "97", "LeNet IS": "5.20", "LeNet accuracy": "78 %", "epochs": "47 of 100"}, True, (),
        "the public code has no batch normalisation and never generates a 9"),
    Row("digits-cdcgan", {"FID": "52", "LeNet IS": "4.75", "LeNet accuracy": "84 %", "epochs": "30"},
        note="the public code samples the labels of G from 0 to 8, so a 9 is never generated; the study corrected this"),
    Row("digits-cdcgan-no-norm", {"FID": "65", "LeNet IS": "4.71", "LeNet accuracy": "73 %", "epochs": "30"}),
    Row("digits-cdcgan-extended", {"FID": "154", "LeNet IS": "4.21", "LeNet accuracy": "68 %", "epochs": "30"},
        note="the study does not give the shape of the two layers"),
    Row("digits-cdcgan-branches", {"FID": "101", "LeNet IS": "3.52", "LeNet accuracy": "60 %", "epochs": "30"},
        note="the widths at 28x28 are our choice"),
    Row("digits-dcgan", {"FID": "30", "epochs": "25"}, note="images enlarged to 64x64; noise at epoch 9 in the study"),
    Row("digits-dcgan-deep", {"epochs": "25"}, note="its last kernel must be 2x2, which the study does not mention"),
    Row("digits-dcgan-no-norm", {"FID": "24.40", "epochs": "25"}, note="sometimes only black images in the study"),
    Row("digits-dcgan-3-steps", {"FID": "23.44", "epochs": "25"}),
    Row("digits-dcgan-fast", {"FID": "20.67", "epochs": "25"}, note="higher rates gave black images in the study"),
)  # fmt: skip

_SCENES = (
    Row("dcgan", {}, True, _SMALL, "in the study D was too strong: patterns on parks, alternating noise and blurred corridors"),
    Row("scenes-dcgan-min-loss", {}, note="the same in the study"),
    Row("scenes-dcgan-noisy", {}, note="the study does not give the noise of the labels"),
    Row("scenes-wgan", {}, note="described but not trained in the study; PyTorch's RMSProp"),
    Row("scenes-wgan-tf", {}, note="TensorFlow's RMSProp: another decay, and epsilon inside of the root"),
    Row("scenes-wgan-gp", {"G steps": "97,500"}, True, (*_SMALL, "loss.D_steps=2"),
        "little gain after 35,000 steps in the study; D overfits"),
    Row("scenes-wgan-gp-elements", {}, note="PyTorch's LayerNorm has a gain for each element; the study does not say which it used"),
    Row("scenes-wgan-gp-resnet", {"G steps": "27,500"}, note="40 hours on a T4 in the study"),
    Row("scenes-stylegan2-ada", {"FID": "6.994 corridors, 10.899 parks", "kimg": "5,000"}, True,
        ("G.fmap_base=512", "G.fmap_max=32", "D.fmap_base=512", "D.fmap_max=32", "G.z_dim=32", "G.w_dim=32"),
        "fid50k, 48 hours on a T4 in the study; the tool's own default is fid50k_full"),
    Row("scenes-stylegan2", {}, note="requested by the study"),
    Row("scenes-dcgan-ada", {}, note="requested by the study"),
    Row("scenes-dcgan-wide", {}, note="requested by the study"),
)  # fmt: skip

_ABLATIONS = (
    Row("stylegan-a", {"FID": "7.79 CelebA-HQ, 8.04 FFHQ"}, True, _SMALL_STYLES,
        "progressive GAN: its own loss, resampling and optimizer"),
    Row("stylegan-b", {"FID": "6.11, 5.25"}, note="tuned resampling and parameters"),
    Row("stylegan-c", {"FID": "5.34, 4.85"}, note="mapping network and styles"),
    Row("stylegan-d", {"FID": "5.07, 4.88"}, note="constant input"),
    Row("stylegan-e", {"FID": "5.06, 4.42"}, note="noise inputs"),
    Row("stylegan-f", {"FID": "5.17, 4.40"}, True, (*_SMALL_STYLES, "G.mapping_fmaps=32"), "style mixing"),
)  # fmt: skip

_FLOWERS = (
    Row("flowers-4", {}, True, _SMALL_FLOWERS, "no score in the study; a comment in its code says 5 mapping layers, the code has 4"),
    Row("flowers-5", {}, note="the number in that comment"),
    Row("flowers-8", {}, True, _SMALL_FLOWERS, "the depth of StyleGAN's paper"),
)  # fmt: skip

_OF_STYLES = (Protocol(("fid5k_full", "kid5k_full", "pr5k3", "ppl_wfull"), ("kid500",)), Protocol(("fid100", "kid100"), ("kid100",)))

STUDIES = {
    "digits": Study(
        _DIGITS,
        Protocol(
            ("fid5k", "kid5k", "pr5k3", "fid5k_classes", "d_scores", "lenet_is10k_document", "lenet_is10k_converged",
             "lenet_accuracy10k_document", "lenet_accuracy10k_converged"),
            ("lenet_is2k_converged", "lenet_accuracy2k_converged", "kid500"),
        ),
        Protocol(("fid100", "kid100", "d_scores250", "lenet_is1k_document", "lenet_is1k_converged", "lenet_accuracy1k_document",
                  "lenet_accuracy1k_converged"), ("lenet_is1k_converged", "lenet_accuracy1k_converged")),
        resolution=32, quick_kimg=30, is_digits=True,
    ),
    "scenes": Study(
        _SCENES,
        Protocol(("fid5k_full", "kid5k_full", "pr5k3", "d_scores", "memorisation"), ("kid500",)),
        Protocol(("fid100", "kid100", "d_scores250"), ("kid100",)),
        resolution=64, quick_kimg=1,
    ),
    "ablations": Study(_ABLATIONS, *_OF_STYLES, resolution=32, quick_kimg=1),
    "flowers": Study(_FLOWERS, *_OF_STYLES, resolution=256, quick_kimg=1),
}  # fmt: skip
