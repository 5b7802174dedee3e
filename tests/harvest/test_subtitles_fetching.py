"""The uploader's subtitles come with the media, by the real yt-dlp from a real server, and never in their way."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from harvest.asr.base import TranscribeConfig
from harvest.commands.collect import build_stages, fingerprints
from harvest.config import HarvestConfig
from harvest.errors import Reason, StageError
from harvest.folder import VideoFolder
from harvest.records import Transcript, Video, VideoRef
from harvest.sources import SourceConfig, expand
from harvest.stages.download import Download, DownloadConfig
from harvest.stages.transcribe import Transcribe
from harvest.subtitles.cue import MAX_BYTES
from harvest.ytdlp import Fetched, FetchLimits, fetch
from harvest.ytdlp_subtitles import offered
from tests.harvest.conftest import Narrated
from tests.harvest.subtitles_for_tests import srt, vtt
from tests.makers import MediaLink, MediaServer

PAGE = "<html><title>Soup</title><video src='a.mp4'>{}</video></html>"
LINES = [(0.0, 1.0, "Hello")]


def fetched(folder: Path, media: Path, tracks: Sequence[str], *, wanted: bool = True) -> Fetched:
    """A page with `tracks` in its video element, fetched."""
    (folder / "page.html").write_text(PAGE.format("".join(tracks)))
    (folder / "to").mkdir()
    named = {path.name: path for path in folder.iterdir() if path.is_file()} | {"a.mp4": media}
    limits = FetchLimits(format="b", max_bytes=1 << 24, max_duration_s=60, allow_private=True, subtitles=wanted)
    with MediaServer([MediaLink(name=name, file=path, title="") for name, path in named.items()]) as server:
        return fetch(server.url("page.html"), folder / "to", limits)


def test_the_tracks_of_a_video_element_are_fetched_with_their_languages(silent: Path, tmp_path: Path) -> None:
    (tmp_path / "de.vtt").write_text(vtt([(0, 1, "Hallo")]))
    (tmp_path / "en.srt").write_text(srt(LINES))
    tracks = [
        "<track kind=captions srclang=de src=de.vtt>",
        "<track srclang=en src=en.srt>",
        "<track kind=chapters src=x>",
    ]
    found = fetched(tmp_path, silent, tracks)
    assert found.path.read_bytes() == silent.read_bytes()
    assert [(one.language, one.path.name, one.problem) for one in found.subtitles] == [
        ("en", "subtitles-0.srt", ""),
        ("de", "subtitles-1.vtt", ""),
    ]
    assert found.subtitles[1].path.read_text() == vtt([(0, 1, "Hallo")])


def test_a_setting_leaves_them_where_they_are(silent: Path, tmp_path: Path) -> None:
    assert fetched(tmp_path, silent, ["<track srclang=en src=en.vtt>"], wanted=False).subtitles == ()


def test_a_track_that_cannot_be_had_never_costs_the_video(silent: Path, tmp_path: Path) -> None:
    (tmp_path / "huge.vtt").write_bytes(b"WEBVTT\n" + b" " * MAX_BYTES)
    tracks = ["<track srclang=en src=gone.vtt>", "<track srclang=fr src=huge.vtt>", "<track srclang=de src=a.ttml>"]
    found = fetched(tmp_path, silent, tracks)
    assert found.path.is_file()
    problems = [one.problem for one in found.subtitles]
    assert "404" in problems[0]
    assert "MiB" in problems[1]
    assert "no format that is read" in problems[2]


def test_the_subtitles_of_a_stream_are_put_together_from_their_parts(tmp_path: Path) -> None:
    (tmp_path / "part.vtt").write_text(vtt(LINES))
    ends = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4.0,\n{}\n#EXT-X-ENDLIST\n"
    (tmp_path / "text.m3u8").write_text(ends.format("part.vtt"))
    (tmp_path / "film.m3u8").write_text(ends.format("part.ts"))
    (tmp_path / "part.ts").write_bytes(b"\x47" * 4_000)
    (tmp_path / "index.m3u8").write_text(
        '#EXTM3U\n#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="English",LANGUAGE="en",URI="text.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=1000,SUBTITLES="s"\nfilm.m3u8\n'
    )
    (tmp_path / "to").mkdir()
    limits = FetchLimits(format="b", max_bytes=1 << 20, max_duration_s=60, allow_private=True)
    links = [MediaLink(name=path.name, file=path, title="") for path in tmp_path.iterdir() if path.is_file()]
    with MediaServer(links) as server:
        found = fetch(server.url("index.m3u8"), tmp_path / "to", limits)
    assert [(one.language, one.problem) for one in found.subtitles] == [("en", "")]
    assert "Hello" in found.subtitles[0].path.read_text()


VTT = [{"ext": "json3", "url": "u"}, {"ext": "vtt", "url": "v"}]


@pytest.mark.parametrize(
    ("info", "languages"),
    [
        ({"language": "de", "subtitles": {"en": VTT, "de-DE": VTT, "fr": VTT}}, ["de-DE"]),
        ({"language": "de", "subtitles": {"en": VTT}}, []),
        ({"subtitles": {"ar": VTT, "en-GB": VTT, "fr": VTT, "zh": VTT}}, ["en-GB", "ar", "fr"]),
        ({"automatic_captions": {"fr-orig": VTT, "en": VTT}, "subtitles": {"en": VTT, "fr": VTT}}, ["fr"]),
        ({"automatic_captions": {"en-orig": VTT, "en": VTT}}, []),
        ({"subtitles": {"live_chat": [{"ext": "json", "url": "u"}]}}, []),
        ({"subtitles": None}, []),
    ],
)
def test_tracks_in_the_spoken_language_are_chosen_and_never_those_of_machines(
    info: dict[str, object], languages: list[str]
) -> None:
    chosen = offered(info)
    assert [one.language for one in chosen] == languages
    assert all(one.source is not None and one.source["ext"] == "vtt" for one in chosen)


def heard(folder: VideoFolder, config: TranscribeConfig) -> Transcript:
    """What the two stages make of the folder's VideoRef."""
    folder.save(Download(DownloadConfig(), allow_private=True).run(folder), "")
    stage = Transcribe(config)
    stage.setup()
    return stage.run(folder)


