"""What yt-dlp's exceptions mean: each becomes a StageError with a typed reason and one sentence.

The exception's class and HTTP status decide where they can; sites also fail in words, which are matched below.
"""

import re
from collections.abc import Iterator, Mapping

from harvest.errors import Reason, StageError
from harvest.network import PrivateAddressError, UnguardedProgramError

PATTERNS: tuple[tuple[str, Reason], ...] = (
    (r"confirm you.?re not a bot|unusual traffic|captcha|cloudflare anti-bot", Reason.BOT_CHECK),
    (r"confirm your age|age.restricted|inappropriate for some users", Reason.AGE_GATE),
    (r"private video|is private|members.only|join this channel|sign in|log ?in|registered users", Reason.PRIVATE),
    (r"not available (in|from) your (country|location|region)|geo.?restrict|in your country", Reason.GEO_BLOCKED),
    (r"too many requests|rate.?limit", Reason.RATE_LIMITED),
    (r"did not get any data blocks|file is empty", Reason.CORRUPT),
    (r"larger than max-filesize", Reason.TOO_LARGE),
    (r"live event will begin|premieres in|is not currently live|livestream", Reason.LIVE),
    (r"temporar(il)?y|(name or service|nodename nor servname) not known|no address associated", Reason.NETWORK),
    (r"removed|unavailable|no longer available|does not exist|terminated|deleted", Reason.GONE),
    (r"(^|: |\] )not found|\b(video|page|playlist|channel|user|media|clip|episode|file|stream) (was |is )?not found",
     Reason.GONE),
    (r"unsupported url|no video formats found|requested format is not available", Reason.UNSUPPORTED),
    (r"timed out|timeout|connection|temporary failure|resolve|unreachable|reset by peer|ssl|read error|incomplete",
     Reason.NETWORK),
)  # fmt: skip
"""Checked in this order against the message, when the exception itself does not tell."""

STATUS_REASONS: Mapping[int, Reason] = {
    401: Reason.PRIVATE,
    403: Reason.FORBIDDEN,
    404: Reason.GONE,
    410: Reason.GONE,
    429: Reason.RATE_LIMITED,
    451: Reason.GEO_BLOCKED,
}


def stage_error(error: BaseException) -> StageError:
    """The StageError for what yt-dlp raised: by the innermost cause that says more, else by its words."""
    message = _sentence(error)
    for cause in _causes(error):
        if isinstance(cause, StageError):
            return cause
        if isinstance(cause, PrivateAddressError):
            return StageError(Reason.PRIVATE_ADDRESS, f"Refused: {cause}.")
        if isinstance(cause, UnguardedProgramError):
            return StageError(Reason.UNSUPPORTED, f"Refused: {cause}.")
        status = getattr(cause, "status", None)
        if isinstance(status, int) and status >= 400:
            reason = STATUS_REASONS.get(status, Reason.NETWORK if status >= 500 else Reason.FORBIDDEN)
            return StageError(reason, message)
    for pattern, reason in PATTERNS:
        if re.search(pattern, message, re.IGNORECASE):
            return StageError(reason, message)
    return StageError(Reason.FAILED, message)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and everything it wraps; yt-dlp keeps causes in attributes of its own."""
    pending, seen = [error], set()
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        wrapped = [
            current.__cause__,
            current.__context__,
            getattr(current, "cause", None),
            getattr(current, "reason", None),
        ]
        wrapped += list(getattr(current, "exc_info", None) or ())
        pending += [cause for cause in wrapped if isinstance(cause, BaseException)]


def _sentence(error: BaseException) -> str:
    """yt-dlp's message without its prefix, the nested causes it repeats, and its request to report a bug."""
    message = re.sub(r"\s+", " ", str(error)).removeprefix("ERROR: ")
    return re.split(r"; please report this issue| \(caused by ", message)[0].strip()
