"""Subtitles of every kind are read, and of what they show just what is said is kept, once."""

import time
from pathlib import Path

import pytest

from harvest.records import SubtitleFile, Video
from harvest.subtitles import Track, sidecars, tracks_of
from harvest.subtitles.cue import MAX_BYTES, MAX_CUES
from tests.harvest.subtitles_for_tests import Lines, mux, srt, vtt

ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.20,0:00:01.00,Default,Bob,0,0,0,,{\\pos(1,2)}Hello, there\\Nfriend
Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\p1}m 0 0 l 1 1{\\p0}
"""


def video(media: Path, *subtitles: Path, duration: float = 0.0) -> Video:
    files = tuple(SubtitleFile(file=str(path), language="en", digest="") for path in subtitles)
    unknown = dict.fromkeys(("url", "title", "channel", "license", "upload_date", "language", "retrieved_at"), "")
    return Video(
        id="a", media=str(media), extractor="file", duration=duration, width=1, height=1, subtitles=files, **unknown
    )


def read(content: str | bytes, silent: Path, folder: Path, *, name: str = "a.srt", duration: float = 0.0) -> Track:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (track,) = tracks_of(video(silent, path, duration=duration), silent)
    return track


def shown(track: Track) -> list[tuple[float, float, str]]:
    return [(round(cue.start, 2), round(cue.end, 2), cue.text) for cue in track.cues]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{\\an8}Cut the <i>onions</i> &amp; the leeks", "Cut the onions & the leeks"),
        ('<font color="#fff">Stir</font> it', "Stir it"),
        ("- Who is there?\n- Me.", "Who is there?\nMe."),
        (">> JOHN: I&#39;m here.", "I'm here."),
        (">> John Smith: Good evening.", "Good evening."),
        ("NAR: This is the Webb", "This is the Webb"),
        ("ANNA-LENA (V.O.): Nein", "Nein"),
        ("THE ANSWER IS: FORTY-TWO", "THE ANSWER IS: FORTY-TWO"),
        ("Note: two eggs are enough", "Note: two eggs are enough"),
        ("[MUSIC] So we begin (applause)", "So we begin"),
        ("The sum (x plus one) is small", "The sum (x plus one) is small"),
        ("(door slams)", None),
        ("(door\nslams)", None),
        ("(LAUGHS) Of course.", "Of course."),
        ("[soft piano\nmusic]", None),
        ("♪ La la la ♪", None),
        ("♪", None),
        ("*coughs*", None),
        ("...", None),
        ("Grüße\u200b,\xa0 ihr\u202e Lieben", "Grüße, ihr Lieben"),
    ],
)
def test_of_a_cue_only_what_is_said_is_kept(text: str, said: str | None, silent: Path, tmp_path: Path) -> None:
    track = read(srt([(0.0, 2.0, text), (2.5, 4.5, "the end")]), silent, tmp_path)
    assert [cue.text for cue in track.cues] == [*([said] if said else []), "the end"]


def test_voices_classes_and_times_of_webvtt_are_marks_and_no_words(silent: Path, tmp_path: Path) -> None:
    text = "<v John Smith>Hi <c.loud>there</c></v> <00:00:00.500><c>you</c> 1 &lt; 2"
    track = read(
        "WEBVTT\n\nSTYLE\n::cue{}\n\nNOTE hidden\n\n" + vtt([(0, 2, text)])[8:], silent, tmp_path, name="a.vtt"
    )
    assert shown(track) == [(0.0, 2.0, "Hi there you 1 < 2")]


def test_ass_is_read_without_its_drawings(silent: Path, tmp_path: Path) -> None:
    assert shown(read(ASS, silent, tmp_path, name="a.ass")) == [(0.2, 1.0, "Hello, there\nfriend")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_the_usual_encodings_are_told_apart(encoding: str, silent: Path, tmp_path: Path) -> None:
    track = read(srt([(0, 2, "Die Brühe köchelt")]).encode(encoding), silent, tmp_path)
    assert [cue.text for cue in track.cues] == ["Die Brühe köchelt"]


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ([(0, 2, "one\ntwo"), (2, 4, "two\nthree"), (4, 6, "three")], ["one\ntwo", "three"]),
        ([(0, 1, "we"), (1, 2, "we cut"), (2, 3, "we cut them")], ["we", "cut", "them"]),
        ([(0, 2, "same"), (0, 2, "same")], ["same"]),
        ([(0, 2, "no"), (5, 6, "no")], ["no", "no"]),
        ([(0, 2, "we"), (2, 4, "wear hats")], ["we", "wear hats"]),
    ],
)
def test_what_rolls_up_or_is_repeated_is_said_once(raw: Lines, clean: list[str], silent: Path, tmp_path: Path) -> None:
    assert [cue.text for cue in read(srt(raw), silent, tmp_path).cues] == clean


def test_cues_are_in_order_and_apart(silent: Path, tmp_path: Path) -> None:
    track = read(srt([(3, 6, "late"), (0, 4, "early"), (3.1, 5, "both")]), silent, tmp_path)
    assert shown(track) == [(0.0, 3.0, "early"), (3.0, 6.0, "late\nboth")]


def test_times_that_cannot_be_are_left_out(silent: Path, tmp_path: Path) -> None:
    lines = [
        (0, 900, "a title"),
        (1, 1.01, "far too much text for a blink of an eye"),
        (2, 4, "fine"),
        (80, 82, "after"),
    ]
    assert shown(read(srt(lines), silent, tmp_path, duration=60)) == [(2.0, 4.0, "fine")]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"\x00\x01\x02" * 100, "neither SubRip nor WebVTT"),
        (b"", "neither SubRip nor WebVTT"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "neither SubRip nor WebVTT"),
        (srt([(0, 1, "[MUSIC]")]).encode(), "no spoken words"),
        (b" " * (MAX_BYTES + 1), "MiB"),
        (vtt([(0, 1, str(number)) for number in range(MAX_CUES + 1)]).encode(), f"{MAX_CUES} cues"),
    ],
)
def test_hostile_files_are_refused_in_words_and_fast(content: bytes, cause: str, silent: Path, tmp_path: Path) -> None:
    begun = time.perf_counter()
    track = read(content, silent, tmp_path)
    assert (track.cues, cause in track.problem) == ((), True), track.problem
    assert time.perf_counter() - begun < 10


@pytest.mark.parametrize("text", ["[" * 900, "<" * 900, "(" * 900, "{\\" * 450, ">>" * 450, "A: " * 300, "a" * 5000])
def test_odd_texts_take_no_time(text: str, silent: Path, tmp_path: Path) -> None:
    begun = time.perf_counter()
    read(srt([(second * 2, second * 2 + 2, text) for second in range(200)]), silent, tmp_path)
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize(
    ("codec", "ending"), [("mov_text", "mp4"), ("subrip", "mkv"), ("webvtt", "mkv"), ("ass", "mkv")]
)
def test_streams_inside_of_media_are_read(codec: str, ending: str, silent: Path, tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(srt([(0.5, 1.5, "Hello\nthere"), (1.5, 1.9, "[beep]")]))
    media = mux(silent, [tmp_path / "a.srt"], tmp_path / f"a.{ending}", codec=codec)
    (track,) = tracks_of(video(media), media)
    assert track.name.startswith("stream ")
    assert [cue.text for cue in track.cues] == ["Hello\nthere"]
    assert track.cues[0].start == pytest.approx(0.5, abs=0.06)
    assert track.cues[0].end == pytest.approx(1.5, abs=0.06)


def test_a_forced_stream_holds_signs_alone_and_is_not_read(silent: Path, tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(srt([(0.5, 1.5, "Bakery")]))
    media = mux(silent, [tmp_path / "a.srt"], tmp_path / "a.mkv", codec="subrip", disposition="forced")
    assert tracks_of(video(media), media) == []


def test_files_beside_a_video_are_known_by_its_name(tmp_path: Path) -> None:
    media = tmp_path / "clip.mp4"
    names = ("clip.srt", "clip.en.vtt", "clip.pt-BR.sdh.srt", "clip.hi.srt")
    for name in (*names, "clip.en.forced.srt", "clip2.srt", "clip.part2.en.srt", "clip.en.txt", "clip.srt.bak"):
        (tmp_path / name).write_text("")
    found = {path.name: language for path, language in sidecars(media)}
    assert found == dict(zip(names, ("", "en", "pt-BR", "hi"), strict=True))
