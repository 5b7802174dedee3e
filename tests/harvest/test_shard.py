"""The command `harvest shard`: finished folders become a set that validates, the same one every time."""

import itertools
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from harvest.filters import FilterConfig
from harvest.folder import VideoFolder
from harvest.records import KeyFrame, Scene, Scenes, Segment, Transcript, Video, Word
from harvest.stages.base import fingerprint
from harvest.stills import difference_hash, thumbnail
from shards.manifest import Manifest
from shards.reader import read_set
from shards.sample import Sample
from shards.split import SPLITS, split_of
from tests.harvest.conftest import harvest_here
from tests.makers import Picture, blank

MEDIA = fingerprint(1, FilterConfig(), "a video")
HEARD = fingerprint(1, FilterConfig(), MEDIA)
TITLE = "A \u202etitle\n#"
SENTENCE = "Look at the red circle over the blue square."


def patches(seed: int) -> Picture:
    """A picture like no other."""
    colours = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return colours.repeat(40, axis=0).repeat(40, axis=1)


def words(text: str, start: float) -> tuple[Word, ...]:
    parts = text.split()
    return tuple(
        Word(text=f" {part}", start=start + 0.2 * place, end=start + 0.2 * (place + 1), probability=0.9)
        for place, part in enumerate(parts)
    )


