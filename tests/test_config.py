"""Presets, overrides and the refusal of what cannot work."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import config
from stylegan_tf import lenet_file, models, settings_text
from stylegan_tf.errors import UserError
from stylegan_tf.models.stylegan.settings import Settings
from stylegan_tf.settings import DataSettings, LossSettings, RunSettings, ScheduleSettings
from stylegan_tf.training.settings_check import check
from tests.settings_tables import HEADING, PAGE, tables

ROOT = Path(__file__).parents[1]


def base():
    """Settings that do not move when a preset is tuned: 8x8 to 32x32 in 4 phases of 6 kimg."""
    return Settings(
        "base",
        schedule=ScheduleSettings(total_kimg=60, steady_kimg=6, fade_kimg=6, minibatch_base=16, minibatch_by_resolution={8: 32, 16: 32}),
        data=DataSettings(path="datasets/x", conditional=True),
    )


def dataset(resolution=64, label_size=3, channels=3):
    return SimpleNamespace(name="leaves", num_images=100, resolution=resolution, channels=channels, label_size=label_size)


@pytest.mark.parametrize("name", config.PRESETS)
def test_every_preset_passes_its_own_check(name, tmp_path, monkeypatch):
    settings = config.preset(name)
    resolution = settings.data.resolution or config.PHOTOGRAPH_RESOLUTION.get(name, 1024)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "classifiers").mkdir()
    weights = {name: np.zeros(shape, np.float32) for name, shape in lenet_file.SHAPES.items()}
    lenet_file.write("classifiers/document.npz", lenet_file.LeNetFile(weights, False, 0.947))
    images = {"channels": 1, "label_size": 10} if name.startswith("digits") else {}
    assert check(settings, dataset(max(resolution, 8), **images)).data.resolution == resolution
    assert settings.name == name


def test_unknown_preset_lists_the_known_ones():
    with pytest.raises(UserError, match=r"Unknown preset leaves46\. Did you mean leaves64\? Known: demo, "):
        config.preset("leaves46")


def test_paper_schedule_is_table_by_gpus():
    assert config.paper_schedule(1).minibatch_by_resolution[512] == 4
    assert config.stylegan().schedule.minibatch_base == 32
    with pytest.raises(UserError, match=r"\[1, 2, 4, 8\] GPUs"):
        config.paper_schedule(3)


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        ("schedule.fade_kimg=60", "schedule.fade_kimg", 60.0),
        ("schedule.minibatch_by_resolution.16=24", "schedule.minibatch_by_resolution", {8: 32, 16: 24}),
        ("schedule.minibatch_by_resolution={8: 64}", "schedule.minibatch_by_resolution", {8: 64}),
        ("loss.regulariser=none", "loss.regulariser", None),
        ("G.blur_filter=None", "G.blur_filter", None),
        ("G.blur_filter=[1, 3, 3, 1]", "G.blur_filter", (1, 3, 3, 1)),
        ("G.fused_scale=auto", "G.fused_scale", "auto"),
        ("G.fused_scale=off", "G.fused_scale", False),
        ("data.mirror=true", "data.mirror", True),
        ("data.path=datasets/7", "data.path", "datasets/7"),
        ("data.path=7", "data.path", "7"),
        ("run.keep_snapshots=3", "run.keep_snapshots", 3),
    ],
)
def test_override_is_typed(assignment, path, value):
    changed = settings_text.override(base(), [assignment])
    for name in path.split("."):
        changed = getattr(changed, name)
    assert changed == value
    assert type(changed) is type(value)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("schedule.fade=60", "Unknown setting schedule.fade. .*Known here: .*schedule.fade_kimg"),
        ("optimiser.beta1=0", "Unknown setting optimiser.beta1. .*Known here: .*optimizer"),
        ("schedule.fade_kimg.x=1", "Unknown setting"),
        ("schedule=1", "schedule is a group of settings: schedule.total_kimg"),
        ("schedule.fade_kimg=many", "schedule.fade_kimg must be a number. Received: 'many'"),
        ("run.seed=1.5", "run.seed must be a whole number"),
        ("run.seed=true", "run.seed must be a whole number"),
        ("loss.G=wgan-gp", "loss.G must be one of logistic_nonsaturating"),
        ("schedule.minibatch_by_resolution=16", "must be a table such as"),
        ("fade_kimg", "name=value"),
        ("model=dcgan", "The model of a preset cannot be changed"),
    ],
)
def test_bad_override_says_what_is_possible(assignment, message):
    with pytest.raises(UserError, match=message):
        settings_text.override(base(), [assignment])


@pytest.mark.parametrize("name", config.PRESETS)
def test_settings_survive_json(name):
    settings = config.preset(name)
    assert models.read_settings(json.loads(json.dumps(settings_text.to_plain(settings)))) == settings


def test_reading_settings_refuses_unknown_names():
    with pytest.raises(UserError, match=r"Unknown setting schedule\.speed"):
        models.read_settings({"name": "x", "schedule": {"speed": 1}})


def test_differences_name_both_values():
    changed = settings_text.override(base(), ["run.seed=3", "loss.gamma=5"])
    assert settings_text.differences(base(), changed) == [("loss.gamma", 10.0, 5.0), ("run.seed", 0, 3)]


def refused(assignments, preset=base, **kwargs):
    with pytest.raises(UserError) as caught:
        check(settings_text.override(preset(), assignments), dataset(**{"resolution": 32, **kwargs}))
    return str(caught.value)


def test_minibatch_must_hold_whole_groups():
    message = refused(["schedule.minibatch_by_resolution.16=30"])
    assert "30 at 16x16" in message
    assert "Possible: 28 or 32" in message
    assert "schedule.minibatch_by_resolution.16=28" in message


def test_minibatch_below_one_group_is_one_group():
    check(settings_text.override(base(), ["schedule.minibatch_base=3"]), dataset(32))


def test_accumulated_parts_must_hold_a_group():
    assert "below one group" in refused(["schedule.max_minibatch_per_device=2"])


def test_labels_are_asked_for_only_where_there_are_some():
    assert "has none" in refused([], label_size=0)


def test_run_may_not_end_before_it_has_grown():
    message = refused(["schedule.total_kimg=10"])
    assert "takes 24 kimg" in message
    assert "if_too_short=rescale" in message
    rescaled = check(settings_text.override(base(), ["schedule.total_kimg=10", "schedule.if_too_short=rescale"]), dataset(32))
    assert rescaled.schedule.fade_kimg == pytest.approx(2)  # 4 phases to grow and one steady, in 10 kimg


def test_resolution_above_the_dataset_is_refused():
    assert "has images of 32x32" in refused(["data.resolution=64"])
    assert "above the 32x32 of the run. Try --set schedule.start_resolution=8." in refused(["schedule.start_resolution=64"])


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("schedule.start_resolution=12", "power of two"),
        ("schedule.fade_kimg_by_resolution={12: 3}", "has the key 12, which must be a power of two"),
        ("schedule.total_kimg=0", "above 0"),
        ("optimizer.D.beta2=1", "in \\[0, 1\\)"),
        ("G.mapping_layers=65", "from 0 to 64"),
        ("G.mapping_layers=0", "data.conditional = false"),
    ],
)
def test_impossible_values_are_refused_without_a_dataset(assignment, message):
    with pytest.raises(UserError, match=message):
        check(settings_text.override(base(), [assignment]))


def test_every_setting_is_documented_with_a_comment():
    files = [ROOT / "stylegan_tf" / "settings.py", *(ROOT / "stylegan_tf" / "models").glob("*/settings.py")]
    source = [line for path in files for line in path.read_text().splitlines()]
    fields = [line for line in source if re.match(r"    \w+: (?!ClassVar).* = ", line)]
    bare = [line.strip() for line in fields if "#" not in line and "_by_resolution" not in line and "Settings" not in line]
    assert bare == []


def test_defaults_are_the_papers():
    assert ScheduleSettings().total_kimg == 25000
    assert dataclasses.asdict(Settings("x"))["loss"]["gamma"] == 10.0


def test_config_needs_no_tensorflow():
    code = "import config, sys; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_documentation_lists_every_setting_with_its_default_and_comment():
    page = PAGE.read_text(encoding="utf-8")
    assert page.split(f"{HEADING}\n\n")[1] == tables(), "run python -m tests.settings_tables"


def test_every_preset_is_in_the_documentation():
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in config.PRESETS if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings("x", loss=LossSettings(D="wgan_gp", G="wgan")), r"combined with loss.regulariser = r1\. Try --set loss.regulariser=none"),
        (Settings("x", loss=LossSettings(D="wgan", regulariser=None)), r"cannot be combined with loss.D = wgan\. Try --set loss.G=wgan"),
        (Settings("x", loss=LossSettings(lazy_interval=16, D_steps=5)), r"cannot be combined with loss.D_steps above 1"),
        (Settings("x", run=RunSettings(precision="bfloat16")), r"run.precision must be one of auto, float32, .*Received: 'bfloat16'"),
        (Settings("x", run=RunSettings(on_nan="ignore")), r"run.on_nan must be one of stop, rollback"),
        (Settings("x", schedule=ScheduleSettings(fade_kimg="60")), r"schedule.fade_kimg must be a number\. Received: '60'"),
        (Settings("x", loss=None), r"loss must be a LossSettings"),
    ],
)
def test_settings_made_in_python_are_checked(settings, message):
    with pytest.raises(UserError, match=message):
        check(settings)


def test_settings_made_in_python_get_the_types_of_their_fields():  # the keys "8" were accepted, and never found
    schedule = ScheduleSettings(minibatch_base=32.0, minibatch_by_resolution={"8": 64.0}, start_resolution=np.float64(8))
    found = check(Settings("x", schedule=schedule)).schedule
    assert (found.minibatch_base, found.minibatch_by_resolution, found.start_resolution) == (32, {8: 64}, 8)
    assert [type(value) for value in (found.minibatch_base, found.minibatch_by_resolution[8], found.start_resolution)] == [int] * 3


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("gamma", "loss.gamma"),
        ("loss.gama", "loss.gamma"),
        ("shedule.fade_kimg", "schedule.fade_kimg"),
        ("schedule.ema_kimg", "optimizer.ema_kimg"),
        ("z_dim", "G.z_dim"),
        ("beta1", "optimizer.G.beta1 or optimizer.D.beta1"),
    ],
)
def test_an_unknown_setting_names_what_was_probably_meant(name, meant):
    with pytest.raises(UserError, match=f"Unknown setting {re.escape(name)}. Did you mean {re.escape(meant)}\\?"):
        settings_text.override(base(), [f"{name}=1"])


@pytest.mark.parametrize(
    "argv",
    [
        ["--set", "schedule.minibatch_by_resolution={8:", "128,", "16:", "64}", "--seed", "3"],  # split at spaces
        ["--set=schedule.minibatch_by_resolution={8:", "128,", "16:", "64}"],
        ["--set", "schedule.minibatch_by_resolution=8:128", "schedule.minibatch_by_resolution=16:64"],  # braces expanded
        ["--set=schedule.minibatch_by_resolution=8:128", "--set=schedule.minibatch_by_resolution=16:64", "--seed", "3"],
    ],
)
def test_a_table_that_the_shell_split_is_shown_with_quotes(argv):
    with pytest.raises(UserError, match=r"in quotes: --set 'schedule\.minibatch_by_resolution=\{8: 128, 16: 64\}'"):
        settings_text.check_unsplit(argv)


def test_whole_tables_and_other_settings_are_not_split():
    settings_text.check_unsplit(["--set", "schedule.minibatch_by_resolution={8: 128, 16: 64}", "--set", "loss.gamma=3", "--data", "8:3"])


def test_a_setting_says_where_its_table_overrides_it():
    settings = settings_text.override(base(), ["data.resolution=64", "schedule.start_resolution=16", "loss.gamma_by_resolution={32: 1}"])
    assert settings_text.overridden_by_table(settings, "loss.gamma").startswith("no effect at 32x32, where loss.gamma_by_resolution has")
    settings = settings_text.override(settings, ["schedule.minibatch_by_resolution={16: 8, 32: 8, 64: 4}"])
    effect = settings_text.overridden_by_table(settings, "schedule.minibatch_base")
    assert effect.startswith("no effect in this run")
    assert effect.endswith("Try --set schedule.minibatch_by_resolution.64=VALUE")
    settings = settings_text.override(settings, ["schedule.fade_kimg_by_resolution={32: 1, 64: 1}"])
    assert "in this run" in settings_text.overridden_by_table(settings, "schedule.fade_kimg")  # the first resolution does not fade in
    for name in ("schedule.total_kimg", "loss.r2_gamma", "schedule.steady_kimg"):
        assert settings_text.overridden_by_table(settings, name) == ""


def test_settings_of_the_first_version_are_read_and_old_names_are_explained():
    old = {
        "name": "x",
        "optimizer": {"beta1": 0.5, "ema_kimg": 3},
        "schedule": {"num_pairs_per_look": 2},
        "run": {"pairs_per_call": 2, "use_xla": True},
    }
    read = models.read_settings(old)
    assert isinstance(read, Settings)
    assert (read.optimizer.G.beta1, read.optimizer.D.beta1, read.optimizer.ema_kimg) == (0.5, 0.5, 3)
    assert (read.schedule.iterations_per_update, read.run.iterations_per_call, read.run.xla) == (2, 2, "on")
    assert models.read_settings({"name": "x", "run": {"use_xla": False}}).run.xla == "off"
    with pytest.raises(UserError, match=r"run.pairs_per_call is called run.iterations_per_call now"):
        settings_text.override(base(), ["run.pairs_per_call=2"])
    with pytest.raises(UserError, match=r"run.use_xla is called run.xla now. Try --set run.xla=on"):
        settings_text.override(base(), ["run.use_xla=true"])


def test_unknown_models_list_the_known_ones():
    with pytest.raises(UserError, match=r"Unknown model 'stilegan'\. Did you mean stylegan\? Known: stylegan"):
        models.read_settings({"name": "x", "model": "stilegan"})
