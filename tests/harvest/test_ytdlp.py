"""What goes wrong on the way to a site gets its typed reason; what may not be reached is not reached."""

import gc
import socket
import subprocess
import sys
import urllib.request
import warnings
from pathlib import Path

import pytest
import yt_dlp

from harvest.errors import RETRYABLE, Reason, StageError
from harvest.network import PrivateAddressError, UnguardedProgramError, is_public, public_addresses_only
from harvest.ytdlp import FetchLimits, fetch
from harvest.ytdlp_errors import stage_error
from tests.makers import MediaLink, MediaServer, Scene, VideoStyle, draw_title, write_text, write_video

LIMITS = FetchLimits(format="b", max_bytes=1 << 20, max_duration_s=60, allow_private=True)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("[youtube] abc: Sign in to confirm you’re not a bot. Use --cookies", Reason.BOT_CHECK),
        (
            "[youtube] abc: Sign in to confirm your age. This video may be inappropriate for some users.",
            Reason.AGE_GATE,
        ),
        ("[youtube] abc: Private video. Sign in if you've been granted access to this video", Reason.PRIVATE),
        ("[youtube] abc: Join this channel to get access to members-only content", Reason.PRIVATE),
        ("[youtube] abc: Video unavailable. This video has been removed by the uploader", Reason.GONE),
        ("[youtube] abc: The uploader has not made this video available in your country", Reason.GEO_BLOCKED),
        ("[youtube] abc: This live event will begin in 3 days.", Reason.LIVE),
        ("[generic] abc: Requested format is not available", Reason.UNSUPPORTED),
        ("HTTP Error 429: Too Many Requests", Reason.RATE_LIMITED),
        ("The read operation timed out", Reason.NETWORK),
        ("<urlopen error [Errno -2] Name or service not known>", Reason.NETWORK),
        ("[x] a: The service is temporarily unavailable", Reason.NETWORK),
        ("[x] a: Video not found", Reason.GONE),
        ("[x] a: Not Found", Reason.GONE),
        ("Postprocessing: ffprobe and ffmpeg not found. Please install", Reason.FAILED),
        ("something nobody has seen before", Reason.FAILED),
    ],
)
def test_a_sites_words_are_understood(message: str, reason: Reason) -> None:
    assert stage_error(yt_dlp.utils.DownloadError(f"ERROR: {message}")).reason is reason


def test_the_sentence_is_the_sites_own_without_repetition() -> None:
    error = yt_dlp.utils.DownloadError(
        "ERROR: [x] a: Not\n found (caused by <E>); please report this issue on http://y"
    )
    assert str(stage_error(error)) == "[x] a: Not found"


def test_whether_to_try_again_hangs_on_the_reason() -> None:
    assert Reason.NETWORK in RETRYABLE
    assert Reason.GONE not in RETRYABLE


def test_a_file_over_the_limit_is_refused_as_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, [Scene(picture=draw_title("Large"), seconds=2.0)], VideoStyle(audio="silent"))
    limits = FetchLimits(format="b", max_bytes=1000, max_duration_s=60, allow_private=True)
    (tmp_path / "to").mkdir()
    with MediaServer([MediaLink(name="a.mp4", file=path, title="")]) as server, pytest.raises(StageError) as caught:
        fetch(server.url("a.mp4"), tmp_path / "to", limits)
    assert caught.value.reason is Reason.TOO_LARGE


def test_a_file_is_fetched_whole_under_a_name_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, [Scene(picture=draw_title("Hello"), seconds=1.0)], VideoStyle(audio="silent"))
    (tmp_path / "to").mkdir()
    with MediaServer([MediaLink(name="..%2f..%2fevil.mp4", file=path, title="")]) as server:
        fetched = fetch(server.url("..%2f..%2fevil.mp4"), tmp_path / "to", LIMITS)
    assert fetched.path == tmp_path / "to" / "media.mp4"
    assert fetched.path.read_bytes() == path.read_bytes()


