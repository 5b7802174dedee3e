"""What a person names becomes videos, each once."""

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from harvest.errors import Reason, RequestError
from harvest.folder import VideoFolder
from harvest.ledger import Ledger
from harvest.records import VideoRef
from harvest.sources import SourceConfig, SourceFailure, expand, link_id
from tests.makers import MediaLink, MediaServer, write_page, write_text

ALLOWED = SourceConfig(allow_private=True)


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def found_in(named: object, config: SourceConfig = ALLOWED) -> list[VideoRef | SourceFailure]:
    return [*expand(str(named), config, digest)]


def list_of(folder: Path, lines: Sequence[str], *, encoding: str = "utf-8") -> Path:
    path = folder / "urls.txt"
    path.write_text("\n".join(lines), encoding=encoding)
    return path


def test_comments_blanks_odd_whitespace_and_a_byte_order_mark_are_not_urls(tmp_path: Path) -> None:
    lines = [
        "# a list",
        "",
        "\t https://x.org/a.mp4 \u00a0",
        "https://x.org/b.mp4#t=3  # good",
        "   ",
        "\u200bhttps://x.org/c.webm\r",
    ]
    urls = [ref.url for ref in found_in(list_of(tmp_path, lines, encoding="utf-8-sig")) if isinstance(ref, VideoRef)]
    assert urls == ["https://x.org/a.mp4", "https://x.org/b.mp4#t=3", "https://x.org/c.webm"]


def test_the_same_video_by_several_addresses_comes_once(tmp_path: Path) -> None:
    lines = [
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://youtu.be/dQw4w9WgXcQ?t=42",
        "https://www.youtube.com/shorts/dQw4w9WgXcQ",
        "https://vimeo.com/76979871",
    ]
    assert [ref.id for ref in found_in(list_of(tmp_path, lines))] == ["youtube-dQw4w9WgXcQ", "vimeo-76979871"]


def test_links_to_media_files_are_named_by_a_hash_of_the_link(tmp_path: Path) -> None:
    lines = ["https://a.org/video.mp4", "https://b.org/video.mp4", "https://a.org/video.mp4"]
    assert [ref.id for ref in found_in(list_of(tmp_path, lines))] == [link_id(lines[0]), link_id(lines[1])]


