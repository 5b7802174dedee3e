"""Which words a video's transcript is made of: those heard, those somebody wrote, or these at the times of those.

Video -> its tracks -> tidy -> corrected (source "auto") or written (source "subtitles") -> Transcript

That a track belongs to the video, and is in its language, is not believed but heard: its words must agree with
Whisper's. Where nobody listened the declared language decides. The transcript names every track that was tried.
"""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

from harvest.errors import Reason, StageError
from harvest.records import SubtitleFile, Transcript, TriedSubtitles, Video
from harvest.subtitles.aligning import Alignment, align
from harvest.subtitles.cue import MAX_TRACKS, Track
from harvest.subtitles.languages import two_letters
from harvest.subtitles.reading import read_embedded, read_file
from harvest.subtitles.tidying import tidy
from harvest.subtitles.words import tokens_of, written_segment

logger = logging.getLogger(__name__)

UNHEARD = -1.0  # an agreement that nobody measured


def tracks_of(video: Video, media: Path) -> list[Track]:
    """The tidy subtitles that belong to a video: files first, then the streams of its media.

    Raises StageError(CORRUPT) if the media cannot be opened.
    """
    files = [_read(media.parent, known) for known in video.subtitles[:MAX_TRACKS]]
    return [tidy(track, video.duration) for track in (files + read_embedded(media))[:MAX_TRACKS]]


def _read(folder: Path, known: SubtitleFile) -> Track:
    if known.problem:
        return Track(name=known.file, language=known.language, problem=known.problem)
    return read_file(folder / known.file, known.language)


def corrected(heard: Transcript, tracks: Sequence[Track], min_agreement: float) -> Transcript:
    """What was heard, spelled as the best of the tracks spells it; as it was heard if none agrees with it enough.

    `min_agreement` is the share, 0..1, of a track's words that must have been heard.
    """
    held = [(track, None if track.problem else align(heard, track)) for track in tracks]
    agreeing = [one for _, one in held if one is not None and one.agreement >= min_agreement and one.used_cues]
    best = max(agreeing, key=lambda one: one.heard, default=None)
    tried = tuple(_verdict(track, one, best, min_agreement) for track, one in held)
    if best is None:
        return dataclasses.replace(heard, subtitles=tried)
    return dataclasses.replace(best.transcript, source="aligned", subtitles=tried)


def written(tracks: Sequence[Track], language: str) -> Transcript:
    """The words of the first track in `language`, "" for any; else of the first that declares no language.

    Raises StageError(NO_SUBTITLES) if there is none.
    """
    usable = [track for track in tracks if not track.problem]
    ranked = sorted((track for track in usable if _rank(track, language) < 2), key=lambda track: _rank(track, language))
    if not ranked:
        found = ", ".join(f"{track.name} ({track.problem or track.language})" for track in tracks) or "none at all"
        raise StageError(
            Reason.NO_SUBTITLES,
            f"The video has no subtitles in {language or 'any language'} ({found}), and transcribe.source=subtitles "
            "has nobody listen: take transcribe.source=auto.",
        )
    chosen = ranked[0]
    spoken = language or two_letters(chosen.language)
    segments = (written_segment(tokens_of(cue, number, spoken)) for number, cue in enumerate(chosen.cues))
    tried = tuple(_unheard(track, chosen) for track in tracks)
    return Transcript(
        language=spoken, model="", engine="", segments=tuple(segments), source="subtitles", subtitles=tried
    )


def _rank(track: Track, language: str) -> int:
    declared = two_letters(track.language)
    if not language or declared == language:
        return 0
    return 2 if declared else 1


def _verdict(track: Track, one: Alignment | None, best: Alignment | None, min_agreement: float) -> TriedSubtitles:
    if one is None:
        return _tried(track, UNHEARD, track.problem)
    agreement = round(one.agreement, 4)
    if one is best:
        return dataclasses.replace(_tried(track, agreement, "used"), used_cues=one.used_cues)
    if one.agreement < min_agreement:
        logger.info("%s agrees with %.0f %% of its words with what was heard: not used.", track.name, 100 * agreement)
        return _tried(track, agreement, "differs from what is heard: another language, or shifted, or of another film")
    return _tried(track, agreement, "another track agrees more")


def _unheard(track: Track, chosen: Track) -> TriedSubtitles:
    if track is chosen:
        return dataclasses.replace(_tried(track, UNHEARD, "used"), used_cues=len(track.cues))
    return _tried(track, UNHEARD, track.problem or "another track is taken")


def _tried(track: Track, agreement: float, verdict: str) -> TriedSubtitles:
    return TriedSubtitles(
        name=track.name,
        language=track.language,
        cues=len(track.cues),
        used_cues=0,
        agreement=agreement,
        verdict=verdict,
    )
