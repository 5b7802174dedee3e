"""What can go wrong in a harvest: mistakes of the request, and typed reasons for which one video fails.

HarvestError
├── RequestError    the playlist, folder or setting asked for cannot be used: exit code 2
└── StageError      one video cannot pass a stage: recorded with its Reason, the run goes on
"""

from enum import StrEnum


class HarvestError(Exception):
    """Base of this package's errors. The message is the sentence to show."""


class RequestError(HarvestError):
    """What was asked for cannot be done, whatever the videos."""


class Reason(StrEnum):
    """Why a video failed; `RETRYABLE` says for which of them trying again may help."""

    GONE = "gone"
    PRIVATE = "private"
    GEO_BLOCKED = "geo_blocked"
    AGE_GATE = "age_gate"
    BOT_CHECK = "bot_check"
    RATE_LIMITED = "rate_limited"
    FORBIDDEN = "forbidden"
    NETWORK = "network"
    PRIVATE_ADDRESS = "private_address"
    UNSUPPORTED = "unsupported"
    LIVE = "live"
    TOO_LONG = "too_long"
    TOO_LARGE = "too_large"
    NO_AUDIO = "no_audio"
    NO_VIDEO = "no_video"
    NO_SPEECH = "no_speech"
    NO_SUBTITLES = "no_subtitles"
    CORRUPT = "corrupt"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    FAILED = "failed"  # an error nobody has foreseen; its traceback is in the ledger


RETRYABLE = frozenset(
    {
        Reason.BOT_CHECK,
        Reason.RATE_LIMITED,
        Reason.FORBIDDEN,
        Reason.NETWORK,
        Reason.TOO_LONG,  # the limits may have been raised since; asking again costs little
        Reason.TOO_LARGE,
        Reason.TIMEOUT,
        Reason.CRASHED,
        Reason.FAILED,
    }
)
"""Tried again by the next run; the others only when asked for by `--retry` or when a setting they hang on changed."""


class StageError(HarvestError):
    """One video cannot pass a stage."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
