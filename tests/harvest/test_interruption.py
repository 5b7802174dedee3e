"""A harvest that is interrupted or killed goes on where it was, to the same bytes."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.harvest.conftest import FACTS, HARVEST, harvest, harvest_here
from tests.makers import Scene, VideoStyle, draw_fact, draw_title, say, sound, tone, write_video

PATIENCE_S = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of different content: two narrated, one in which nobody speaks."""
    folder = tmp_path_factory.mktemp("three")
    for name, fact in zip(("a.mp4", "b.mp4"), FACTS, strict=False):
        scene = Scene(picture=draw_fact(fact, seed=0, background=0), speech=say(fact.phrases))
        write_video(folder / name, [scene], VideoStyle())
    write_video(folder / "c.mp4", [Scene(picture=draw_title("Beep"), speech=sound(tone(1.0)))], VideoStyle())
    return folder


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The set that a harvest without any interruption gives."""
    base = tmp_path_factory.mktemp("undisturbed")
    assert harvest("collect", "--playlist", folder, "--work", "work", cwd=base).returncode == 1  # nobody speaks in c
    harvest_here("shard", "--work", "work", "--out", "out", cwd=base, check=True)
    return base / "out"


@contextmanager
def collecting(folder: Path, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A running `harvest collect` that has got so far that one stage of one video is done."""
    command = [*HARVEST, "collect", "--playlist", str(folder), "--work", "work"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # What a shell runs in the background ignores Ctrl-C, and so does all that the tests start then.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + PATIENCE_S
    while not [*(cwd / "work").glob("*/video.json")]:
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield run
    finally:
        if run.poll() is None:
            run.kill()
        run.communicate()


def finish_and_compare(folder: Path, cwd: Path, undisturbed: Path) -> None:
    run = harvest("collect", "--playlist", folder, "--work", "work", cwd=cwd)
    assert "Failed: 1 no_speech" in run.stdout, run.stdout + run.stderr
    assert not [*(cwd / "work").glob("*/.*")]
    harvest_here("shard", "--work", "work", "--out", "out", cwd=cwd, check=True)
    for path in sorted(undisturbed.rglob("*")):
        if path.is_file():
            assert (cwd / "out" / path.relative_to(undisturbed)).read_bytes() == path.read_bytes(), path.name


def test_a_second_run_is_refused_ctrl_c_ends_with_a_sentence_and_the_next_run_goes_on(
    folder: Path, undisturbed: Path, tmp_path: Path
) -> None:
    with collecting(folder, tmp_path) as run:
        os.killpg(run.pid, signal.SIGSTOP)  # it cannot end before the second is refused
        second = harvest_here("collect", "--playlist", folder, "--work", "work", cwd=tmp_path)
        os.killpg(run.pid, signal.SIGCONT)
        assert (second.returncode, second.stdout) == (2, "")
        assert f"Process {run.pid} is collecting into work" in second.stderr
        workers = psutil.Process(run.pid).children(recursive=True)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to the command and its workers
        started = time.monotonic()
        output, errors = run.communicate(timeout=PATIENCE_S)
        assert time.monotonic() - started < 10
    assert run.returncode == 130, output + errors
    assert errors.strip() == "Interrupted. What was finished is kept: run the same command to go on."
    _, alive = psutil.wait_procs(workers, timeout=5)
    assert not [worker for worker in alive if worker.status() != psutil.STATUS_ZOMBIE]
    finish_and_compare(folder, tmp_path, undisturbed)


def test_a_killed_run_leaves_no_workers_and_nothing_torn(folder: Path, undisturbed: Path, tmp_path: Path) -> None:
    with collecting(folder, tmp_path) as run:
        workers = psutil.Process(run.pid).children(recursive=True)
        run.kill()
        run.communicate()
        gone, alive = psutil.wait_procs(workers, timeout=PATIENCE_S)
        assert (len(gone), alive) == (len(workers), [])
    finish_and_compare(folder, tmp_path, undisturbed)


def test_a_killed_worker_is_one_videos_outcome_and_passes_the_next_time(
    folder: Path, undisturbed: Path, tmp_path: Path
) -> None:
    with collecting(folder, tmp_path) as run:
        for worker in psutil.Process(run.pid).children(recursive=True):
            if "spawn_main" in " ".join(worker.cmdline()):
                worker.kill()
        output, errors = run.communicate(timeout=PATIENCE_S)
    assert run.returncode in (1, 2), output + errors
    finish_and_compare(folder, tmp_path, undisturbed)
