"""The ledger remembers why a video is not done, and says so in few words."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harvest.engines import Outcome
from harvest.errors import Reason, RequestError
from harvest.ledger import Ledger
from harvest.records import VideoRef


def outcome(reason: Reason | None, video_id: str = "a", stage: str = "download") -> Outcome:
    return Outcome(video_id=video_id, stage=stage, fingerprint="f", reason=reason, message="words", seconds=1.5)


def test_a_failure_stays_until_an_attempt_succeeds_and_attempts_are_counted(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.register(VideoRef(id="a", url="https://x.org/a"))
        for _ in range(3):
            ledger.journal(outcome(Reason.NETWORK))
    with Ledger(tmp_path) as ledger:
        (failure,) = ledger.failures()
        assert (failure.reason, failure.attempts, failure.url) == (Reason.NETWORK, 3, "https://x.org/a")
        ledger.journal(outcome(None))
        assert ledger.failures() == []
        assert ledger.seconds_by_stage() == {"download": 6.0}


def test_a_file_is_hashed_again_only_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"one")
    with Ledger(tmp_path / "work") as ledger:
        first = ledger.digest_file(path)
        assert ledger.digest_file(path) == first
        path.write_bytes(b"another")
        assert ledger.digest_file(path) != first


def test_a_file_that_is_no_ledger_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"my own notes " * 100)
    with pytest.raises(RequestError, match="is not a ledger"):
        Ledger(tmp_path)
    assert path.read_bytes() == b"my own notes " * 100


@pytest.mark.slow  # SQLite waits five seconds for the other
def test_a_ledger_that_somebody_else_is_using_is_not_called_something_else(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RequestError, match=r"cannot be used now .*locked.*: wait"):
            Ledger(tmp_path)


def test_a_ledger_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").mkdir()
    with pytest.raises(RequestError, match="cannot be used now"):
        Ledger(tmp_path)
