"""The schedule, against what the original's function gave on a dense grid."""

import json
from pathlib import Path

import pytest

from stylegan_tf.errors import UserError
from stylegan_tf.models.stylegan.settings import DiscriminatorSettings, Settings
from stylegan_tf.settings import DataSettings, ScheduleSettings
from stylegan_tf.training.schedule import TrainingSchedule, needs_new_optimizers, rescaled
from stylegan_tf.training.settings_check import check_minibatches

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden"
CASES = [
    *(f"res{resolution}_gpus{gpus}" for resolution in (1024, 64) for gpus in (1, 2, 4, 8)),
    "res1024_function_defaults_gpus1",
    "res256_gpus3_maxmb_rampup",
    "res64_nogrowing",
]


def golden(name):
    path = GOLDEN / name
    if not path.exists():
        pytest.skip("../shared/golden is not here")
    return json.loads(path.read_text())


def schedule_of(args):
    """The schedule with the arguments that the original's function was called with."""

    def table(name):
        return {int(resolution): value for resolution, value in args.get(name, {}).items()}

    settings = ScheduleSettings(
        start_resolution=args.get("lod_initial_resolution", 4),
        steady_kimg=args.get("lod_training_kimg", 600),
        fade_kimg=args.get("lod_transition_kimg", 600),
        minibatch_base=args.get("minibatch_base", 16),
        minibatch_by_resolution=table("minibatch_dict"),
        max_minibatch_per_device_by_resolution=table("max_minibatch_per_gpu"),
        minibatch_follows_devices=True,
        G_lrate_by_resolution=table("G_lrate_dict"),
        D_lrate_by_resolution=table("D_lrate_dict"),
        lrate_rampup_kimg=args.get("lrate_rampup_kimg", 0),
    )
    return TrainingSchedule(settings, args["resolution"], args["num_gpus"])


@pytest.mark.parametrize("case", CASES)
def test_schedule_equals_the_originals(case):
    recorded = golden("schedule.json")[case]
    schedule = schedule_of(recorded["args"])
    for i, nimg in enumerate(recorded["cur_nimg"]):
        stage = schedule.at(nimg)
        for name in ("lod", "resolution", "minibatch", "G_lrate", "D_lrate", "tick_kimg"):
            assert getattr(stage, name) == recorded[name][i], (case, nimg, name)


def test_every_recorded_case_is_tested():
    assert {name for name, case in golden("schedule.json").items() if isinstance(case, dict) and "args" in case} == set(CASES)


@pytest.mark.parametrize("case", ["res1024_gpus8", "res64_gpus1"])
def test_ticks_end_and_optimizers_reset_where_the_originals_do(case):
    recorded = golden("schedule_ticks.json")[case]
    schedule = schedule_of(golden("schedule.json")[case]["args"])
    nimg, tick, tick_start_nimg, previous_lod = 0, 0, 0, None
    ticks, resets = [], []
    while tick < len(recorded["ticks_tick_nimg_lod_mb"]):
        stage = schedule.at(nimg)
        if needs_new_optimizers(previous_lod, stage.lod):
            resets.append([nimg, stage.lod])
        previous_lod = stage.lod
        nimg += 4 * stage.minibatch
        if nimg >= tick_start_nimg + stage.tick_kimg * 1000:
            tick, tick_start_nimg = tick + 1, nimg
            ticks.append([tick, nimg, stage.lod, stage.minibatch])
    assert ticks == recorded["ticks_tick_nimg_lod_mb"]
    assert resets == recorded["opt_resets_nimg_lod"]


@pytest.mark.parametrize(("kimg", "lod"), [(0, 2), (10, 2), (15, 1.5), (20, 1), (119, 1), (120, 1), (121, 0.75), (124, 0), (10**6, 0)])
def test_durations_by_resolution(kimg, lod):  # 8x8 for 10 kimg, 16x16 fades in for 10; 100 kimg; 32x32 fades in for 4
    settings = ScheduleSettings(steady_kimg=10, fade_kimg=10, steady_kimg_by_resolution={16: 100}, fade_kimg_by_resolution={32: 4})
    assert TrainingSchedule(settings, 32).lod(kimg) == pytest.approx(lod)


@pytest.mark.parametrize(("lod", "kimg"), [(2, 0), (1.5, 15), (1, 20), (0.75, 121), (0, 124)])
def test_start_at_a_level_of_detail(lod, kimg):
    settings = ScheduleSettings(steady_kimg=10, fade_kimg=10, steady_kimg_by_resolution={16: 100}, fade_kimg_by_resolution={32: 4})
    schedule = TrainingSchedule(settings, 32)
    assert schedule.kimg_at(lod) == pytest.approx(kimg)
    assert schedule.lod(schedule.kimg_at(lod)) == pytest.approx(lod)
    with pytest.raises(UserError, match="goes from lod 2 to 0"):
        schedule.kimg_at(3)


def test_no_fade_jumps_from_one_resolution_to_the_next():
    schedule = TrainingSchedule(ScheduleSettings(steady_kimg=10, fade_kimg=0), 32)
    assert [schedule.lod(kimg) for kimg in (0, 9.99, 10, 19.99, 20)] == [2, 2, 1, 1, 0]


def test_rescaled_growth_leaves_the_full_resolution_its_share():
    settings = rescaled(ScheduleSettings(steady_kimg=600, fade_kimg=600, total_kimg=300), 32)
    schedule = TrainingSchedule(settings, 32)
    assert schedule.growth_kimg() == pytest.approx(240)  # 2 x (60 + 60), then 60 steady
    assert rescaled(ScheduleSettings(total_kimg=25000), 32).steady_kimg == 600


@pytest.mark.parametrize(
    ("devices", "message"), [(3, "30 at 8x8 on 3 devices is not a multiple"), (64, "8x8 on 64 devices must be at least 1")]
)
def test_minibatches_that_the_devices_cannot_share_are_refused_before_the_run(devices, message):
    settings = Settings(
        "x",
        data=DataSettings(resolution=8),
        schedule=ScheduleSettings(start_resolution=8, minibatch_base=32, minibatch_by_resolution={}, minibatch_follows_devices=True),
    )
    check_minibatches(settings, 2)
    with pytest.raises(UserError, match=message):
        check_minibatches(settings, devices)


def test_any_minibatch_fits_without_groups_of_minibatch_statistics():  # it was divided by the 0 that means none
    for size in (0, 1):
        check_minibatches(Settings("x", D=DiscriminatorSettings(mbstd_group_size=size), data=DataSettings(resolution=8)), 1)


@pytest.mark.parametrize(("nimg", "share"), [(0, 1.0), (15_000, 0.01**0.5), (30_000, 0.01), (31_000, 0.01)])
def test_learning_rates_fall_to_their_share_at_the_end_of_the_run(nimg, share):
    stage = TrainingSchedule(ScheduleSettings(total_kimg=30, G_lrate=0.01, D_lrate=0.02, lrate_end_share=0.01), 32).at(nimg)
    assert (stage.G_lrate, stage.D_lrate) == pytest.approx((0.01 * share, 0.02 * share))
