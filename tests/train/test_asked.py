"""What a run is asked for: a start, a continuation, or whichever it is by now; and what is refused or cleared away."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from configs.loading import load
from shards.manifest import MANIFEST_NAME
from train import claim
from train.checkpoint import Checkpoint
from train.commands.agreement import refuse_another_view
from train.commands.asked import Asked
from train.commands.learner import compiler_errors_told
from train.commands.pretrain import pretrain
from train.commands.request import Request, new_request, resume_request
from train.config import TrainConfig
from train.distributed import Place
from train.errors import CheckpointError, DataError, RequestError, RunFolderError
from train.runs import CHECKPOINTS, checkpoint_of

ELSEWHERE = Place(rank=8, world=16, local=0)  # the first process of the second machine


@pytest.fixture
def asked(shards: Path, tmp_path: Path) -> Asked:
    return Asked(shards=[str(shards)], out=tmp_path / "run", resume=True)


def held(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_run_that_was_stopped_before_its_first_checkpoint_is_started_again(asked: Asked) -> None:
    assert asked.out is not None
    (asked.out / CHECKPOINTS / ".step-00000004.partial").mkdir(parents=True)
    for name in ("versions.json", "metrics.jsonl", "wandb-run-id.txt"):
        (asked.out / name).write_text("left")
    assert asked.request().resumed is None
    with pytest.raises(RunFolderError, match="add --resume to start it again, for it has no checkpoint"):
        replace(asked, resume=False).request()


def test_what_is_not_said_again_of_a_run_without_a_checkpoint_is_as_it_was_begun(asked: Asked, run: Path) -> None:
    assert asked.out is not None
    asked.out.mkdir()
    for name in ("config.yaml", "sets.json"):
        shutil.copy(run / name, asked.out)
    begun = replace(asked, shards=(), changes=["trainer.steps=3"]).request()
    assert begun.resumed is None
    assert [source.name for source in begun.sources] == [*asked.shards]
    assert begun.config == load(TrainConfig, run / "config.yaml", ["trainer.steps=3"])
    (asked.out / "sets.json").write_text('{"of": "another"}')
    with pytest.raises(RunFolderError, match="say so with --shards"):
        replace(asked, shards=()).request()


def test_what_is_no_run_is_never_started_into(asked: Asked) -> None:
    assert asked.out is not None
    asked.out.mkdir()
    (asked.out / "thesis.tex").write_text("years of work")
    with pytest.raises(RunFolderError, match=r"thesis\.tex is no part of a run"):
        asked.request()


def test_a_run_with_a_checkpoint_is_never_started_again(asked: Asked, run: Path) -> None:
    assert asked.out is not None
    shutil.copytree(run, asked.out)
    again = replace(asked, changes=["trainer.steps=20"])
    (asked.out / CHECKPOINTS / "latest").unlink()  # as a kill leaves it at the first checkpoint
    assert again.request().steps_left == 8
    (asked.out / CHECKPOINTS / "latest").write_text("step-00000099\n")
    with pytest.raises(CheckpointError):
        again.request()


def test_settings_from_a_file_are_those_a_run_goes_on_with_if_nothing_fixed_differs(
    asked: Asked, run: Path, tmp_path: Path
) -> None:
    wanted = tmp_path / "mine.yaml"
    wanted.write_text((run / "config.yaml").read_text())
    again = replace(asked, out=run, config=str(wanted), changes=["optim.lr=0.5"])
    assert again.settings() == again.request().config
    assert again.settings().optim.lr == 0.5
    with pytest.raises(RequestError, match="is fixed when a run starts"):
        replace(again, config="tiny").settings()


@pytest.mark.parametrize("content", ["", "{", '{"schema": 99}', None])
def test_a_set_that_cannot_be_read_any_more_is_asked_for(
    shards: Path, run: Path, tmp_path: Path, content: str | None
) -> None:
    copy, moved = Path(shutil.copytree(run, tmp_path / "run")), Path(shutil.copytree(shards, tmp_path / "moved"))
    for state in copy.glob("checkpoints/*/state.json"):
        state.write_text(state.read_text().replace(str(shards), str(moved)))
    if content is None:
        shutil.rmtree(moved)
    else:
        (moved / MANIFEST_NAME).write_text(content)
    with pytest.raises(DataError, match=r"cannot be read from .*moved .*: say with --shards where it is now"):
        resume_request([], copy, [])


def test_a_place_beyond_the_end_of_a_set_is_damage(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    state = checkpoint_of(copy) / "state.json"
    state.write_text(state.read_text().replace('"ordinal": 0', '"ordinal": 48'))
    with pytest.raises(CheckpointError, match="48 samples of an epoch"):
        resume_request([], copy, [])


def test_a_run_that_never_began_leaves_nothing(
    shards: Path, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    told = config.model_copy(update={"trainer": config.trainer.model_copy(update={"wandb": "drawn"})})
    for run in (tmp_path / "new", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(RequestError, match="needs the package wandb"):
            pretrain(new_request([shards], run, told), Console(quiet=True))
    assert [name for name in held(tmp_path) if not name.startswith(".")] == ["empty"]
    assert held(tmp_path / "empty") == []


def test_what_was_there_before_a_failed_start_stays(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("of an earlier try")
    with pytest.raises(KeyboardInterrupt), claim.beginning(tmp_path, made=False):
        raise KeyboardInterrupt
    assert held(tmp_path) == ["metrics.jsonl"]


def test_of_runs_that_start_at_once_each_has_a_folder_of_its_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [*pool.map(lambda _: claim.make_next(tmp_path), range(16))]
    assert sorted(path.name for path in made) == [f"pretrain-{number:03d}" for number in range(1, 17)]


HOLDER = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); input()"


def test_a_folder_that_another_process_trains_into_is_refused_and_left_alone(
    shards: Path, config: TrainConfig, tmp_path: Path
) -> None:
    request = new_request([shards], tmp_path / "run", config)
    command = [sys.executable, "-c", HOLDER, str(request.run / claim.LOCK_NAME)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(RunFolderError, match="is being trained into by another process"):
            pretrain(request, Console(quiet=True))
        other.communicate(b"\n")
    assert held(request.run) == [claim.LOCK_NAME]
    with claim.held(request.run):
        pass


@pytest.fixture
def resumed(run: Path) -> Request:
    return resume_request([], run, ["trainer.steps=20"])


def test_a_machine_that_sees_the_same_is_let_through(resumed: Request) -> None:
    refuse_another_view(resumed, ELSEWHERE)


def test_a_machine_that_sees_another_set_is_refused(resumed: Request) -> None:
    other = replace(resumed, sources=(replace(resumed.sources[0], digest="another"),))
    refuse_another_view(other, Place(rank=9, world=16, local=1))  # one process a machine looks
    with pytest.raises(DataError, match="is another set here"):
        refuse_another_view(other, ELSEWHERE)


def test_a_machine_that_sees_another_checkpoint_or_none_is_refused(resumed: Request, tmp_path: Path) -> None:
    assert resumed.resumed is not None
    theirs = resumed.resumed
    later = replace(resumed, resumed=replace(theirs, state=replace(theirs.state, step=99)))
    with pytest.raises(RunFolderError, match="is of step 12 here and of step 99 on the first machine"):
        refuse_another_view(later, ELSEWHERE)
    gone = replace(resumed, resumed=Checkpoint(folder=tmp_path, tokenizer=theirs.tokenizer, state=theirs.state))
    with pytest.raises(RunFolderError, match="which is not here: keep runs on a file system that all machines share"):
        refuse_another_view(gone, ELSEWHERE)


def test_a_compiler_that_fails_is_one_sentence() -> None:
    from torch._inductor.exc import CppCompileError, InductorError

    failure = CppCompileError(["g++", "-O3"], "page\n" * 500)
    for error in (failure, InductorError(failure, None)):
        with (
            pytest.raises(RequestError, match=r"C\+\+ compile error\): leave trainer\.compile out") as told,
            compiler_errors_told(),
        ):
            raise error
        assert "page" not in str(told.value)
