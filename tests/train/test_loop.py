"""What the loop does around a step, with real parts around a loss that is known beforehand."""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice, repeat
from pathlib import Path
from types import FrameType

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from configs.loading import load
from tests.train.small import SMALL, SMALL_SETTINGS
from train.batch import Batch
from train.commands.pretrain import pretrain
from train.commands.request import new_request
from train.config import TrainConfig
from train.data.order import BEGINNING
from train.data.tokenizer import Tokenizer
from train.distributed import ALONE, Company, Place
from train.ema import Ema
from train.look import Look
from train.metrics import Sink, read_metrics
from train.models.vilt import MAX_LOGIT_SCALE, Vilt
from train.objectives.base import Losses
from train.optim import learning_rate, make_optimizer
from train.pace import Machine
from train.rows import Rows
from train.saving import Writer
from train.state import SetState, TrainState
from train.step import TOTAL
from train.trainer import Parts, Trainer

QUIET = Console(quiet=True)
CPU = torch.device("cpu")


@dataclass
class Chance:
    """An objective that notes what its chance begins with; what it draws is nothing."""

    seeds: list[int] = field(default_factory=list)

    def draw(self, batch: Batch, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        self.seeds.append(generator.initial_seed())
        return torch.zeros(())

    def __call__(self, model: Vilt, batch: Batch, drawn: Tensor) -> Losses:  # noqa: ARG002
        raise AssertionError("the loss is Steady's")


class Steady(nn.Module):
    """A loss of 3 whatever the weights are, which yet pulls at some of them."""

    def __init__(self, model: Vilt) -> None:
        super().__init__()
        self.model = model
        self.in_bf16: list[bool] = []

    def forward(self, _batch: Batch, _drawn: Tensor) -> dict[str, Tensor]:
        self.in_bf16.append(torch.is_autocast_enabled("cpu"))
        pull = self.model.log_scale.sum() + self.model.norm.bias.sum()
        return {TOTAL: 3 - pull + pull.detach()}


class Rising(Steady):
    """A loss that is the root of the step's number, and an interruption in one step."""

    def __init__(self, model: Vilt, *, stop: int) -> None:
        super().__init__(model)
        self._stop = stop

    def forward(self, batch: Batch, drawn: Tensor) -> dict[str, Tensor]:
        pulling = super().forward(batch, drawn)[TOTAL]
        number = len(self.in_bf16)
        if number == self._stop:
            signal.raise_signal(signal.SIGINT)
        return {TOTAL: number**0.5 + pulling - pulling.detach()}


@dataclass
class Lines:
    """A sink that keeps what it is told."""

    rates: list[float] = field(default_factory=list)
    signal: int = 0  # raised at the first line

    def log(self, _step: int, values: Mapping[str, float]) -> None:
        self.rates.append(values["learning_rate"])
        if self.signal and len(self.rates) == 1:
            signal.raise_signal(self.signal)

    def picture(self, step: int, name: str, png: bytes) -> None: ...

    def close(self) -> None: ...


class Second(Company):
    """The second process, on its own: what only the first does is not done."""

    def from_first(self, make: Callable[[], object]) -> None:  # type: ignore[override]
        pass


@dataclass
class Loop:
    """What a trainer is made of, to be changed before it is run."""

    parts: Parts
    sink: Lines
    chance: Chance
    state: TrainState

    def run(self, *changes: str) -> TrainState:
        """Train at a rate of 0.1, without warm-up."""
        common = ("optim.warmup_steps=0", "optim.lr=0.1", "optim.schedule.kind=constant", "trainer.log_every=1")
        config = load(TrainConfig, "tiny", [*SMALL_SETTINGS, *common, *changes])
        parts = replace(self.parts, optimizer=make_optimizer(self.parts.model, config.optim))
        return Trainer(config.trainer, config.optim, parts, seed=0).fit(self.state)


@pytest.fixture
def loop(model: Vilt, batch: Batch, tokenizer: Tokenizer, tmp_path: Path) -> Loop:
    sink, objective = Lines(), Chance()
    parts = Parts(
        model=model,
        called=Steady(model),
        optimizer=make_optimizer(model, SMALL.optim),
        ema=None,
        objective=objective,
        company=Company(ALONE),
        batches=repeat(replace(batch, after=(BEGINNING,))),
        looks=(),
        sink=sink,
        writer=Writer(folder=tmp_path / "checkpoints", settings="", tokenizer=tokenizer, keep=1),
        machine=Machine(device=CPU, rows_per_step=16, flops_per_step=1.0, peak_flops=None),
    )
    state = TrainState(step=0, sets=(SetState(path="/somewhere", digest="d"),), rows=Rows(pairs=16))
    return Loop(parts=parts, sink=sink, chance=objective, state=state)


def test_each_micro_batch_of_each_process_has_a_chance_of_its_own(loop: Loop) -> None:
    loop.run("trainer.steps=2", "trainer.accumulate=2")
    first = [*loop.chance.seeds]
    loop.parts = replace(loop.parts, company=Second(Place(rank=1)))
    loop.run("trainer.steps=2", "trainer.accumulate=2")
    assert len(first) == 4
    assert len({*loop.chance.seeds}) == 8


def test_the_temperature_does_not_fall_too_low(loop: Loop) -> None:
    loop.parts.model.log_scale.data.fill_(MAX_LOGIT_SCALE)
    loop.run("trainer.steps=2")  # each step pulls it up by 0.1
    assert loop.parts.model.log_scale.item() == pytest.approx(MAX_LOGIT_SCALE)


def test_a_plateau_lowers_the_rate_of_the_steps_after_it(loop: Loop) -> None:
    plateau = "optim.schedule={kind: plateau, plateau: {every: 4, patience: 0, factor: 0.5}}"
    loop.run("trainer.steps=16", "trainer.log_every=2", "trainer.save_every=16", plateau)
    # The first four steps are the best so far; four more are no better, and so on.
    assert loop.sink.rates == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025])


