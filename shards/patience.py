"""Trying again: what a network or a disk refuses now, it may give in a moment.

A run of weeks outlives the short failures of what it reads from; one that has just been started, and whose store
does not answer at all, should say so soon.
"""

import errno
import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from shards.errors import CorruptShard, ShardsError, Unreachable

logger = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT)
_CHANCE = random.SystemRandom()  # has no state that a training could share

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often what fails is tried again."""

    pauses: tuple[float, ...]  # seconds before each further try
    within: float = math.inf  # seconds from the beginning after which no further try is made


STORE = Patience(pauses=(0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0))  # two minutes in all
NEW_STORE = Patience(pauses=STORE.pauses[:4], within=10.0)  # has never answered; its client tries again by itself, too
DISK = Patience(pauses=(0.2, 1.0, 4.0))  # for errors as network disks have them (EIO, ESTALE)


def patiently(use: Callable[[], T], path: str, patience: Patience, *, failing: type[Exception] = Exception) -> T:
    """What `use` gives; when it raises `failing`, it is called again.

    Each pause is shortened by up to half, so that many processes do not all come back at once. Raises CorruptShard
    for what is not there, and Unreachable, naming `path`, for what may not be read or fails at the last try, too.
    """
    begun = time.monotonic()
    for tries, pause in enumerate((*patience.pauses, math.inf), start=1):
        try:
            return use()
        except ShardsError:
            raise
        except FileNotFoundError:
            raise CorruptShard(f"{path} is not there.") from None
        except PermissionError as failure:
            raise Unreachable(
                f"{path} may not be read by us ({failure}): see to its permissions, or the credentials."
            ) from None
        except failing as failure:
            if getattr(failure, "errno", None) in _FULL:
                raise Unreachable(
                    f"{path} cannot be copied here, for the disk is full ({failure}): set TMPDIR to a larger one."
                ) from None
            if time.monotonic() + pause - begun > patience.within or math.isinf(pause):
                raise Unreachable(
                    f"{path} could not be read (tries: {tries}): {failure!r:.300}. "
                    "See whether it can be read by other means, then start again."
                ) from None
            logger.warning("%s could not be read (%.300r): trying again.", path, failure)
            time.sleep(_CHANCE.uniform(pause / 2, pause))
    raise AssertionError("the last try returns or raises")