def test_local_files_are_named_by_their_content_wherever_they_lie(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name, content in {
        "b.mp4": b"one",
        "deep/a.mkv": b"two",
        "deep/er/copy.mp4": b"one",
        "notes.txt": b"no",
    }.items():
        (tmp_path / name).write_bytes(content)
    refs = [ref for ref in found_in(tmp_path) if isinstance(ref, VideoRef)]
    assert [(ref.url, ref.id) for ref in refs] == [
        ("file:b.mp4", f"file-{sha256(b'one').hexdigest()[:16]}"),
        ("file:a.mkv", f"file-{sha256(b'two').hexdigest()[:16]}"),
    ]


def test_a_file_whose_name_is_not_text_is_a_source_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    path.write_bytes(b"one")
    with Ledger(tmp_path / "work") as ledger:
        (ref,) = expand(str(tmp_path), ALLOWED, ledger.digest_file)
        assert isinstance(ref, VideoRef)
        ledger.register(ref)
    folder = VideoFolder(tmp_path / "work", ref.id)
    folder.save(ref, "")
    assert Path(folder.load(VideoRef).path) == path
    assert ref.title == "caf?"


def test_a_relative_path_is_relative_to_its_list(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"one")
    (ref,) = found_in(list_of(tmp_path, ["a.mp4"]))
    assert isinstance(ref, VideoRef)
    assert ref.path == str(tmp_path / "a.mp4")


def test_a_playlist_page_is_expanded_to_its_entries(tmp_path: Path) -> None:
    media = write_text(tmp_path / "a.mp4")
    links = [MediaLink(name=f"{name}.mp4", file=media, title=f"Lesson {name}") for name in "abc"]
    with MediaServer(links) as server:
        refs = found_in(server.playlist_url)
        urls = [server.url(f"{name}.mp4") for name in "abc"]
    assert [(ref.url, ref.title) for ref in refs if isinstance(ref, VideoRef)] == [
        (url, f"Lesson {name}") for url, name in zip(urls, "abc", strict=True)
    ]


def test_a_line_that_leads_nowhere_is_a_failure_with_a_reason_and_the_others_go_on(tmp_path: Path) -> None:
    page = write_page(tmp_path / "page.html")
    with MediaServer([MediaLink(name="page.html", file=page, title="")]) as server:
        lines = [
            server.url("page.html"),
            server.url("missing"),
            "no-such.mp4",
            "file:///etc/passwd",
            "https://x.org/a.mp4",
        ]
        found = found_in(list_of(tmp_path, lines))
    assert [ref.reason for ref in found if isinstance(ref, SourceFailure)] == [
        Reason.UNSUPPORTED,
        Reason.GONE,
        Reason.GONE,
        Reason.GONE,
    ]
    assert isinstance(found[-1], VideoRef)


def test_private_addresses_in_a_playlist_are_refused() -> None:
    with MediaServer([]) as server:
        (failure,) = found_in(server.playlist_url, SourceConfig())
    assert isinstance(failure, SourceFailure)
    assert failure.reason is Reason.PRIVATE_ADDRESS


def test_no_more_videos_are_read_than_asked_for(tmp_path: Path) -> None:
    lines = [f"https://x.org/{number}.mp4" for number in range(9)]
    assert len(found_in(list_of(tmp_path, lines), SourceConfig(max_videos=4))) == 4


def test_nothing_named_is_a_wrong_request(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="There is no playlist"):
        found_in(tmp_path / "nowhere")
    with pytest.raises(RequestError, match="names no video"):
        found_in(list_of(tmp_path, ["# empty"]))


HLS = """#EXTM3U
#EXT-X-TARGETDURATION:4
#EXTINF:4.0,
part.ts
#EXT-X-ENDLIST
"""


def test_streams_of_one_name_in_several_places_are_several_videos(tmp_path: Path) -> None:
    stream = tmp_path / "index.m3u8"
    stream.write_text(HLS)
    links = [MediaLink(name=f"{name}/index.m3u8", file=stream, title="") for name in ("s1", "s2")]
    with MediaServer(links) as server:
        urls = [server.url(link.name) for link in links]
        found = found_in(list_of(tmp_path, urls))
    assert [ref.id for ref in found] == [link_id(url) for url in urls]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("http://[bad", Reason.UNSUPPORTED),
        ("~nobody-of-this-name/x.mp4", Reason.GONE),
        ("x" * 300 + ".mp4", Reason.GONE),
        ("a\x00b.mp4", Reason.GONE),
    ],
)
def test_an_odd_line_is_a_failure_of_its_own(line: str, reason: Reason, tmp_path: Path) -> None:
    failure, other = found_in(list_of(tmp_path, [line, "https://x.org/a.mp4"]))
    assert isinstance(failure, SourceFailure)
    assert failure.reason is reason
    assert isinstance(other, VideoRef)


def test_a_local_file_that_cannot_be_read_does_not_hold_up_the_others(tmp_path: Path) -> None:
    def refuse_a(path: Path) -> str:
        if path.name == "a.mp4":
            raise PermissionError(13, "Permission denied")
        return digest(path)

    for name in "abc":
        (tmp_path / f"{name}.mp4").write_text(name)
    failure, *others = expand(str(tmp_path), ALLOWED, refuse_a)
    assert isinstance(failure, SourceFailure)
    assert (failure.reason, "Permission denied" in failure.message) == (Reason.FAILED, True)
    assert [ref.title for ref in others if isinstance(ref, VideoRef)] == ["b", "c"]


def test_what_nobody_has_foreseen_ends_one_line_and_not_the_run(tmp_path: Path) -> None:
    def stumble(path: Path) -> str:
        raise TypeError(f"no digest of {path.name}")

    (tmp_path / "a.mp4").touch()
    failure, other = expand(str(list_of(tmp_path, ["a.mp4", "https://x.org/a.mp4"])), ALLOWED, stumble)
    assert isinstance(failure, SourceFailure)
    assert (failure.reason, failure.message) == (Reason.FAILED, "TypeError: no digest of a.mp4")
    assert isinstance(other, VideoRef)


def test_an_empty_playlist_is_a_failure_too(tmp_path: Path) -> None:
    with MediaServer([]) as server:
        failure, other = found_in(list_of(tmp_path, [server.playlist_url, "https://x.org/a.mp4"]))
    assert isinstance(failure, SourceFailure)
    assert (failure.reason, "holds no video" in failure.message) == (Reason.GONE, True)
    assert isinstance(other, VideoRef)