def test_a_run_that_is_stopped_between_two_lines_judges_its_loss_as_if_it_had_not_been(loop: Loop) -> None:
    plateau = "optim.schedule={kind: plateau, plateau: {every: 7, patience: 0, factor: 0.5}}"
    words = ("trainer.steps=25", "trainer.log_every=5", "trainer.save_every=25", plateau)
    start, ends = loop.state, []
    for stop in (0, 8):
        losses = Rising(loop.parts.model, stop=stop)
        loop.parts, loop.state = replace(loop.parts, called=losses), start
        while loop.state.step < 25:
            loop.state = loop.run(*words)
        ends.append((loop.state.course, loop.state.plateau))
    assert ends[0] == ends[1]
    assert ends[0][1].reduced == 0.5  # judged at 10 and at 20
    assert len(loop.sink.rates) == 5 + 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_after_the_step_at_work_which_is_saved(loop: Loop, tmp_path: Path, number: int) -> None:
    loop.sink.signal = number
    unheard: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        unheard.append(number)

    before = signal.signal(number, note)
    try:
        assert loop.run("trainer.steps=9", "trainer.save_every=9").step == 1
        assert signal.getsignal(number) is note
    finally:
        signal.signal(number, before)
    assert not unheard
    assert [path.name for path in (tmp_path / "checkpoints").glob("step-*")] == ["step-00000001"]


def test_a_signal_while_data_is_waited_for_ends_the_waiting_and_what_is_done_is_saved(
    loop: Loop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    waited_on, batches = list[bool](), loop.parts.batches

    def stalling() -> Iterator[Batch]:
        yield from islice(batches, 2)
        signal.raise_signal(signal.SIGTERM)
        waited_on.append(True)

    loop.parts = replace(loop.parts, batches=stalling())
    assert loop.run("trainer.steps=9", "trainer.save_every=9").step == 2
    assert not waited_on
    assert "Stopping and saving; Ctrl-C again stops at once." in caplog.text
    assert [path.name for path in (tmp_path / "checkpoints").glob("step-*")] == ["step-00000002"]


def test_a_signal_within_a_step_lets_it_be_done(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    loop.parts.called.register_forward_hook(lambda *_: signal.raise_signal(signal.SIGINT))
    assert loop.run("trainer.steps=9").step == 1
    assert "Finishing step 1 and saving; Ctrl-C again stops at once." in caplog.text


def test_what_is_shown_on_the_way_is_of_the_mean_of_the_weights(loop: Loop) -> None:
    model, ema = loop.parts.model, Ema(loop.parts.model, decay=0.9)
    shown: list[Tensor] = []

    def show(_step: int, _sink: Sink) -> None:
        shown.append(model.norm.bias.detach().clone())

    loop.parts = replace(loop.parts, ema=ema, looks=(Look(show=show, every=3, seen=0),))
    loop.run("trainer.steps=3")
    assert [torch.equal(each, ema.tensors()["norm.bias"]) for each in shown] == [True]
    assert not torch.allclose(shown[0], model.norm.bias)


def test_what_cannot_be_shown_keeps_nothing_else_from_being_shown(loop: Loop) -> None:
    """Other processes, in which it could be, go on to that and wait for this one there."""
    shown: list[int] = []

    def fail(_step: int, _sink: Sink) -> None:
        raise OSError("No space left")

    looks = [Look(show=show, every=2, seen=0) for show in (fail, lambda step, _sink: shown.append(step))]
    loop.parts = replace(loop.parts, looks=(*looks,))
    with pytest.raises(OSError, match="No space left"):
        loop.run("trainer.steps=4")
    assert shown == [2]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_learnt_and_shown_is_in_the_precision_of_the_run(loop: Loop, precision: str) -> None:
    steady, shown = Steady(loop.parts.model), list[bool]()
    look = Look(show=lambda _step, _sink: shown.append(torch.is_autocast_enabled("cpu")), every=1, seen=0)
    loop.parts = replace(loop.parts, called=steady, looks=(look,))
    loop.run("trainer.steps=1", f"trainer.precision={precision}")
    assert steady.in_bf16 == shown == [precision == "bf16"]


def test_each_step_has_the_rate_of_its_number(run: Path) -> None:
    lines = read_metrics(run)
    wanted = [learning_rate(SMALL.optim, number, steps=len(lines)) for number in range(len(lines))]
    assert [line["learning_rate"] for line in lines] == pytest.approx(wanted)


def test_torch_has_as_many_threads_as_are_set(shards: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        pretrain(new_request([shards], tmp_path / "run", _settings("trainer.steps=1", "trainer.threads=1")), QUIET)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler, when it is imported
def test_blocks_are_compiled_where_that_is_set(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiled block that may not be compiled now says so, which takes no time."""
    monkeypatch.setenv("CXX", sys.executable)  # there is something to compile with
    with torch.compiler.set_stance("fail_on_recompile"):
        pretrain(new_request([shards], tmp_path / "plain", _settings("trainer.steps=1")), QUIET)
        with pytest.raises(Exception, match="fail_on_recompile"):
            changes = ("trainer.steps=1", "trainer.compile=true")
            pretrain(new_request([shards], tmp_path / "compiled", _settings(*changes)), QUIET)


def _settings(*more: str) -> TrainConfig:
    return load(TrainConfig, "tiny", [*SMALL_SETTINGS, *more])
