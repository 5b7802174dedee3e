"""The command `train`: parses, calls the verb, prints. All work is in train/commands/.

The verbs are imported where they are called: with them comes torch, for which `train --help` should not wait.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from configs.command_line import EPILOG, INTERRUPTED, ConfigName, Overrides, ShowConfig, run
from configs.loading import dump, load
from shards.errors import ShardsError
from train.commands.prepare_cli import app as prepare_app
from train.errors import RequestError, TrainError

if TYPE_CHECKING:
    from train.commands.asked import Asked
    from train.commands.request import Request
    from train.state import TrainState

app = typer.Typer(
    help="Pre-train a vision-and-language transformer on shards, and evaluate it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(prepare_app, name="prepare")

RESUME = (
    "Go on with the run in --out, or with the newest. An --out that holds no checkpoint yet is started, so that a job "
    "may be stopped and run again by the same words."
)

Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--shards", metavar="SET", help="A set's folder or a pattern of tars, also s3://...; may be repeated."
    ),
]


@app.command("pretrain", epilog=EPILOG)
def pretrain_command(
    context: typer.Context,
    shards: Sets = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run's folder; else a new one in runs/.")] = None,
    config: ConfigName = None,
    resume: Annotated[bool, typer.Option("--resume", help=RESUME)] = False,
    step: Annotated[int | None, typer.Option(help="With --resume: go back to the checkpoint of this step.")] = None,
    overrides: Overrides = None,
    show_config: ShowConfig = False,
) -> None:
    """Learn from a set's train split by hiding words and patches and rebuilding them."""
    from train.commands.asked import Asked

    asked = Asked(shards=shards or (), out=out, config=config, changes=overrides or (), resume=resume, step=step)
    if show_config:
        typer.echo(dump(asked.settings()), nl=False)
        return
    _pretrain(asked, context.obj)


def _pretrain(asked: "Asked", console: Console) -> None:
    from train.commands import looks, pretrain
    from train.distributed import joined, place_from_environment

    place = place_from_environment()
    if not place.first:
        logging.getLogger("train").setLevel(logging.ERROR)  # the first says it for all
        logging.getLogger("train.data.damage").setLevel(logging.WARNING)  # but each reads other samples
    with joined(place) as company:
        request = company.from_first(asked.request)  # one process looks for a free folder, not all
        wanted = company.from_first(lambda: request.steps_left > 0 or looks.are_owed(request))
        state = pretrain.pretrain(request, console, company) if wanted else None
    if place.first and state is None:
        _tell_that_all_is_done(request, console)
    elif place.first and state is not None:
        _tell_end(request, state, console)


def _tell_that_all_is_done(request: "Request", console: Console) -> None:
    steps = f"trainer.steps={request.config.trainer.steps}"
    told = f"Nothing is left to train: {request.run} has done all {steps} steps. Give more with --set trainer.steps=..."
    console.print(told, highlight=False, markup=False)


def _tell_end(request: "Request", state: "TrainState", console: Console) -> None:
    run, steps = escape(str(request.run)), request.config.trainer.steps
    if state.step == 0:
        console.print("Interrupted before the first step, so nothing is saved. Start again with: ", end="")
        console.print(f"train pretrain --resume --out {run}", highlight=False)
        raise typer.Exit(INTERRUPTED)
    if state.step < steps:
        console.print(f"Interrupted after step {state.step} of {steps}, which is saved. Go on with: ", end="")
        console.print(f"train pretrain --resume --out {run}", highlight=False)
        raise typer.Exit(INTERRUPTED)
    console.print(f"Trained {state.step} steps. The run is in {run}; evaluate it with:", highlight=False)
    console.print(f"  train eval --task retrieval --checkpoint {run}", highlight=False)


@app.command("eval", epilog=EPILOG)
def evaluate_command(
    task: Annotated[str, typer.Option(help="What to evaluate: retrieval.")],
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A run, or one of its checkpoints; else the newest run in runs/.")
    ] = None,
    shards: Annotated[
        str | None, typer.Option(metavar="SET", help="The set to score on; else the one it was trained on.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="train, val or test; else test.")] = None,
    route: Annotated[
        list[str] | None, typer.Option(help="dual or fullmask; may be repeated; else all it was trained for.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The scores; else in the run's folder.")] = None,
) -> None:
    """Score a trained model on samples it has not seen."""
    from train.commands import evaluate

    request = evaluate.Request(
        task=task, checkpoint=checkpoint, shards=shards, split=split, routes=route or (), out=out
    )
    report = evaluate.evaluate(request)
    console = Console(highlight=False)
    console.print(report.table)
    for path in report.paths:
        console.print(f"{path}", soft_wrap=True)


@app.command("export", epilog=EPILOG)
def export_command(
    to: Annotated[str, typer.Option(help="For whom: hf (transformers) or onnx (the two encoders alone).")],
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A run, or one of its checkpoints; else the newest run in runs/.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="A new folder; else one in the run's.")] = None,
) -> None:
    """Write a trained model for others, who load it without this package."""
    from train.commands import export

    report = export.export(export.Request(to=to, checkpoint=checkpoint, out=out))
    typer.echo(f"{report.folder}: {', '.join(report.files)}\nLoad it with:\n\n{report.loading}")


@app.command("plan", epilog=EPILOG)
def plan_command(
    config: ConfigName = None,
    rows: Annotated[int | None, typer.Option(min=1, help="Rows a process learns at once; else as set.")] = None,
    world: Annotated[int, typer.Option(min=1, help="Processes, each with a device of its own.")] = 1,
    card: Annotated[float, typer.Option(min=0.1, metavar="GIB", help="Memory of each device.")] = 80,
    tflops: Annotated[float | None, typer.Option(min=1e-3, help="Peak of each device: tells the hours, too.")] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there.")] = None,
    overrides: Overrides = None,
) -> None:
    """Tell parameters, operations, memory and hours of a run before it is started."""
    from train.commands import plan
    from train.commands.asked import DEFAULT_CONFIG
    from train.config import TrainConfig

    settings = load(TrainConfig, config or DEFAULT_CONFIG, overrides or [])
    found = plan.plan(plan.Request(config=settings, rows=rows, world=world, card=card, tflops=tflops, out=json))
    console = Console(highlight=False)
    console.print(found.table)
    console.print(found.advice, soft_wrap=True)


def main() -> None:
    run(
        app,
        extra="train",
        wrong_request=(RequestError, ShardsError),
        failed=(TrainError,),
        interrupted="Interrupted. A run that has a checkpoint goes on from it with 'train pretrain --resume'; "
        "one that has none yet is started again by it, with --out and the options it was started with.",
    )
