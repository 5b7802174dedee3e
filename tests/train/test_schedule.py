"""The learning rate over a run: the shapes, and what a plateau does to it."""

import dataclasses
import itertools
import json
import math
import random

import pytest
import torch

from configs.loading import ConfigError, load
from train.config import TrainConfig
from train.optim import OptimConfig, learning_rate
from train.schedule import Kind, Plateau, PlateauConfig, ScheduleConfig

STEPS = 110


def _config(kind: Kind, *, cooldown_steps: int = 0) -> OptimConfig:
    schedule = ScheduleConfig(kind=kind, cooldown_steps=cooldown_steps)
    return OptimConfig(lr=1.0, warmup_steps=10, final_lr=0.1, schedule=schedule)


def _rates(config: OptimConfig, *, steps: int = STEPS) -> list[float]:
    return [learning_rate(config, step, steps=steps) for step in range(steps + 1)]


@pytest.mark.parametrize("kind", ["cosine", "linear", "constant", "plateau"])
def test_every_shape_warms_up_in_a_line_to_the_full_rate(kind: Kind) -> None:
    assert _rates(_config(kind))[:11] == pytest.approx([*(number / 10 for number in range(1, 11)), 1.0])


@pytest.mark.parametrize("kind", ["cosine", "linear", "constant", "plateau"])
def test_a_warm_up_longer_than_the_run_is_no_error(kind: Kind) -> None:
    assert learning_rate(_config(kind), 5, steps=6) == pytest.approx(0.6)


def test_the_default_falls_along_a_cosine() -> None:
    rates = _rates(OptimConfig(lr=1.0, warmup_steps=10, final_lr=0.1))
    assert rates == _rates(_config("cosine"))
    assert rates[60] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 2)) / 2)
    assert rates[110] == pytest.approx(0.1)


def test_a_line_falls_by_the_same_at_every_step() -> None:
    rates = _rates(_config("linear"))[10:]
    assert rates[-1] == pytest.approx(0.1)
    assert [a - b for a, b in itertools.pairwise(rates)] == pytest.approx([0.009] * 100)


def test_a_constant_rate_cools_down_by_one_minus_the_root_in_the_last_steps() -> None:
    rates = _rates(_config("constant", cooldown_steps=16))
    assert set(rates[10:95]) == {1.0}
    assert rates[94 + 4] == pytest.approx(0.1 + 0.9 * (1 - math.sqrt(4 / 16)))
    assert rates[110] == pytest.approx(0.1)


def test_more_steps_leave_the_constant_phase_as_it_was() -> None:
    short, long = (_rates(_config("constant", cooldown_steps=16), steps=steps) for steps in (110, 220))
    assert short[:95] == long[:95]
    assert set(long[10:205]) == {1.0}


def test_a_constant_rate_without_cooldown_stays_to_the_end() -> None:
    assert set(_rates(_config("constant"))[10:]) == {1.0}


def test_a_cooldown_longer_than_the_run_begins_after_warm_up() -> None:
    rates = _rates(_config("constant", cooldown_steps=1000))
    assert rates[10] == pytest.approx(1.0)
    assert rates[11] < rates[10]


@pytest.mark.parametrize(
    "setting",
    ["schedule={kind: cosine, cooldown_steps: 5}", "schedule.plateau.factor=1.0", "schedule.plateau.patience=2"],
)
def test_a_setting_that_would_do_nothing_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"optim\.schedule"):
        load(TrainConfig, None, [f"optim.{setting}"])


@pytest.mark.parametrize("seed", range(5))
def test_a_plateau_reduces_where_torch_does(seed: int) -> None:
    draw = random.Random(seed)
    config = PlateauConfig(
        every=1, factor=draw.choice([0.5, 0.3]), patience=draw.randint(0, 3), threshold=draw.choice([0.0, 1e-3, 0.05])
    )
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=config.factor, patience=config.patience, threshold=config.threshold, min_lr=0.01, eps=0
    )
    ours = Plateau()
    for number in range(200):
        loss = 5 / (1 + number / 20) + draw.gauss(0, 0.2)
        theirs.step(loss)
        ours = ours.after(loss, steps=1, config=config, least=0.01)
        assert ours.reduced == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        assert (ours.best, ours.bad) == (theirs.best, theirs.num_bad_epochs)
    assert ours.reduced < 0.1  # else nothing was compared


def test_a_plateau_judges_the_mean_of_the_steps_between() -> None:
    config = PlateauConfig(every=4, patience=0, threshold=0.0)
    first = Plateau().after(8.0, steps=4, config=config, least=0.0)
    assert (first.best, first.reduced) == (2.0, 1.0)
    half = first.after(5.0, steps=2, config=config, least=0.0)
    assert half.reduced == 1.0
    assert half.after(4.0, steps=2, config=config, least=0.0).reduced == 0.5


def test_a_plateau_s_memory_survives_the_checkpoint_s_json() -> None:
    """Also in the middle between two judgements, to the last bit."""
    config = PlateauConfig(every=10, patience=1)
    losses = torch.rand(97, generator=torch.Generator().manual_seed(0)).double().tolist()
    whole, stopped = Plateau(), Plateau()
    for number, loss in enumerate(losses):
        whole = whole.after(loss, steps=1, config=config, least=0.0)
        stopped = stopped.after(loss, steps=1, config=config, least=0.0)
        if number % 7 == 0:
            stopped = Plateau(**json.loads(json.dumps(dataclasses.asdict(stopped))))
    assert stopped == whole
    assert whole.reduced < 1


def test_what_a_plateau_has_reduced_scales_the_rate() -> None:
    assert learning_rate(_config("plateau"), 50, steps=STEPS, reduced=0.25) == pytest.approx(0.25)
