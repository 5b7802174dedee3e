"""The makers tell the truth about what they make: cuts, words, bytes and links."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from harvest.sources import link_id
from shards.split import SPLITS, split_of
from tests.makers import (
    RATE_HZ,
    RELATIONS,
    Cut,
    CutCount,
    Fact,
    MediaLink,
    MediaServer,
    Scene,
    Thing,
    Truth,
    VideoStyle,
    blank,
    count_cuts,
    count_word_errors,
    draw_fact,
    draw_title,
    links_to,
    noise,
    plan_lessons,
    say,
    sound,
    tone,
    url_of,
    words_of,
    write_empty,
    write_page,
    write_playlist,
    write_text,
    write_truncated,
    write_video,
)
from tests.makers.course import MadeLesson, kept_course, links, make_course

FACT = Fact(first=Thing(colour="red", shape="circle"), relation="is over", second=Thing(colour="blue", shape="square"))


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    beep = sound(tone(0.6))
    pictures = [draw_fact(FACT, seed=seed, background=seed) for seed in range(3)]
    return [
        Scene(picture=draw_title("Shapes"), seconds=0.8),
        Scene(picture=pictures[0], speech=beep),
        Scene(picture=pictures[1], speech=beep, entrance="dissolve"),
        Scene(picture=pictures[2], speech=beep, entrance="fade"),
        Scene(picture=blank(), seconds=0.7),
    ]


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("a.mp4", VideoStyle(transition=0.0)),
        ("a.webm", VideoStyle(codec="vp9", transition=0.0)),
        ("b.mp4", VideoStyle(variable_rate=True, seed=5, transition=0.0)),
    ],
)
def test_the_picture_changes_exactly_at_the_cuts(
    tmp_path: Path, scenes: list[Scene], name: str, style: VideoStyle
) -> None:
    truth = write_video(tmp_path / name, scenes, style)

    changes = [
        time for (_, before), (time, now) in pairwise(_frames(tmp_path / name)) if np.abs(now - before).mean() > 8
    ]

    assert changes == pytest.approx([cut.time for cut in truth.cuts], abs=0.002)


def test_a_variable_rate_shows_frames_of_unequal_length(tmp_path: Path, scenes: list[Scene]) -> None:
    write_video(tmp_path / "a.mp4", scenes, VideoStyle(variable_rate=True))

    times = [time for time, _ in _frames(tmp_path / "a.mp4")]

    assert len({round(later - earlier, 3) for earlier, later in pairwise(times)}) > 3


def test_a_fade_is_black_at_the_cut_and_a_dissolve_is_a_mixture(tmp_path: Path, scenes: list[Scene]) -> None:
    truth = write_video(tmp_path / "a.mp4", scenes)
    shown = dict(_frames(tmp_path / "a.mp4"))

    dissolve, fade = (cut.time for cut in truth.cuts if cut.entrance != "cut")
    half = (scenes[1].picture.astype(float) + scenes[2].picture) / 2

    assert _at(shown, fade).mean() < 6
    assert np.abs(_at(shown, dissolve) - half).mean() < 12


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_sound_is_where_the_truth_says_and_nowhere_else(tmp_path: Path, scenes: list[Scene], name: str) -> None:
    truth = write_video(tmp_path / name, scenes, VideoStyle(codec="vp9" if name == "a.webm" else "h264"))
    loud = np.abs(_audio(tmp_path / name)) > 0.02

    for scene in truth.scenes:
        start, end = int(scene.start * RATE_HZ), int(scene.end * RATE_HZ)
        if scene.speech_start < 0:
            assert loud[start + 2_000 : end - 2_000].mean() == 0
            continue
        inside = loud[int(scene.speech_start * RATE_HZ) : int(scene.speech_end * RATE_HZ)]
        assert inside.mean() > 0.8
        assert start + np.flatnonzero(loud[start:end])[0] == pytest.approx(scene.speech_start * RATE_HZ, abs=600)


def test_phrases_are_spoken_one_after_the_other_within_their_scene(tmp_path: Path) -> None:
    speech = say(FACT.phrases)
    truth = write_video(tmp_path / "a.mp4", [Scene(picture=draw_fact(FACT, seed=0), speech=speech, margin=0.5)])

    scene = truth.scenes[0]

    assert scene.sentence == "a red circle is over a blue square"
    assert truth.words == tuple(scene.sentence.split())
    assert scene.phrases[0].start == scene.speech_start == 0.5
    assert all(earlier.end < later.start for earlier, later in pairwise(scene.phrases))
    assert scene.phrases[-1].end == pytest.approx(scene.speech_end)
    assert scene.speech_end + 0.5 <= scene.end < scene.speech_end + 0.6 + 1e-6
    for phrase in speech.phrases:
        assert np.abs(speech.samples[int(phrase.start * RATE_HZ) : int(phrase.end * RATE_HZ)]).max() > 10_000


def test_a_silent_track_is_not_the_same_as_no_track(tmp_path: Path, scenes: list[Scene]) -> None:
    silent = write_video(tmp_path / "silent.mp4", scenes, VideoStyle(audio="silent"))
    write_video(tmp_path / "none.mp4", scenes, VideoStyle(audio="none"))

    assert np.abs(_audio(tmp_path / "silent.mp4")).max() < 0.001
    assert {scene.speech_start for scene in silent.scenes} == {-1.0}
    with av.open(str(tmp_path / "none.mp4")) as media:
        assert [stream.type for stream in media.streams] == ["video"]


def test_the_same_scenes_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        scenes = [
            Scene(picture=draw_fact(FACT, seed=7), speech=say(["a red circle"])),
            Scene(picture=draw_fact(FACT, seed=8, background=1), speech=sound(noise(1.0, seed=3)), entrance="fade"),
        ]
        write_video(tmp_path / name, scenes, VideoStyle(variable_rate=True, seed=2))

    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert not np.array_equal(draw_fact(FACT, seed=7), draw_fact(FACT, seed=8))


def test_odd_files_cannot_be_opened_as_media(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mp4"
    write_video(whole, [Scene(picture=blank(90), speech=sound(noise(2.0, seed=1)))])

    odd = [
        write_text(tmp_path / "letter.mp4"),
        write_empty(tmp_path / "empty.mp4"),
        write_page(tmp_path / "page.mp4"),
        write_truncated(tmp_path / "torn.mp4", whole=whole),
    ]

    for path in odd:
        with pytest.raises(av.FFmpegError):
            av.open(str(path))
    assert write_playlist(tmp_path / "list.mp4", target="whole.mp4").read_text().startswith("#EXTM3U")


def test_the_server_answers_ranges_heads_and_unknown_names(tmp_path: Path) -> None:
    (tmp_path / "a b.mp4").write_bytes(bytes(range(100)))
    with MediaServer(links_to(tmp_path)) as server:
        url = server.url("a b.mp4")

        assert _get(url) == (200, bytes(range(100)))
        assert _get(url, method="HEAD") == (200, b"")
        assert _get(url, span="bytes=10-19") == (206, bytes(range(10, 20)))
        assert _get(url, span="bytes=95-") == (206, bytes(range(95, 100)))
        assert _get(url, span="bytes=-3") == (206, bytes(range(97, 100)))
        for wrong, code in ((server.url("b.mp4"), 404), (url, 416)):
            with pytest.raises(urllib.error.HTTPError) as refused:
                _get(wrong, span="bytes=200-")
            refused.value.close()
            assert refused.value.code == code


def test_the_playlist_expands_to_the_plain_links_through_yt_dlp(tmp_path: Path) -> None:
    from yt_dlp import YoutubeDL

    media = write_text(tmp_path / "a.mp4")
    links = [
        MediaLink(name="one.mp4", file=media, title="Shapes & more <1>"),
        MediaLink(name="hidden.mp4", file=media, title="Hidden", listed=False),
        MediaLink(name="two.mp4", file=media, title="Second"),
    ]
    options = {"extract_flat": True, "quiet": True, "skip_download": True}
    with MediaServer(links, title="A course") as server, YoutubeDL(options) as downloader:
        found = downloader.extract_info(server.playlist_url, download=False)
        expected = [(server.url("one.mp4"), "Shapes & more <1>"), (server.url("two.mp4"), "Second")]

    assert found["title"] == "A course"
    assert [(entry["url"], entry["title"]) for entry in found["entries"]] == expected


def test_no_other_video_shows_a_pair_that_a_test_video_shows() -> None:
    lessons = plan_lessons(seed=1)
    shown = {split: [fact for lesson in lessons if lesson.split == split for fact in lesson.facts] for split in SPLITS}
    pairs = {split: {frozenset((fact.first, fact.second)) for fact in facts} for split, facts in shown.items()}

    assert not pairs["test"] & (pairs["train"] | pairs["val"])
    assert len({fact.sentence for fact in shown["test"]}) == len(pairs["test"]) == len(shown["test"]) >= 64
    for part in ("colour", "shape"):
        seen = {
            split: {getattr(thing, part) for fact in facts for thing in (fact.first, fact.second)}
            for split, facts in shown.items()
        }
        assert seen["test"] == seen["train"]
    assert {fact.relation for fact in shown["train"]} == set(RELATIONS)
    assert min(len(fact.sentence.split()) for facts in shown.values() for fact in facts) >= 8


def test_every_lesson_gets_an_address_in_its_split() -> None:
    truth = Truth(scenes=(), cuts=())
    made = [MadeLesson(lesson=lesson, truth=truth, size=0) for lesson in plan_lessons()]

    found = links(made, Path(), port=18765)

    assert len({link.name for link in found}) == len(made)
    for link, each in zip(found, made, strict=True):
        assert split_of(link_id(url_of(link.name, port=18765))) == each.lesson.split


def test_a_course_is_kept_while_it_is_whole(tmp_path: Path) -> None:
    lessons = plan_lessons(videos={"train": 1, "val": 0, "test": 0}, facts=2)
    made = tuple(make_course(tmp_path, lessons))

    assert made[0].truth.words == tuple(word for fact in lessons[0].facts for word in fact.sentence.split())
    assert kept_course(tmp_path, lessons) == made
    assert kept_course(tmp_path, plan_lessons(seed=1, videos={"train": 1, "val": 0, "test": 0}, facts=2)) is None
    (tmp_path / lessons[0].file).write_bytes(b"torn")
    assert kept_course(tmp_path, lessons) is None


def test_a_found_cut_counts_once_and_within_its_tolerance() -> None:
    true = [Cut(time=1.0, entrance="cut"), Cut(time=1.3, entrance="cut"), Cut(time=5.0, entrance="fade")]

    count = count_cuts(true, [1.15, 5.19, 9.0])

    assert count == CutCount(hard=2, hard_found=1, soft=1, soft_found=1, invented=1)
    assert count.recall == count.precision == pytest.approx(2 / 3)
    assert (count + count).invented == 2


@pytest.mark.parametrize(
    ("heard", "errors"),
    [
        ("A red circle is over, a blue square.", 0),
        ("red circle is over a blue square", 1),
        ("a red circle is about blue square", 2),
        ("so a red circle is over a blue square square", 2),
        ("", 8),
    ],
)
def test_word_errors_are_words_changed_left_out_or_put_in(heard: str, errors: int) -> None:
    assert count_word_errors(FACT.sentence.split(), words_of(heard)) == errors


def _frames(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    with av.open(str(path)) as media:
        for frame in media.decode(video=0):
            assert frame.time is not None
            yield frame.time, frame.to_ndarray(format="rgb24").astype(float)


def _at(shown: dict[float, np.ndarray], time: float) -> np.ndarray:
    return shown[min(shown, key=lambda shown_at: abs(shown_at - time))]


def _audio(path: Path) -> np.ndarray:
    """The sound as the video's clock has it, from -1 to 1."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
    with av.open(str(path)) as media:
        frames = [part for frame in media.decode(audio=0) for part in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def _get(url: str, *, method: str = "GET", span: str = "") -> tuple[int, bytes]:
    request = urllib.request.Request(url, method=method, headers={"Range": span} if span else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, answer.read()
