"""A small schema and a small program for the tests; run as a module it is that program."""

import importlib
import sys
from pathlib import Path

import typer
from pydantic import Field

from configs import Config, ConfigError, dump, load
from configs.command_line import EPILOG, ConfigName, Overrides, ShowConfig, run


class Optim(Config):
    lr: float = Field(default=0.1, gt=0)
    steps: int = 100


class Model(Config):
    name: str = "small"
    widths: tuple[int, ...] = (1, 2)
    optim: Optim = Optim()


class Job(Config):
    group = "train"  # of the installed configs, for names
    title: str = "a job"
    verbose: bool = False
    limit: float | None = None
    model: Model = Model()


class OurError(Exception):
    """What the program calls a wrong request."""


app = typer.Typer(epilog=EPILOG, pretty_exceptions_enable=False, add_completion=False)


@app.command()
def show(config: ConfigName = None, overrides: Overrides = None, show_config: ShowConfig = False) -> None:
    settings = load(Job, config, overrides or [])
    if show_config:
        typer.echo(dump(settings), nl=False)


@app.command()
def fail(kind: str, message: str = "") -> None:
    if kind == "exit":
        raise typer.Exit(1)
    if kind == "file":
        Path(message).read_text()
    if kind == "import":
        importlib.import_module(message)
    kinds = {"ours": OurError, "config": ConfigError, "bug": RuntimeError, "interrupt": KeyboardInterrupt}
    raise kinds[kind](message)


if __name__ == "__main__":
    sys.argv = [argument.replace("<escape>", "\x1b").replace("<newline>", "\n") for argument in sys.argv]
    run(app, extra="small", wrong_request=(OurError,))
