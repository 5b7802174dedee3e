"""What every engine must do, whatever happens to its workers. A new engine joins ENGINES."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harvest.engines import Engine, EngineConfig, LocalEngine, Outcome, Task
from harvest.errors import HarvestError, Reason, RequestError
from harvest.folder import VideoFolder
from harvest.records import Scenes, Transcript, Video, VideoRef
from harvest.stages.base import Stage
from tests.harvest.stages_for_tests import Both, DiesAtSetup, First, Last, Pictures, Unloadable, Words

ENGINES: Mapping[str, Callable[[Path], Engine]] = {
    "local": lambda work: LocalEngine(work, EngineConfig(workers={"download": 2})),
}
ROAD: tuple[Stage, ...] = (First(), Words(), Pictures())


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    return ENGINES[request.param](tmp_path)


def task(work: Path, video_id: str, title: str = "", stages: tuple[Stage, ...] = ROAD) -> Task:
    VideoFolder(work, video_id).save(VideoRef(id=video_id, url="", title=title), "")
    return Task(video_id=video_id, fingerprints={stage.name: stage.fingerprint(video_id) for stage in stages})


def by_video(outcomes: list[Outcome]) -> dict[str, dict[str, Reason | None]]:
    found: dict[str, dict[str, Reason | None]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.video_id, {})[outcome.stage] = outcome.reason
    return found


def test_every_stage_of_every_video_is_run_and_its_record_saved(engine: Engine, tmp_path: Path) -> None:
    names = [f"v{number}" for number in range(12)]
    found = by_video([*engine.run(ROAD, (task(tmp_path, name) for name in names))])
    assert found == {name: {"download": None, "transcribe": None, "scenes": None} for name in names}
    for name in names:
        folder = VideoFolder(tmp_path, name)
        assert folder.has(Video, f"first+{name}")
        assert folder.has(Transcript, f"words+{name}")
        assert folder.has(Scenes, f"pictures+{name}")


def test_a_failure_ends_its_video_and_no_other(engine: Engine, tmp_path: Path) -> None:
    titles = {"a": "", "b": "gone", "c": "bug", "d": "die", "e": "", "f": ""}
    outcomes = [*engine.run(ROAD, [task(tmp_path, name, title) for name, title in titles.items()])]
    found = by_video(outcomes)
    assert found["b"] == {"download": Reason.GONE}
    assert found["c"] == {"download": Reason.FAILED}
    assert found["d"] == {"download": Reason.CRASHED}
    for name in "aef":
        assert found[name] == {"download": None, "transcribe": None, "scenes": None}
    (bug,) = [outcome for outcome in outcomes if outcome.video_id == "c"]
    assert bug.message == "ZeroDivisionError: a bug"
    assert "Traceback" in bug.details


def test_a_stage_that_hangs_is_stopped_and_the_rest_goes_on(engine: Engine, tmp_path: Path) -> None:
    road = (First(timeout_s=3.0), Words(), Pictures())
    tasks = [task(tmp_path, "a", "hang", road), task(tmp_path, "b", "", road), task(tmp_path, "c", "", road)]
    found = by_video([*engine.run(road, tasks)])
    assert found["a"] == {"download": Reason.TIMEOUT}
    assert found["b"] == found["c"] == {"download": None, "transcribe": None, "scenes": None}


def test_only_the_stages_that_are_asked_for_are_run(engine: Engine, tmp_path: Path) -> None:
    [*engine.run(ROAD, [task(tmp_path, "a", stages=(First(),))])]
    found = by_video([*engine.run(ROAD, [task(tmp_path, "a", stages=(Pictures(),))])])
    assert found == {"a": {"scenes": None}}


def test_a_stage_waits_for_all_it_reads_and_falls_with_any_of_them(engine: Engine, tmp_path: Path) -> None:
    road: tuple[Stage, ...] = (First(), Words(), Pictures(), Both(), Last())
    tasks = [task(tmp_path, "a", "", road), task(tmp_path, "b", "mute", road), task(tmp_path, "c", "gone", road)]
    found = by_video([*engine.run(road, tasks)])
    assert found["a"] == {"download": None, "transcribe": None, "scenes": None, "both": None, "last": None}
    assert found["b"] == {"download": None, "transcribe": Reason.NO_AUDIO, "scenes": None}
    assert found["c"] == {"download": Reason.GONE}


def test_workers_for_a_stage_that_does_not_exist_are_refused(tmp_path: Path) -> None:
    engine = LocalEngine(tmp_path, EngineConfig(workers={"upload": 1}))
    with pytest.raises(RequestError, match=r"engine\.workers names no stage with 'upload'"):
        [*engine.run(ROAD, [])]


def test_nothing_to_do_is_no_work(engine: Engine, tmp_path: Path) -> None:
    assert [*engine.run(ROAD, [])] == []
    assert [*engine.run(ROAD, [task(tmp_path, "a", stages=())])] == []


@pytest.mark.parametrize(
    ("stage", "message"), [(Unloadable(), "There is no model."), (DiesAtSetup(), "before it could begin")]
)
def test_a_worker_that_cannot_begin_ends_the_run(engine: Engine, stage: Stage, message: str, tmp_path: Path) -> None:
    road = (First(), stage)
    with pytest.raises(HarvestError, match=message):
        [*engine.run(road, [task(tmp_path, "a", stages=road)])]


def test_leaving_a_run_early_leaves_no_worker_behind(engine: Engine, tmp_path: Path) -> None:
    import multiprocessing

    run = engine.run(ROAD, (task(tmp_path, f"v{number}") for number in range(8)))
    next(run)
    run.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []
