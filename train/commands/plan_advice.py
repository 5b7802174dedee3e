"""Whether a run fits into a card, and if not, which settings would make it fit and what each of them costs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from train.config import TrainConfig
from train.cost import GIB, largest_rows, memory

USABLE = 0.9  # share of a card that the device's context, libraries and the allocator's gaps leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a run's memory hangs on beside its settings."""

    vocabulary: int
    rows: int  # that a process learns at once
    world: int  # processes
    card: float  # GiB of each process's device

    @property
    def free(self) -> int:
        """Bytes."""
        return int(self.card * GIB * USABLE)


def advice(config: TrainConfig, setup: Setup) -> str:
    """One or a few sentences."""
    if _fits(config, setup):
        return f"It fits into a card of {setup.card:g} GiB, of which {USABLE:.0%} is counted on."
    ways = [*_single_ways(config, setup)] or [*_all_together(config, setup)]
    if not ways:
        return (
            f"It does not fit into a card of {setup.card:g} GiB, whatever is set: make the model smaller "
            "(model.width, model.depth) or take a larger card."
        )
    return f"It does not fit into a card of {setup.card:g} GiB. " + " Or: ".join(ways)


def _single_ways(config: TrainConfig, setup: Setup) -> Iterator[str]:
    if not config.model.recompute and _fits(_changed(config, recompute=True), setup):
        yield "--set model.recompute=true keeps less, for about a third more time."
    if setup.world > 1 and config.trainer.parallel != "fsdp" and _fits(_changed(config, parallel="fsdp"), setup):
        yield "--set trainer.parallel=fsdp shares weights and optimizer out."
    if fewer := _fewer_rows(config, setup):
        yield _in_parts(config, setup, fewer)


def _all_together(config: TrainConfig, setup: Setup) -> Iterator[str]:
    several = setup.world > 1
    changed = _changed(config, recompute=True, parallel="fsdp" if several else config.trainer.parallel)
    if fewer := _fewer_rows(changed, setup):
        sharing = " --set trainer.parallel=fsdp" if several else ""
        yield f"--set model.recompute=true{sharing}, and {_in_parts(config, setup, fewer)}"


def _in_parts(config: TrainConfig, setup: Setup, fewer: int) -> str:
    parts = -(-setup.rows // fewer)
    each = -(-setup.rows // parts)
    pairs = each * setup.world
    contrast = (
        f", but the contrast then compares {pairs} pairs at a time" if config.objective.contrastive.weight else ""
    )
    return f"--set trainer.accumulate={config.trainer.accumulate * parts} learns {each} rows at once{contrast}."


def _fits(config: TrainConfig, setup: Setup) -> bool:
    return memory(config, setup.vocabulary, rows=setup.rows, world=setup.world).total <= setup.free


def _fewer_rows(config: TrainConfig, setup: Setup) -> int:
    rows = largest_rows(config, setup.vocabulary, free=setup.free, world=setup.world)
    return min(rows, setup.rows)


def _changed(
    config: TrainConfig, *, recompute: bool = False, parallel: Literal["ddp", "fsdp"] | None = None
) -> TrainConfig:
    model = config.model.model_copy(update={"recompute": recompute or config.model.recompute})
    trainer = config.trainer.model_copy(update={"parallel": parallel or config.trainer.parallel})
    return config.model_copy(update={"model": model, "trainer": trainer})
