"""Words that somebody wrote down: subtitles beside, inside of or published with a video."""

from harvest.subtitles.choosing import corrected, tracks_of, written
from harvest.subtitles.cue import Cue, Track
from harvest.subtitles.sidecars import sidecars

__all__ = ["Cue", "Track", "corrected", "sidecars", "tracks_of", "written"]