def test_no_connection_leaves_for_a_private_address(tmp_path: Path) -> None:
    with MediaServer([]) as server:
        with public_addresses_only():
            with pytest.raises(OSError, match="not a public address"):
                urllib.request.urlopen(server.playlist_url)
            with pytest.raises(PrivateAddressError), socket.socket() as plug:
                plug.connect(("169.254.169.254", 80))
        with urllib.request.urlopen(server.playlist_url) as answer:
            assert answer.status == 200
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("host", ["localhost", "127.1", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433"])
def test_other_spellings_of_this_machine_are_refused_too(host: str, tmp_path: Path) -> None:
    with MediaServer([]) as server:
        url = server.playlist_url.replace("127.0.0.1", host)
        with pytest.raises(StageError) as caught:
            fetch(url, tmp_path, FetchLimits(format="b", max_bytes=1, max_duration_s=1, allow_private=False))
    assert caught.value.reason in {Reason.PRIVATE_ADDRESS, Reason.NETWORK}


@pytest.mark.parametrize(
    "host",
    [
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::8.8.8.8",
        "2002:7f00:1::1",  # 6to4 of 127.0.0.1
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
        "fe80::1%eth0",
        "fec0::1",
        "fd00::1",
        "ff02::1",
        "224.0.0.1",
        "100.64.0.1",
        "255.255.255.255",
        "::",
    ],
)
def test_an_address_that_leads_to_a_private_one_is_not_public(host: str) -> None:
    assert not is_public(host)


@pytest.mark.parametrize(
    "host",
    ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"],
)
def test_public_addresses_are_public_in_every_spelling(host: str) -> None:
    assert is_public(host)


def test_no_program_is_started_that_would_connect_by_itself() -> None:
    nothing = [sys.executable, "-c", ""]
    with public_addresses_only():
        with pytest.raises(UnguardedProgramError) as caught:
            subprocess.run([*nothing, "-i", "https://x.org/a.m3u8"], check=True)
        subprocess.run([*nothing, "-i", "file:media.mp4"], check=True)  # ffmpeg merges files
    assert stage_error(caught.value).reason is Reason.UNSUPPORTED
    subprocess.run([*nothing, "-i", "https://x.org/a.m3u8"], check=True)


def test_a_proxy_is_not_asked_as_it_might_reach_what_we_may_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MediaServer([MediaLink(name="a.mp4", file=write_text(tmp_path / "a.mp4"), title="")]) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        limits = FetchLimits(format="b", max_bytes=1 << 20, max_duration_s=60, allow_private=False)
        with pytest.raises(StageError) as caught:
            fetch("http://no-such-host.invalid/a.mp4", tmp_path, limits)
    assert caught.value.reason is Reason.NETWORK  # by the proxy it would be a private address


def test_a_stream_that_announces_no_size_is_stopped_when_it_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "part.ts").write_bytes(b"\x47" * 40_000)
    (tmp_path / "index.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n" + "#EXTINF:4.0,\npart.ts\n" * 5 + "#EXT-X-ENDLIST\n"
    )
    (tmp_path / "to").mkdir()
    limits = FetchLimits(format="b", max_bytes=100_000, max_duration_s=60, allow_private=True)
    links = [MediaLink(name=name, file=tmp_path / name, title="") for name in ("index.m3u8", "part.ts")]
    with MediaServer(links) as server, pytest.raises(StageError) as caught:
        fetch(server.url("index.m3u8"), tmp_path / "to", limits)
    assert caught.value.reason is Reason.TOO_LARGE
    del caught
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # a stopped yt-dlp leaves its file to the garbage collector
        gc.collect()


def test_signs_in_a_folders_name_are_not_read_as_a_template(tmp_path: Path) -> None:
    media = write_text(tmp_path / "a.mp4")
    folder = tmp_path / "50%(id)s$HOME ~ "
    folder.mkdir()
    with MediaServer([MediaLink(name="a.mp4", file=media, title="")]) as server:
        assert fetch(server.url("a.mp4"), folder, LIMITS).path == folder / "media.mp4"
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name, "a.mp4"]
