"""What can be wrong with a shard set.

ShardsError
├── NotAShardSet        no folder, or no manifest in it
├── UnknownSchema       written by another version of the format
├── CorruptShard        a tar, member or record that does not hold what it should
├── Unreachable         a store or a disk that does not answer, or not to us
└── CannotWrite         the place to write to is not ours to replace
"""

import reprlib
from typing import Any


class ShardsError(Exception):
    """Base of this package's errors. The message is the sentence to show."""


class NotAShardSet(ShardsError):
    """The folder is missing or holds no manifest."""


class UnknownSchema(ShardsError):
    """The set was written with another schema version."""


class CorruptShard(ShardsError):
    """A shard's bytes are not what the contract says."""


class Unreachable(ShardsError):
    """A store or a disk does not answer, refuses us, or needs a package that is not installed."""


class CannotWrite(ShardsError):
    """The target folder holds something that is not a shard set."""


def shown(value: Any) -> str:
    """A stranger's value for a message: short, on one line, without control signs."""
    short = reprlib.Repr()
    short.maxlevel = 1
    return short.repr(value)
