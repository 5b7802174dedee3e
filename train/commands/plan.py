"""`train plan`: what a run will need, by its settings alone, before anyone rents a GPU. No data is read."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from train.commands.plan_advice import USABLE, Setup, advice
from train.commands.request import rows_of
from train.config import TrainConfig
from train.cost import GIB, Memory, count_parameters, geometry_of, largest_rows, memory
from train.data.tokenizer import make_tokenizer
from train.distributed import Place
from train.models.cost import BACKWARD, Geometry, Pass, forward_flops
from train.objectives.passes import step_passes

CARDS = (16, 24, 40, 80)  # GiB
UTILISATION = 0.45  # of a device's peak, which a well-run step reaches
AGAIN = 4 / 3  # time with activations computed again: a second forward beside one forward and a backward of two


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A run that is thought of."""

    config: TrainConfig
    rows: int | None  # that a process learns at once; None is as the settings say
    world: int  # processes
    card: float  # GiB of each process's device
    tflops: float | None  # its peak in the settings' precision
    out: Path | None  # where the figures are to be written


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was found: figures of one level, to be stored; a table and a sentence, to be shown."""

    figures: Mapping[str, float]
    table: Table
    advice: str


def plan(request: Request) -> Plan:
    """Count, and write the figures if asked to. Raises RequestError where the batch cannot be dealt out."""
    config = request.config
    rows = request.rows or rows_of(config, Place(world=request.world))
    geometry = geometry_of(config, _vocabulary(config))
    passes = step_passes(config.objective, geometry, rows=rows)
    need = memory(config, geometry.vocabulary, rows=rows, world=request.world)
    figures = {
        "rows": rows,
        "world": request.world,
        "batch_size": config.data.batch_size,
        "vocabulary": geometry.vocabulary,
        **_parameters(geometry),
        **_operations(geometry, passes, rows=rows, config=config),
        **_memory(need),
        **{f"rows_in_{card}_gib": _rows_in(card, config, geometry, world=request.world) for card in CARDS},
        **_time(request, geometry, passes, rows=rows),
    }
    if request.out is not None:
        _write(figures, request.out)
    return Plan(figures=figures, table=_table(figures, passes, request), advice=_advised(request, geometry, rows=rows))


def _write(figures: Mapping[str, float], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    partial.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    partial.replace(out)


def _advised(request: Request, geometry: Geometry, *, rows: int) -> str:
    setup = Setup(vocabulary=geometry.vocabulary, rows=rows, world=request.world, card=request.card)
    return advice(request.config, setup)


def _vocabulary(config: TrainConfig) -> int:
    """A trained tokenizer may have fewer pieces than it is allowed, where the captions hold no more."""
    if config.tokenizer.source:
        return make_tokenizer(config.tokenizer, ()).vocabulary
    return config.tokenizer.vocabulary


def _parameters(geometry: Geometry) -> dict[str, float]:
    counted = count_parameters(geometry)
    return {
        "parameters": counted.total,
        "parameters_encoder": counted.encoder,
        "parameters_embeddings": counted.embeddings,
        "parameters_heads": counted.heads,
    }


def _operations(geometry: Geometry, passes: tuple[Pass, ...], *, rows: int, config: TrainConfig) -> dict[str, float]:
    """A sample's are the mean over the modes by their rows; a mode's are those of one row that is used so."""
    forward = sum(run.rows * forward_flops(geometry, run) for run in passes) / rows
    modes = {f"flops_forward_{run.name}": forward_flops(geometry, run) for run in passes}
    training = (1 + BACKWARD) * forward
    return {
        "flops_forward": forward,
        **modes,
        "flops_training": training,
        "flops_per_step": training * config.data.batch_size,
    }


def _memory(need: Memory) -> dict[str, float]:
    return {
        "bytes": need.total,
        "bytes_weights": need.weights,
        "bytes_copies": need.copies,
        "bytes_gathered": need.gathered,
        "bytes_gradients": need.gradients,
        "bytes_optimizer": need.optimizer,
        "bytes_ema": need.ema,
        "bytes_activations": need.activations,
        "bytes_logits": need.logits,
    }


def _rows_in(card: float, config: TrainConfig, geometry: Geometry, *, world: int) -> int:
    return largest_rows(config, geometry.vocabulary, free=int(card * GIB * USABLE), world=world)


def _time(request: Request, geometry: Geometry, passes: tuple[Pass, ...], *, rows: int) -> dict[str, float]:
    if request.tflops is None:
        return {}
    config = request.config
    step = _operations(geometry, passes, rows=rows, config=config)["flops_per_step"]
    again = AGAIN if config.model.recompute else 1.0
    seconds = step * again / (request.tflops * 1e12 * UTILISATION * request.world)
    return {"step_seconds": seconds, "hours": seconds * config.trainer.steps / 3600}


def _table(figures: Mapping[str, float], passes: tuple[Pass, ...], request: Request) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    for label, value in _lines(figures, passes, request):
        table.add_row(label, value)
    return table


def _lines(figures: Mapping[str, float], passes: tuple[Pass, ...], request: Request) -> Iterator[tuple[str, str]]:
    yield "parameters", f"{figures['parameters'] / 1e6:.1f} M"
    for part in ("encoder", "embeddings", "heads"):
        yield f"  {part}", f"{figures[f'parameters_{part}'] / 1e6:.1f} M"
    yield "operations a sample, forward", _giga(figures["flops_forward"])
    for run in passes:
        share = run.rows / figures["rows"]
        yield f"  {run.name}, {share:.0%} of the rows, {run.slots} slots", _giga(figures[f"flops_forward_{run.name}"])
    yield "operations a sample, training", _giga(figures["flops_training"])
    yield f"memory of each process, {figures['rows']:.0f} rows at once", _gib(figures["bytes"])
    for name, value in figures.items():
        if name.startswith("bytes_") and value:
            yield f"  {name.removeprefix('bytes_')}", _gib(value)
    yield f"rows at once that fit into a card of ({USABLE:.0%} of it used)", ""
    for card in CARDS:
        yield f"  {card} GiB", f"{figures[f'rows_in_{card}_gib']:.0f}"
    if "hours" in figures:
        steps = request.config.trainer.steps
        yield (
            f"{steps} steps of {figures['batch_size']:.0f}, at {UTILISATION:.0%} of {request.tflops:g} TFLOP/s"
            f" x {request.world}",
            f"{figures['hours']:,.1f} h",
        )


def _giga(value: float) -> str:
    return f"{value / 1e9:.2f} GFLOP"


def _gib(value: float) -> str:
    return f"{value / GIB:.2f} GiB"