def finish(work: Path, video_id: str, scenes: list[tuple[str, Picture]]) -> None:
    """A finished folder, as `collect` leaves it: ten-second scenes of one sentence and one picture each."""
    folder = VideoFolder(work, video_id)
    (folder.path / "frames").mkdir(parents=True)
    found, segments = [], []
    for number, (sentence, picture) in enumerate(scenes):
        start, file = number * 10.0, f"frames/{number}.jpg"
        image = Image.fromarray(picture)
        image.save(folder.path / file)
        contrast = float(picture.std())
        frame = KeyFrame(
            file=file, time=start + 5, start=start, end=start + 10, width=320, height=240, sharpness=100.0,
            brightness=99.0, contrast=contrast, motion=0.0, thumbnail=thumbnail(picture),
            dhash=difference_hash(picture.mean(axis=2).astype(np.uint8)),
        )  # fmt: skip
        found.append(Scene(start=start, end=start + 10, frames=(frame,)))
        if sentence:
            segments.append(
                Segment(words=words(sentence, start + 2), avg_logprob=-0.2, no_speech_prob=0.0, compression_ratio=1.1)
            )
    folder.save(
        Video(
            id=video_id, url=f"https://x.org/{video_id}", media="media.mp4", extractor="generic", title=TITLE,
            channel="Channel", license="CC-BY", upload_date="2026-01-02", language="en", retrieved_at="2026-03-04",
            duration=10.0 * len(scenes), width=320, height=240,
        ),
        MEDIA,
    )  # fmt: skip
    folder.save(Transcript(language="en", model="tiny.en", engine="faster-whisper", segments=tuple(segments)), HEARD)
    folder.save(Scenes(detector="d", scenes=tuple(found)), HEARD)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty videos of two good scenes each, and in the first a blank one, a silent one and one of two words."""
    work = tmp_path_factory.mktemp("shard") / "work"
    for number in range(20):
        good = [(SENTENCE, patches(2 * number + place)) for place in range(2)]
        finish(work, f"link-{number:04d}", good)
    shutil.rmtree(work / "link-0000")
    picture = patches(99)
    finish(work, "link-0000", [(SENTENCE, picture), (SENTENCE, blank()), ("", picture), ("Look there.", picture)])
    (work / "ledger.sqlite").write_bytes(b"")
    return work


def all_samples(out: Path) -> list[Sample]:
    return [sample for split in SPLITS for sample in read_set(out, split)]


@pytest.fixture(scope="module")
def out(work: Path) -> Path:
    out = work.parent / "shards"
    run = harvest_here("shard", "--work", work, "--out", out, "--set", "shard.samples_per_shard=8", cwd=work.parent)
    assert run.returncode == 0, run.stderr
    assert "39 pairs in" in run.stdout
    return out


def test_every_good_pair_is_in_the_set_with_where_it_comes_from(out: Path) -> None:
    samples = all_samples(out)
    assert Counter(sample.video_id for sample in samples) == {f"link-{n:04d}": 2 if n else 1 for n in range(20)}
    sample = next(sample for sample in samples if sample.video_id == "link-0007" and sample.scene_start == 10)
    assert (sample.caption, sample.context_before) == (SENTENCE, SENTENCE)
    assert (sample.url, sample.license, sample.title) == ("https://x.org/link-0007", "CC-BY", TITLE)
    assert (sample.frame_time, sample.speech_start, sample.speech_end) == (15.0, 12.0, 13.8)
    assert (sample.asr_model, sample.language, sample.status) == ("faster-whisper/tiny.en", "en", "success")


def test_dropped_candidates_are_counted_and_kept_as_rows_with_their_reason(out: Path) -> None:
    assert Manifest.load(out).dropped == {"blank_frame": 1, "no_speech": 1, "too_short": 1}
    rows = pq.read_table(out / "_meta" / "dropped.parquet").to_pylist()
    assert {(row["status"], row["frame_time"], row["score"]) for row in rows} == {
        ("blank_frame", 15.0, 0.0),
        ("no_speech", 25.0, 0.0),
        ("too_short", 35.0, 2.0),
    }


def test_a_video_lies_in_one_split_alone_the_one_its_id_says(out: Path) -> None:
    for split in SPLITS:
        assert all(split_of(sample.video_id) == split for sample in read_set(out, split))


def test_neighbours_in_the_set_come_from_different_videos(out: Path) -> None:
    ids = [sample.video_id for sample in read_set(out, "train")]
    neighbours = sum(first == second for first, second in itertools.pairwise(ids))
    assert neighbours <= 3


def test_the_same_records_give_the_same_bytes_wherever_they_lie(work: Path, out: Path, tmp_path: Path) -> None:
    shutil.copytree(work, tmp_path / "elsewhere")
    setting = "shard.samples_per_shard=8"
    run = harvest_here("shard", "--work", "elsewhere", "--out", "again", "--set", setting, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    files = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*") if path.is_file()
    )
    for file in files:
        assert (tmp_path / "again" / file).read_bytes() == (out / file).read_bytes(), file


def test_settings_that_shape_no_sample_change_no_byte(work: Path, out: Path, tmp_path: Path) -> None:
    settings = (
        "shard.samples_per_shard=8",
        "engine.workers.scenes=7",
        "source.allow_private=true",
        "transcribe.model=x",
    )
    words = [word for setting in settings for word in ("--set", setting)]
    harvest_here("shard", "--work", work, "--out", "again", *words, cwd=tmp_path, check=True)
    assert Manifest.load(tmp_path / "again").digest == Manifest.load(out).digest


def test_a_video_fetched_anew_since_it_was_heard_and_a_damaged_one_are_left_out(
    work: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = shutil.copytree(work, tmp_path / "work")
    anew = VideoFolder(copy, "link-0003")
    anew.save(anew.load(Video), fingerprint(1, FilterConfig(), "another video"))
    (copy / "link-0004" / "scenes.json").write_text("{", encoding="utf-8")
    (copy / "link-0005.bak").mkdir()
    (copy / "link-0006" / "scenes.json").unlink()
    run = harvest_here("shard", "--work", copy, "--out", "out", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    left = {f"link-{n:04d}" for n in range(20)} - {sample.video_id for sample in all_samples(tmp_path / "out")}
    assert left == {"link-0003", "link-0004", "link-0006"}
    assert "link-0003 is not in the set: its media were fetched again" in caplog.text
    assert "link-0004 is not in the set" in caplog.text
    assert "1 videos are not finished" in caplog.text


def test_what_another_set_holds_is_left_out_of_the_set_beside_it(work: Path, out: Path, tmp_path: Path) -> None:
    """Two known videos, one known picture in a new video, and one new picture."""
    both = tmp_path / "both"
    for known in ("link-0001", "link-0002"):
        shutil.copytree(work / known, both / known)
    jittered = np.clip(patches(2 * 3).astype(int) + 2, 0, 255).astype(np.uint8)  # of link-0003, saved anew elsewhere
    finish(both, "link-0100", [(SENTENCE, jittered), (SENTENCE, patches(777))])
    run = harvest_here("shard", "--work", both, "--out", "new", "--beside", out, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert [(sample.video_id, sample.scene_start) for sample in all_samples(tmp_path / "new")] == [("link-0100", 10.0)]
    manifest = Manifest.load(tmp_path / "new")
    assert manifest.dropped == {"picture_in_other_set": 1, "video_in_other_set": 4}
    assert manifest.settings["beside"] == [Manifest.load(out).digest]
    rows = pq.read_table(tmp_path / "new" / "_meta" / "dropped.parquet", columns=["status", "score"]).to_pylist()
    assert all(0.9 < row["score"] <= 1 for row in rows if row["status"] == "picture_in_other_set")


def test_a_set_that_cannot_be_told_from_the_new_one_is_refused(work: Path, out: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(out, tmp_path / "damaged")
    (damaged / "_meta" / "pictures.parquet").write_bytes(b"PAR1")
    for folder, sentence in ((damaged, "The side files of"), (tmp_path / "new", "cannot be beside itself")):
        run = harvest_here("shard", "--work", work, "--out", "new", "--beside", folder, cwd=tmp_path)
        assert (run.returncode, run.stderr.count("\n")) == (2, 1)
        assert sentence in run.stderr


def test_the_set_is_sound_and_a_flipped_byte_is_found(out: Path, tmp_path: Path) -> None:
    sound = harvest_here("validate", out, cwd=tmp_path)
    assert sound.returncode == 0, sound.stdout
    shutil.copytree(out, tmp_path / "flipped")
    tar = next((tmp_path / "flipped").glob("train-*.tar"))
    content = bytearray(tar.read_bytes())
    content[len(content) // 2] ^= 1
    tar.write_bytes(content)
    flipped = harvest_here("validate", tmp_path / "flipped", cwd=tmp_path)
    assert flipped.returncode == 1
    assert f"{tar.name} has another SHA-256" in flipped.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("shard", "--work", "nowhere"), "nowhere holds no finished video"),
        (("shard", "--out", "precious"), "precious holds something that is not a shard set"),
        (("shard", "--set", "shard.split_shares=[0.5,0.1,0.1]"), "no share may be below 0"),
        (("shard", "--set", "filters.min_words=50"), "None of the 42 candidate pairs"),
        (("validate", "nowhere"), "There is no folder nowhere"),
        (("validate", "precious"), "precious holds no manifest.json"),
    ],
)
def test_a_wrong_request_gets_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...], sentence: str, work: Path, tmp_path: Path
) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years of work", encoding="utf-8")
    if arguments[0] == "shard" and "--work" not in arguments:
        arguments = (*arguments, "--work", str(work))
    run = harvest_here(*arguments, cwd=tmp_path)
    assert run.returncode == 2
    assert sentence in run.stderr
    assert run.stderr.count("\n") == 1
    assert (tmp_path / "precious" / "thesis.txt").read_text(encoding="utf-8") == "years of work"
