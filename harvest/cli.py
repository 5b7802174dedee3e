"""The command `harvest`: parse, load the settings, call the verb, show what it says, set the exit code.

The verbs are imported where they are called: with them come decoders and detectors, for which `--help` should not
wait, and without which `validate` works.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

import configs
from configs.command_line import EPILOG, ConfigName, Overrides, ShowConfig, run
from harvest.errors import HarvestError, Reason, RequestError
from harvest.terminal import plain
from shards.errors import ShardsError

if TYPE_CHECKING:
    from harvest.config import HarvestConfig

app = typer.Typer(
    name="harvest",
    help="Turn narrated video into paired image-text shards.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

MAX_PROBLEMS = 20  # shown; more are counted
DEFAULT_WORK = Path("data/work")
DEFAULT_SHARDS = Path("data/shards")

Work = Annotated[Path, typer.Option(help="Where the videos' folders and the ledger lie.")]


def main() -> None:
    """The entry point of the console script."""
    run(app, extra="harvest", wrong_request=(HarvestError, ShardsError))


@app.command(epilog=EPILOG)
def collect(
    playlist: Annotated[
        str, typer.Option(help="A list of URLs and paths, one a line; or a folder, a file, a URL.")
    ] = "",
    work: Work = DEFAULT_WORK,
    only: Annotated[str, typer.Option(metavar="STAGE", help="Run one stage alone.")] = "",
    retry: Annotated[str, typer.Option(metavar="REASON,...", help="Try these failures again.")] = "",
    config: ConfigName = "default",
    set_: Overrides = None,
    show_config: ShowConfig = False,
) -> None:
    """Download, transcribe and pick key frames; what is done is not done again."""
    from harvest import views
    from harvest.commands.collect import CollectRequest
    from harvest.commands.collect import collect as verb

    settings = _settings(config, set_ or (), show=show_config)
    if not playlist:
        raise RequestError("Nothing is named to collect: --playlist takes a list of URLs, a folder, a file or a URL.")
    request = CollectRequest(playlist=playlist, work=work, config=settings, only=only, retry=_reasons(retry))
    console = Console()
    with views.CollectBars(console) as bars:
        report = verb(request, bars)
    views.show_collected(console, report)
    raise typer.Exit(1 if report.failures else 0)


@app.command(epilog=EPILOG)
def shard(
    work: Work = DEFAULT_WORK,
    out: Annotated[Path, typer.Option(help="The folder of the set; an older set in it is replaced.")] = DEFAULT_SHARDS,
    exclude: Annotated[
        list[Path] | None, typer.Option(help="A list of pairs to leave out, as the page of 'harvest report' saves it.")
    ] = None,
    beside: Annotated[
        list[Path] | None, typer.Option(help="Another set: the videos and pictures that it holds are left out.")
    ] = None,
    config: ConfigName = "default",
    set_: Overrides = None,
    show_config: ShowConfig = False,
) -> None:
    """Pair key frames with speech, filter, and write the shard set."""
    from harvest import views
    from harvest.commands.shard import shard as verb

    settings = _settings(config, set_ or (), show=show_config)
    console = Console()
    with views.ShardBars(console) as bars:
        manifest = verb(work, out, settings, bars, exclude=exclude or (), beside=beside or ())
    views.show_manifest(console, manifest, str(out))


@app.command(epilog=EPILOG)
def status(work: Work = DEFAULT_WORK) -> None:
    """Show how far the videos of a work folder have come, and why some have not."""
    from harvest import views
    from harvest.commands.status import status as verb

    views.show_status(Console(), verb(work))


@app.command(epilog=EPILOG)
def validate(shards: Annotated[Path, typer.Argument(help="The folder of the set.")] = DEFAULT_SHARDS) -> None:
    """Check a shard set against its manifest: digests, keys, counts, pictures, splits."""
    from shards.validate import check_folder
    from shards.validate import validate as check_shards

    console = Console(soft_wrap=True, highlight=False)
    problems = check_folder(shards)
    for entry, found in check_shards(shards):
        console.print(f"{entry.name}: {f'{len(found)} problems' if found else 'sound'}")
        problems += found
    for problem in problems[:MAX_PROBLEMS]:
        console.print(f"[red]problem[/] {plain(problem, most=400)}")
    if len(problems) > MAX_PROBLEMS:
        console.print(f"... and {len(problems) - MAX_PROBLEMS} more.")
    if problems:
        raise typer.Exit(1)
    console.print(f"[green]{plain(str(shards))} is sound.[/]")


@app.command(epilog=EPILOG)
def report(
    shards: Annotated[Path, typer.Argument(help="The folder of the set.")] = DEFAULT_SHARDS,
    out: Annotated[Path | None, typer.Option(help="The page; report.html beside the folder if not given.")] = None,
    compare: Annotated[Path | None, typer.Option(help="Another set, to be shown beside it.")] = None,
    work: Annotated[Path | None, typer.Option(help="Where the pictures of dropped pairs are.")] = None,
    pairs: Annotated[int, typer.Option(min=0, max=5000, help="How many to show; each takes about 10 kB.")] = 200,
) -> None:
    """Write a page to look at a set, and to pick out by hand what should not be in it."""
    from harvest.commands.report import report as verb
    from harvest.report import ReportConfig

    page = verb(shards, out, ReportConfig(pairs=pairs), compare=compare, work=work)
    Console(soft_wrap=True, highlight=False).print(
        f"[green]{plain(str(page), most=400)}[/] can be opened in a browser."
    )


def _settings(name: str | None, overrides: Sequence[str], *, show: bool) -> "HarvestConfig":
    """The resolved settings; with `show` they are printed, and that is all."""
    from harvest.config import HarvestConfig

    settings = configs.load(HarvestConfig, name, overrides)
    if show:
        print(configs.dump(settings), end="")  # noqa: T201  plain YAML, to be piped into a file
        raise typer.Exit
    return settings


def _reasons(text: str) -> frozenset[Reason]:
    names = [name for name in text.replace(" ", "").split(",") if name]
    unknown = [name for name in names if name not in set(Reason)]
    if unknown:
        raise RequestError(f"There is no reason {unknown[0]!r} to retry: choose among {', '.join(Reason)}.")
    return frozenset(Reason(name) for name in names)
