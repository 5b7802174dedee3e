"""The ledger, `<work>/ledger.sqlite`: why a video is not done, how often it was tried, how long it took.

One process writes it, the driver. Whether something *is* done, the video's folder says, not the ledger.
"""

import hashlib
import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harvest.engines.base import Outcome
from harvest.errors import Reason, RequestError
from harvest.records import VideoRef
from harvest.sources import SourceFailure

LEDGER_NAME = "ledger.sqlite"
SCHEMA = 1
SOURCE_STAGE = "source"  # the name under which a line that leads nowhere is journalled

TABLES = """
CREATE TABLE IF NOT EXISTS videos (
    video_id TEXT PRIMARY KEY, url TEXT NOT NULL, title TEXT NOT NULL, first_seen TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS attempts (
    video_id TEXT NOT NULL, stage TEXT NOT NULL, fingerprint TEXT NOT NULL, reason TEXT NOT NULL,
    message TEXT NOT NULL, details TEXT NOT NULL, ended_at TEXT NOT NULL, seconds REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS attempts_by_video ON attempts (video_id, stage);
CREATE TABLE IF NOT EXISTS digests (
    path BLOB PRIMARY KEY, bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The last attempt at a stage of a video, when it failed."""

    video_id: str
    url: str
    stage: str
    fingerprint: str
    reason: Reason
    message: str
    attempts: int


class Ledger:
    """An open ledger; close it, or use it as a context."""

    def __init__(self, work_folder: Path) -> None:
        """Open the ledger of a work folder, made if need be. Raises RequestError when it is not one of ours."""
        work_folder.mkdir(parents=True, exist_ok=True)
        path = work_folder / LEDGER_NAME
        try:
            self._database = _open(path)
        except sqlite3.OperationalError as error:  # locked, read-only, a folder, a full disk
            raise RequestError(
                f"{path} cannot be used now ({error}), so what fails could not be noted: wait for whoever else is "
                "using it, or see to the disk and the permissions."
            ) from None
        except sqlite3.DatabaseError as error:
            raise RequestError(
                f"{path} is not a ledger ({error}): use another --work, or move the file away."
            ) from None

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    def forget_lines(self) -> None:
        """Lines of playlists that led nowhere are looked at anew in every run."""
        self._database.execute("DELETE FROM attempts WHERE stage = ?", (SOURCE_STAGE,))

    def register(self, ref: VideoRef | SourceFailure) -> None:
        """Note that somebody asked for this video."""
        url, title = (ref.url, ref.title) if isinstance(ref, VideoRef) else (ref.line, "")
        self._database.execute(
            "INSERT INTO videos VALUES (?, ?, ?, ?) ON CONFLICT (video_id) DO UPDATE SET url = excluded.url",
            (ref.id, url, title, _now()),
        )

    def journal(self, outcome: Outcome) -> None:
        """Keep what became of a stage of a video."""
        self._database.execute(
            "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                outcome.video_id,
                outcome.stage,
                outcome.fingerprint,
                outcome.reason or "",
                outcome.message,
                outcome.details,
                _now(),
                outcome.seconds,
            ),
        )

    def failures(self) -> list[Failure]:
        """All stages of videos whose last attempt failed, in the order of the videos' ids."""
        rows = self._database.execute(
            """
            SELECT a.video_id, COALESCE(v.url, ''), a.stage, a.fingerprint, a.reason, a.message,
                   (SELECT COUNT(*) FROM attempts c WHERE c.video_id = a.video_id AND c.stage = a.stage)
            FROM attempts a LEFT JOIN videos v ON v.video_id = a.video_id
            WHERE a.reason != '' AND a.rowid = (
                SELECT MAX(b.rowid) FROM attempts b WHERE b.video_id = a.video_id AND b.stage = a.stage)
            ORDER BY a.video_id, a.stage
            """
        )
        return [
            Failure(
                video_id=row[0],
                url=row[1],
                stage=row[2],
                fingerprint=row[3],
                reason=Reason(row[4]),
                message=row[5],
                attempts=row[6],
            )
            for row in rows
        ]

    def seconds_by_stage(self) -> dict[str, float]:
        """Wall-clock seconds that all attempts took, by stage."""
        rows = self._database.execute("SELECT stage, SUM(seconds) FROM attempts GROUP BY stage ORDER BY stage")
        return dict(rows.fetchall())

    def digest_file(self, path: Path) -> str:
        """The SHA-256 of a local file in hex, computed once as long as its size and time stay."""
        stat = path.stat()
        name = os.fsencode(path.resolve())  # a file name need not be text
        known = self._database.execute(
            "SELECT sha256 FROM digests WHERE path = ? AND bytes = ? AND mtime_ns = ?",
            (name, stat.st_size, stat.st_mtime_ns),
        ).fetchone()
        if known:
            return str(known[0])
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._database.execute(
            "INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)", (name, stat.st_size, stat.st_mtime_ns, digest)
        )
        return digest


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)  # every statement is its own transaction
    try:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA):
            raise RequestError(f"{path} has schema {version}, this version reads {SCHEMA}: use another --work.")
        database.executescript(TABLES)
        database.execute(f"PRAGMA user_version = {SCHEMA}")
    except BaseException:
        database.close()
        raise
    return database


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
