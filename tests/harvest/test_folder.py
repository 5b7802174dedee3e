"""A video's folder holds whole records or none."""

from pathlib import Path
from typing import Any

import pytest

from harvest.folder import BrokenRecord, VideoFolder, finished_ids
from harvest.records import Record, Scene, Scenes, Segment, Transcript, Video, VideoRef, Word

REF = VideoRef(id="a", url="https://x.org/a.mp4", title="Ünïcode 🎬")
TRANSCRIPT = Transcript(
    language="en",
    model="m",
    engine="e",
    segments=(
        Segment(
            words=(Word(text=" hi", start=0.0, end=0.5, probability=1.0),),
            avg_logprob=-0.1,
            no_speech_prob=0.0,
            compression_ratio=1.0,
        ),
    ),
)
SCENES = Scenes(detector="d", scenes=(Scene(start=0.0, end=2.0, frames=()),))


@pytest.fixture
def folder(tmp_path: Path) -> VideoFolder:
    return VideoFolder(tmp_path, "a")


@pytest.mark.parametrize("record", [REF, TRANSCRIPT, SCENES])
def test_a_record_is_read_back_as_it_was_saved(folder: VideoFolder, record: Record) -> None:
    kind: Any = type(record)
    folder.save(record, "f1")
    assert folder.load(kind) == record
    assert folder.has(kind, "f1")
    assert not folder.has(kind, "f2")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"schema": 1}', '{"schema": 2, "fingerprint": "f", "record": {}}',
     '{"schema": 1, "fingerprint": "f", "record": {"id": 3, "url": "", "path": "", "title": ""}}'],
)  # fmt: skip
def test_a_damaged_record_is_named_and_not_believed(folder: VideoFolder, content: str) -> None:
    folder.save(REF, "f")
    path = folder.path / "ref.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BrokenRecord, match=r"ref\.json cannot be read"):
        folder.load(VideoRef)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\0b", "-x", "x" * 101, "ä", "a.b", "con\n"])
def test_an_id_that_could_leave_the_work_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a folder"):
        VideoFolder(tmp_path, name)


def test_a_subfolder_is_replaced_whole_and_its_record_goes_first(folder: VideoFolder) -> None:
    folder.save(SCENES, "old")
    with folder.replacing_subfolder("frames", Scenes) as temporary:
        (temporary / "one.jpg").write_bytes(b"1")
        assert folder.has(Scenes, "old")
    assert not folder.has(Scenes, "old")
    assert [path.name for path in (folder.path / "frames").iterdir()] == ["one.jpg"]


def test_a_failure_while_making_a_subfolder_leaves_the_old_one_and_its_record(folder: VideoFolder) -> None:
    folder.save(SCENES, "old")
    with pytest.raises(OSError, match="disk"), folder.replacing_subfolder("frames", Scenes):
        raise OSError("disk")
    assert folder.has(Scenes, "old")
    assert [path.name for path in folder.path.iterdir()] == ["scenes.json"]


def test_what_a_killed_run_left_half_made_is_swept(folder: VideoFolder) -> None:
    folder.save(REF, "f")
    (folder.path / ".frames-x1").mkdir()
    (folder.path / ".ref.json-x2").write_bytes(b"{")
    folder.sweep()
    assert [path.name for path in folder.path.iterdir()] == ["ref.json"]


def test_a_video_is_finished_when_it_has_every_record(tmp_path: Path) -> None:
    video = Video(
        id="b", url="", media="", extractor="", title="", channel="", license="", upload_date="", language="",
        retrieved_at="", duration=1.0, width=1, height=1,
    )  # fmt: skip
    for record in (video, TRANSCRIPT):
        VideoFolder(tmp_path, "b").save(record, "f")
    assert finished_ids(tmp_path) == []
    VideoFolder(tmp_path, "b").save(SCENES, "f")
    assert finished_ids(tmp_path) == ["b"]
