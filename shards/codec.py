"""A sample to and from the members of a tar: jpg, txt and json, and nothing else; without a picture there is no jpg.

Decoding treats the bytes as a stranger's: sizes are bounded, every field is checked for presence and type.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shards.errors import CorruptShard, UnknownSchema, shown
from shards.sample import JSON_FIELDS, READABLE, SCHEMA, Sample, has_picture, json_values

MEMBERS = ("jpg", "json", "txt")
MAX_MEMBER_BYTES = {"jpg": 32 << 20, "json": 1 << 20, "txt": 1 << 20}

KIND_NAMES = {str: "valid text", int: "a whole number of 64 bits", float: "a finite float"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSample:
    """A sample's undecoded members, as they lie in the tar."""

    key: str
    members: Mapping[str, bytes]  # by ending: "jpg", "json", "txt"


def encode(sample: Sample) -> RawSample:
    """The members of `sample`; equal samples give equal bytes.

    Raises ValueError if a float is not finite, and CorruptShard for a member that `decode` would find too large.
    """
    values = json_values(sample)
    try:
        record = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise ValueError(f"A sample of video {sample.video_id} at {sample.frame_time} s: {error}.") from None
    members = {"jpg": sample.image} if sample.image or has_picture(values) else {}
    members |= {"json": record.encode(), "txt": values["caption"].encode()}
    raw = RawSample(key=sample.key, members=members)
    _check_sizes(raw)
    return raw


def decode(raw: RawSample) -> Sample:
    """The sample of `raw`, of the present schema. Raises CorruptShard or UnknownSchema naming the key."""
    _expect(raw, "json", "txt")
    _check_sizes(raw)
    values = _read_json(raw)
    if has_picture(values):
        _expect(raw, "jpg")
    if values["key"] != raw.key:
        raise CorruptShard(f"Sample {raw.key} calls itself {shown(values['key'])} in its JSON.")
    if values["caption"].encode() != raw.members["txt"]:
        raise CorruptShard(f"Sample {raw.key} has one caption in its txt member and another in its JSON.")
    return Sample(image=raw.members.get("jpg", b""), **values)


def _expect(raw: RawSample, *members: str) -> None:
    for member in members:
        if member not in raw.members:
            raise CorruptShard(f"Sample {raw.key} has no {member} member.")


def _check_sizes(raw: RawSample) -> None:
    for member in MEMBERS:
        if len(raw.members.get(member, b"")) > MAX_MEMBER_BYTES[member]:
            raise CorruptShard(f"The {member} member of sample {raw.key} is over {MAX_MEMBER_BYTES[member]} bytes.")


def _read_json(raw: RawSample) -> dict[str, Any]:
    try:
        values = json.loads(raw.members["json"].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CorruptShard(f"The JSON of sample {raw.key} cannot be read: {error}.") from None
    if not isinstance(values, dict):
        raise CorruptShard(f"The JSON of sample {raw.key} is not an object.")
    schema = values.get("schema")
    if type(schema) is not int or schema not in READABLE:
        raise UnknownSchema(
            f"Sample {raw.key} has schema {shown(schema)}; this version reads {READABLE[0]} to {READABLE[-1]}."
        )
    if schema == 1:
        values |= {"annotation": "", "schema": SCHEMA}
    for name, kind in JSON_FIELDS.items():
        if not _is_sound(values.get(name), kind):
            found = shown(values[name]) if name in values else "missing"
            raise CorruptShard(f"Sample {raw.key}: {name} must be {KIND_NAMES[kind]}, and is {found}.")
    return {name: values[name] for name in JSON_FIELDS}


def _is_sound(value: Any, kind: type[Any]) -> bool:
    """Whether `value` is exactly of `kind`, and one that every reader can hold."""
    if type(value) is not kind:
        return False
    if isinstance(value, str):
        return value.isascii() or value == value.encode(errors="replace").decode()  # no half of a surrogate pair
    if isinstance(value, float):
        return math.isfinite(value)
    return bool(-(2**63) <= value < 2**63)
