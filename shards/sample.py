"""One sample: a picture and its text; of narrated video, a key frame and what was said around it.

Every field but `image` is a member of the sample's JSON. All are flat scalars, none is ever null, and floats
are always floats: Hugging Face `datasets` infers the types from the first five samples, so a field that is
missing, null or an integer there breaks or truncates all later ones.

Sets of one modality alone hold samples without a picture (no jpg member; width, height 0 and sha256 "") or without
a text (caption "", an empty txt member). Which of the three a set is, its manifest says: it is never mixed.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

SCHEMA = 2
READABLE = (1, 2)
"""Schema 1 lacks `annotation`, `kind` and sets of one modality; it is read as if they were there and empty."""

Kind = Literal["pairs", "images", "texts"]
KINDS: tuple[Kind, ...] = get_args(Kind)

UNKNOWN = -1.0  # a float that was not measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The contract, schema 2. Times are seconds on the video's own clock."""

    image: bytes  # JPEG; the only field outside the JSON; b"" where there is no picture
    key: str  # digits, unique in the set: shard number (5) + place in the shard (4)
    url: str  # where the video can be watched; for a local file "file:" and its name
    caption: str  # the words said around the frame; also the txt member
    status: str  # "success", as img2dataset calls it
    width: int  # pixels
    height: int
    sha256: str  # of the JPEG; equal where one picture has several captions, a sample each
    video_id: str  # of what must stay in one split: a video; elsewhere a photo or a document
    extractor: str  # yt-dlp's name for the site, or "file"
    channel: str
    title: str
    language: str  # of the speech, two letters
    license: str
    upload_date: str  # YYYY-MM-DD or ""
    retrieved_at: str  # YYYY-MM-DD or "" for local files
    split: str  # train, val or test
    scene_start: float
    scene_end: float
    frame_time: float
    speech_start: float  # of the caption's first word
    speech_end: float  # of the caption's last word
    context_before: str  # what was said just before the caption
    context_after: str
    words: str  # JSON: [[word, start, end, probability], ...]
    caption_source: str  # "asr", "human" (subtitles, too), "class name", "web" or "" for unknown
    asr_model: str
    avg_logprob: float  # Whisper's, mean over the caption's words
    no_speech_prob: float  # Whisper's, worst segment
    compression_ratio: float  # Whisper's, worst segment
    sharpness: float  # variance of the Laplacian of the 8-bit luma
    brightness: float  # mean luma, 0..255
    dhash: str  # 64-bit difference hash, 16 hex digits
    align_score: float  # image-text agreement where a model has judged it, else -1
    annotation: str  # JSON: {"label": ...}, {"answers": ...}, what a task wants to know; "" where there is none
    schema: int
    harvest_version: str
    config_sha: str  # digest of the settings that made the set

    @classmethod
    def make(cls, *, image: bytes, caption: str, video_id: str, **known: Any) -> "Sample":
        """A sample with neutral values ("", 0, -1.0) in every field not named."""
        neutral: dict[type, Any] = {str: "", int: 0, float: UNKNOWN}
        values = {name: neutral[kind] for name, kind in JSON_FIELDS.items()}
        values |= {"status": "success", "schema": SCHEMA}
        return cls(image=image, **(values | known | {"caption": caption, "video_id": video_id}))


JSON_FIELDS: dict[str, type] = {name: kind for name, kind in get_type_hints(Sample).items() if name != "image"}
"""Name and type of each JSON field, in the order in which they are written."""


def json_values(sample: Sample) -> dict[str, Any]:
    """The JSON fields of `sample` in their order, floats as floats, text as what UTF-8 can hold."""
    return {name: _plain(kind(getattr(sample, name))) for name, kind in JSON_FIELDS.items()}


def _plain(value: Any) -> Any:
    """Half a surrogate pair, as cut-off titles have them, becomes a question mark."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def has_picture(values: Mapping[str, Any]) -> bool:
    """Whether these JSON fields are of a sample with a picture."""
    return bool(values["width"] or values["height"] or values["sha256"])


def with_place(sample: Sample, *, key: str, split: str) -> Sample:
    """`sample` as it lies in a set."""
    return dataclasses.replace(sample, key=key, split=split)