def spelled(made: Transcript) -> str:
    return "".join(word.text for segment in made.segments for word in segment.words).strip()


def test_what_was_fetched_spells_what_whisper_hears(narrated: Narrated, tmp_path: Path) -> None:
    phrases = [phrase for scene in narrated.truth.scenes for phrase in scene.phrases]
    lines = [(one.start, one.end, one.text.replace("circle", "CIRCLE!")) for one in phrases]
    (tmp_path / "en.vtt").write_text(vtt(lines))
    (tmp_path / "page.html").write_text(PAGE.format("<track srclang=en src=en.vtt>"))
    folder = VideoFolder(tmp_path, "work")
    links = [MediaLink(name=name, file=tmp_path / name, title="") for name in ("en.vtt", "page.html")]
    with MediaServer([*links, MediaLink(name="a.mp4", file=narrated.path, title="")]) as server:
        folder.save(VideoRef(id="work", url=server.url("page.html")), "")
        made = heard(folder, TranscribeConfig())
    assert [one.file for one in folder.load(Video).subtitles] == ["subtitles-0.vtt"]
    assert (made.source, made.subtitles[0].verdict) == ("aligned", "used")
    assert "CIRCLE!" in spelled(made)


def test_a_file_beside_a_local_video_is_used_when_it_comes_and_when_it_changes(
    narrated: Narrated, tmp_path: Path
) -> None:
    (tmp_path / "clip.mp4").symlink_to(narrated.path)
    config = HarvestConfig(transcribe=TranscribeConfig(source="subtitles"))
    ref = only_video(tmp_path)
    folder = VideoFolder(tmp_path, "work")
    folder.save(ref, "")
    with pytest.raises(StageError, match="none at all") as caught:
        heard(folder, config.transcribe)
    assert caught.value.reason is Reason.NO_SUBTITLES
    seen = [fingerprints(build_stages(config), ref)["transcribe"]]
    for spelling in ("Hello", "Hallo"):
        (tmp_path / "clip.en.srt").write_text(srt([(0.0, 1.0, spelling)]))
        ref = only_video(tmp_path)
        folder.save(ref, "")
        assert spelled(heard(folder, config.transcribe)) == spelling
        seen.append(fingerprints(build_stages(config), ref)["transcribe"])
    assert len({*seen}) == 3


def only_video(place: Path) -> VideoRef:
    (found,) = expand(str(place), SourceConfig(), lambda path: hashlib.sha256(path.read_bytes()).hexdigest())
    assert isinstance(found, VideoRef)
    return found
