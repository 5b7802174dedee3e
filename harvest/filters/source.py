"""Drops what comes from where it should not: a denied channel or video, or one under another licence than allowed.

Titles, channels and licences are as the source gives them: strangers' claims.
"""

from fnmatch import fnmatchcase
from typing import ClassVar

from harvest.filters.base import Candidate, Drop, FilterConfig
from shards.sample import UNKNOWN


class Source:
    """Gives the reasons "denied_video", "denied_channel" and "license"."""

    name: ClassVar[str] = "source"

    def __init__(self, config: FilterConfig) -> None:
        self._videos = frozenset(config.denied_videos)
        self._channels = frozenset(_plain(channel) for channel in config.denied_channels)
        self._licenses = tuple(_plain(license_) for license_ in config.licenses)

    def judge(self, candidate: Candidate) -> Drop | None:
        video = candidate.video
        if video.id in self._videos:
            return Drop("denied_video", UNKNOWN)
        if _plain(video.channel) in self._channels:
            return Drop("denied_channel", UNKNOWN)
        return None if self._allows(_plain(video.license)) else Drop("license", UNKNOWN)

    def _allows(self, license_: str) -> bool:
        return not self._licenses or any(fnmatchcase(license_, pattern) for pattern in self._licenses)


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
