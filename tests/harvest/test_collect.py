"""The command `harvest collect`, for real: media made here, a real server, real Whisper weights."""

import json
import shutil
from pathlib import Path

import pytest

from harvest.folder import VideoFolder, finished_ids
from harvest.records import Scenes, Transcript, Video
from tests.harvest.conftest import Narrated, harvest, harvest_here
from tests.makers import MediaLink, MediaServer, count_word_errors, words_of, write_page, write_text

ALLOW = "source.allow_private=true"


@pytest.fixture(scope="module")
def collected(narrated: Narrated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder in which the narrated video is finished."""
    base = tmp_path_factory.mktemp("collected")
    run = harvest("collect", "--playlist", narrated.path, "--work", "work", cwd=base)
    assert run.returncode == 0, run.stdout + run.stderr
    return base / "work"


def only_folder(work: Path) -> VideoFolder:
    (video_id,) = finished_ids(work)
    return VideoFolder(work, video_id)


def test_the_cuts_and_the_words_of_a_video_are_found(collected: Path, narrated: Narrated) -> None:
    folder = only_folder(collected)
    starts = [scene.start for scene in folder.load(Scenes).scenes[1:]]
    assert starts == pytest.approx([cut.time for cut in narrated.truth.cuts], abs=0.2)
    heard = "".join(word.text for segment in folder.load(Transcript).segments for word in segment.words)
    assert count_word_errors(narrated.truth.words, words_of(heard)) <= 2


def test_each_scene_has_a_key_frame_away_from_its_cuts(collected: Path) -> None:
    folder = only_folder(collected)
    for scene in folder.load(Scenes).scenes:
        (frame,) = scene.frames
        assert scene.start == 0 or frame.time - scene.start >= 0.2
        assert scene.end - frame.time >= 0.2
        assert (folder.path / frame.file).stat().st_size > 1000


def test_a_local_file_is_read_in_place(collected: Path, narrated: Narrated) -> None:
    folder = only_folder(collected)
    assert folder.load(Video).media == str(narrated.path)
    assert not [*folder.path.glob("media*")]


def test_the_same_command_again_does_nothing(collected: Path, narrated: Narrated) -> None:
    before = {path: path.stat().st_mtime_ns for path in collected.rglob("*.json")}
    run = harvest("collect", "--playlist", narrated.path, "--work", collected, cwd=collected.parent)
    assert (run.returncode, run.stdout.splitlines()[-1]) == (0, "1 videos: 0 done now, 1 done before, none failed.")
    assert {path: path.stat().st_mtime_ns for path in collected.rglob("*.json")} == before


def test_a_changed_setting_redoes_just_what_hangs_on_it(collected: Path, narrated: Narrated, tmp_path: Path) -> None:
    work = tmp_path / "work"
    shutil.copytree(collected, work)
    before = {path.name: path.stat().st_mtime_ns for path in work.rglob("*.json")}
    setting = "scenes.key_frames.jpeg_quality=60"
    run = harvest("collect", "--playlist", narrated.path, "--work", work, "--set", setting, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    changed = {path.name for path in work.rglob("*.json") if path.stat().st_mtime_ns != before[path.name]}
    assert changed == {"ref.json", "scenes.json"}


def test_a_moved_local_file_is_found_again_without_transcribing_again(
    collected: Path, narrated: Narrated, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    shutil.copytree(collected, work)
    moved = shutil.copy(narrated.path, tmp_path / "elsewhere.mp4")
    transcript = only_folder(work).path / "transcript.json"
    before = transcript.stat().st_mtime_ns
    run = harvest("collect", "--playlist", moved, "--work", work, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert only_folder(work).load(Video).media == str(moved)
    assert transcript.stat().st_mtime_ns == before


def test_a_playlist_of_good_and_bad_links_ends_each_done_or_with_its_reason(
    narrated: Narrated, silent: Path, mute: Path, tmp_path: Path
) -> None:
    links = [
        MediaLink(name="facts.mp4", file=narrated.path, title="Facts <b>bold</b>"),
        MediaLink(name="silent.mp4", file=silent, title="Silent"),
        MediaLink(name="mute.mp4", file=mute, title="Mute"),
        MediaLink(name="letter.mp4", file=write_text(tmp_path / "letter.mp4"), title="A letter", listed=False),
        MediaLink(name="page.html", file=write_page(tmp_path / "page.html"), title="A page", listed=False),
    ]
    with MediaServer(links) as server:
        lines = [server.playlist_url, *(server.url(name) for name in ("letter.mp4", "page.html", "missing.mp4"))]
        (tmp_path / "urls.txt").write_text("\n".join(lines), encoding="utf-8")
        run = harvest("collect", "--playlist", "urls.txt", "--work", "work", "--set", ALLOW, cwd=tmp_path)
    assert run.returncode == 1
    assert "6 videos: 1 done now, 0 done before, 5 failed." in run.stdout
    reasons = {
        line.rpartition("/")[2]: line.split()[0]
        for line in run.stdout.splitlines()
        if " of " in line and ": http" in line
    }
    assert reasons == {
        "silent.mp4": "no_speech",
        "mute.mp4": "no_audio",
        "letter.mp4": "corrupt",
        "page.html": "unsupported",
        "missing.mp4": "gone",
    }
    video = only_folder(tmp_path / "work").load(Video)
    assert (video.title, video.extractor) == ("Facts <b>bold</b>", "generic")


def test_a_failure_for_good_is_not_tried_again_unless_asked(mute: Path, tmp_path: Path) -> None:
    first = harvest("collect", "--playlist", mute, "--work", "work", cwd=tmp_path)
    again = harvest("collect", "--playlist", mute, "--work", "work", cwd=tmp_path)
    asked = harvest("collect", "--playlist", mute, "--work", "work", "--retry", "no_audio", cwd=tmp_path)
    assert [run.returncode for run in (first, again, asked)] == [1, 1, 1]
    assert "tries" not in first.stdout + again.stdout
    assert "2 tries" in asked.stdout


def test_private_addresses_are_refused_unless_allowed(mute: Path, tmp_path: Path) -> None:
    with MediaServer([MediaLink(name="mute.mp4", file=mute, title="Mute")]) as server:
        run = harvest("collect", "--playlist", server.url("mute.mp4"), "--work", "work", cwd=tmp_path)
        listed = harvest("collect", "--playlist", server.playlist_url, "--work", "work", cwd=tmp_path)
    assert "Failed: 1 private_address" in run.stdout
    assert "--set source.allow_private=true" in run.stdout
    assert "Failed: 1 private_address" in listed.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--playlist", "nowhere.txt"), "There is no playlist nowhere.txt"),
        (("--playlist", "empty.txt"), "empty.txt names no video"),
        (("--playlist", "picture.txt"), "is not a text file"),
        (("--playlist", "list.txt", "--set", "transcribe.modle=x"), "did you mean 'transcribe.model'?"),
        (("--playlist", "list.txt", "--set", "transcribe.beam_size=many"), "transcribe.beam_size='many'"),
        (("--playlist", "list.txt", "--only", "upload"), "There is no stage 'upload'"),
        (("--playlist", "list.txt", "--retry", "boredom"), "There is no reason 'boredom'"),
        (("--playlist", "list.txt", "--config", "nowhere"), "There are no settings named 'nowhere'"),
    ],
)
def test_a_wrong_request_gets_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "empty.txt").write_text("\n# nothing yet\n\n", encoding="utf-8")
    (tmp_path / "list.txt").write_text("a.mp4\n", encoding="utf-8")
    (tmp_path / "picture.txt").write_bytes(b"\xff\xd8\xff\xe0" * 10)
    run = harvest_here("collect", *arguments, cwd=tmp_path)
    assert run.returncode == 2
    assert sentence in run.stderr
    assert run.stderr.startswith("Error:")
    assert run.stderr.count("\n") == 1


def test_a_model_that_is_nowhere_ends_the_run_with_one_sentence(narrated: Narrated, tmp_path: Path) -> None:
    model = "transcribe.model=./no/such/model"
    run = harvest("collect", "--playlist", narrated.path, "--work", "work", "--set", model, cwd=tmp_path)
    assert run.returncode == 2
    assert "There is no Whisper model at './no/such/model'" in run.stderr
    assert run.stderr.count("\n") == 1


def test_status_tells_how_far_the_work_has_come(collected: Path) -> None:
    run = harvest_here("status", "--work", collected, cwd=collected.parent)
    assert run.returncode == 0
    assert "1 videos, 1 finished." in run.stdout
    nowhere = harvest_here("status", "--work", "nowhere", cwd=collected.parent)
    assert (nowhere.returncode, "is not a work folder" in nowhere.stderr) == (2, True)


def test_the_settings_are_shown_as_yaml_that_is_read_back(tmp_path: Path) -> None:
    shown = harvest_here(
        "collect", "--playlist", "x", "--set", "download.max_height=240", "--show-config", cwd=tmp_path
    )
    assert "max_height: 240" in shown.stdout
    (tmp_path / "mine.yaml").write_text(shown.stdout, encoding="utf-8")
    again = harvest_here("collect", "--playlist", "x", "--config", "mine.yaml", "--show-config", cwd=tmp_path)
    assert again.stdout == shown.stdout


def test_records_on_disk_are_json_with_their_fingerprint(collected: Path) -> None:
    values = json.loads((only_folder(collected).path / "scenes.json").read_text(encoding="utf-8"))
    assert values["schema"] == 1
    assert len(values["fingerprint"]) == 25  # what it was made from, and how
