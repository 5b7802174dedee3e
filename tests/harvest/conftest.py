"""Shared media and runs: made once, as making and hearing them takes the longest."""

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from harvest.cli import main
from tests.makers import Fact, Scene, Thing, Truth, VideoStyle, draw_fact, draw_title, say, write_video
from tests.makers.timeline import Entrance

HARVEST = (sys.executable, "-m", "harvest")


@dataclass(frozen=True, slots=True)
class Narrated:
    """A video and the truth about it."""

    path: Path
    truth: Truth


ENTRANCES: tuple[Entrance, ...] = ("cut", "cut", "fade")
FACTS = (
    Fact(first=Thing(colour="red", shape="circle"), relation="is over", second=Thing(colour="blue", shape="square")),
    Fact(first=Thing(colour="green", shape="star"), relation="is over", second=Thing(colour="red", shape="square")),
    Fact(first=Thing(colour="blue", shape="circle"), relation="is over", second=Thing(colour="green", shape="star")),
)


@pytest.fixture(scope="session")
def narrated(tmp_path_factory: pytest.TempPathFactory) -> Narrated:
    """Three facts, each said over its own picture, with a hard cut, then a fade between them."""
    path = tmp_path_factory.mktemp("media") / "facts.mp4"
    scenes = [
        Scene(picture=draw_fact(fact, seed=seed, background=seed), speech=say(fact.phrases), entrance=entrance)
        for seed, (fact, entrance) in enumerate(zip(FACTS, ENTRANCES, strict=True))
    ]
    return Narrated(path, write_video(path, scenes, VideoStyle()))


@pytest.fixture(scope="session")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("media") / "silent.mp4"
    write_video(path, [Scene(picture=draw_title("Silence"), seconds=2.0)], VideoStyle(audio="silent"))
    return path


@pytest.fixture(scope="session")
def mute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video without an audio track."""
    path = tmp_path_factory.mktemp("media") / "mute.mp4"
    write_video(path, [Scene(picture=draw_title("Mute"), seconds=1.0)], VideoStyle(audio="none"))
    return path


def harvest(*arguments: str | Path, cwd: Path, check: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the real command, with wide lines as for a file."""
    environment = {**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    command = [*HARVEST, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240, check=check)


def harvest_here(*arguments: str | Path, cwd: Path, check: bool = False) -> subprocess.CompletedProcess[str]:
    """The same in this process, for what starts none: far quicker, as all is imported. Log lines are not among it."""
    command, out, err = [*map(str, arguments)], io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        patch.dict(os.environ, COLUMNS="200"),
        patch.object(sys, "argv", ["harvest", *command]),
        pytest.raises(SystemExit) as left,
    ):
        main()
    done = subprocess.CompletedProcess(command, int(left.value.code or 0), out.getvalue(), err.getvalue())
    if check:
        done.check_returncode()
    return done
