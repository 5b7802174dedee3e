"""What goes wrong on the way to a site gets its typed reason; what may not be reached is not reached."""

import socket
import urllib.request
from pathlib import Path

import pytest
import yt_dlp

from harvest.errors import RETRYABLE, Reason, StageError
from harvest.network import PrivateAddressError, public_addresses_only
from harvest.ytdlp import FetchLimits, fetch
from harvest.ytdlp_errors import stage_error
from tests.makers import MediaLink, MediaServer, Scene, VideoStyle, draw_title, write_video

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
