"""How a program ends: its exit code, and one sentence for the person. A real program, run as one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.configs.small", *arguments]
    environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_all_well_is_zero_and_some_failed_is_one() -> None:
    shown = program("show", "--set", "model.optim.lr=0.5", "--show-config")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "lr: 0.5" in shown.stdout
    failed = program("fail", "exit")
    assert (failed.returncode, failed.stdout, failed.stderr) == (1, "", "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "--set", "titel=x"], 2, "Error: There is no setting 'titel': did you mean 'title'?\n"),
        (["fail", "ours", "--message", "No [bold]such[/] :cat: thing."], 2, "Error: No [bold]such[/] :cat: thing.\n"),
        (["fail", "ours", "--message", "a<newline>b<escape>[2J"], 2, "Error: a b[2J\n"),
        (["fail", "ours"], 2, "Error: OurError\n"),
        (["fail", "file", "--message", "/no/such"], 1, "Error: [Errno 2] No such file or directory: '/no/such'\n"),
    ],
)
def test_an_error_is_one_sentence_and_no_traceback(arguments: list[str], code: int, message: str) -> None:
    done = program(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", message)


def test_a_bug_is_one_line_that_says_so() -> None:
    done = program("fail", "bug", "--message", "first<newline>second")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert all(part in done.stderr for part in ("RuntimeError", "--debug", "first second"))


def test_an_error_is_no_page() -> None:
    done = program("fail", "ours", "--message", "x" * 5000)
    assert done.stderr == f"Error: {'x' * 1000}… (--debug shows all of it)\n"


def test_a_package_that_is_not_installed_is_named_with_what_brings_it() -> None:
    done = program("fail", "import", "--message", "no_such_package.part")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert all(part in done.stderr for part in ("no_such_package", "harvest-train[small]"))


def test_a_mistake_in_the_options_is_two() -> None:
    for arguments in (["nonsense"], ["show", "--nonsense"], ["fail"]):
        done = program(*arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_an_interruption_is_130_and_says_how_to_go_on() -> None:
    done = program("fail", "interrupt")
    assert done.returncode == 130
    assert "same command" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("place", [0, 1, 2])
def test_debug_anywhere_on_the_line_shows_the_traceback(place: int) -> None:
    arguments = ["fail", "ours", "--message=gone"]
    done = program(*arguments[:place], "--debug", *arguments[place:])
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "small.py" in done.stderr
    assert done.stderr.endswith("Error: gone\n")
