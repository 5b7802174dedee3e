"""What the commands `harvest` and `train` share: common options, and how an error reaches the person.

Exit codes: 0 all well, 1 some items failed or the work broke, 2 the request or a setting is wrong.
"""

import logging
import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

from configs.loading import ConfigError

MAX_LENGTH = 1000  # characters of an error that are shown
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
EPILOG = "--debug, anywhere on the line, shows debug messages and full tracebacks."

PACKAGES = ("configs", "harvest", "shards", "train")

ConfigName = Annotated[
    str | None, typer.Option("--config", metavar="NAME|FILE", help="Settings: a name in configs/ or a YAML file.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=VALUE", help="Change one setting; may be repeated.")
]
ShowConfig = Annotated[bool, typer.Option("--show-config", help="Print the resolved settings and stop.")]


def run(
    app: typer.Typer,
    *,
    extra: str,
    wrong_request: tuple[type[Exception], ...],
    failed: tuple[type[Exception], ...] = (),
    interrupted: str = "Interrupted. What was finished is kept: run the same command to go on.",
) -> NoReturn:
    """Run `app` on the process's arguments and exit.

    `wrong_request` are the package's own errors whose message is the sentence to show, with exit code 2, `failed`
    those with exit code 1; `extra` is what must be installed for the package's own imports to be there.
    Any other exception ends with 1 and one line; --debug gives the traceback of either. The console of errors and
    log lines is the context's `obj`, for commands that draw on the same screen.
    """
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    errors = Console(stderr=True, soft_wrap=True, emoji=False)
    _set_up_logging(errors, debug=debug)
    try:
        app(arguments, obj=errors)  # leaves by SystemExit, also for mistakes in the options themselves
    except SystemExit as leaving:
        if not _comes_of(leaving, KeyboardInterrupt):
            raise
        errors.print(interrupted, highlight=False)
        sys.exit(INTERRUPTED)
    except Exception as error:  # the border of the program: a person gets a sentence, never a bare traceback
        if isinstance(error, (ConfigError, *wrong_request)):
            _show(errors, error, debug=debug)
            sys.exit(2)
        if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] not in PACKAGES:
            _show(errors, _missing(error, extra), debug=debug)
            sys.exit(2)
        if not isinstance(error, (OSError, *failed)):
            errors.print(f"{type(error).__name__} (a bug, or a case we have not met; --debug shows where):", end=" ")
        _show(errors, error, debug=debug)
        sys.exit(1)
    sys.exit(0)


def _missing(error: ModuleNotFoundError, extra: str) -> ConfigError:
    return ConfigError(f"The package {error.name} is not installed: pip install 'harvest-train[{extra}]' brings it.")


def _comes_of(error: BaseException | None, kind: type[BaseException]) -> bool:
    """typer turns Ctrl-C into an exit of its own, with a code that depends on its version."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error is not None


def _set_up_logging(console: Console, *, debug: bool) -> None:
    handler = RichHandler(console=console, show_time=False, show_path=debug, markup=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    for package in PACKAGES:
        logging.getLogger(package).setLevel(logging.DEBUG if debug else logging.INFO)


def _show(console: Console, error: Exception, *, debug: bool) -> None:
    if debug:
        console.print_exception()
    text = " ".join(str(error).split()) or type(error).__name__
    printable = "".join(sign for sign in text if sign.isprintable())  # strangers' names steer no terminal
    if len(printable) > MAX_LENGTH:
        printable = f"{printable[:MAX_LENGTH]}… (--debug shows all of it)"
    console.print(f"[bold red]Error:[/] {escape(printable)}", highlight=False)
