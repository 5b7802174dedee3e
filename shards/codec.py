"""A sample to and from the members of a tar: jpg, txt and json, and nothing else.

Decoding treats the bytes as a stranger's: sizes are bounded, every field is checked for presence and type.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shards.errors import CorruptShard, UnknownSchema
from shards.sample import JSON_FIELDS, SCHEMA, Sample, json_values

MEMBERS = ("jpg", "json", "txt")
MAX_MEMBER_BYTES = {"jpg": 32 << 20, "json": 1 << 20, "txt": 1 << 20}


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSample:
    """A sample's undecoded members, as they lie in the tar."""

    key: str
    members: Mapping[str, bytes]  # by ending: "jpg", "json", "txt"


def encode(sample: Sample) -> RawSample:
    """The members of `sample`; equal samples give equal bytes."""
    record = json.dumps(json_values(sample), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    members = {"jpg": sample.image, "json": record.encode(), "txt": sample.caption.encode()}
    return RawSample(key=sample.key, members=members)


def decode(raw: RawSample) -> Sample:
    """The sample of `raw`. Raises CorruptShard or UnknownSchema naming the key."""
    for member in MEMBERS:
        if member not in raw.members:
            raise CorruptShard(f"Sample {raw.key} has no {member} member.")
        if len(raw.members[member]) > MAX_MEMBER_BYTES[member]:
            raise CorruptShard(f"The {member} member of sample {raw.key} is over {MAX_MEMBER_BYTES[member]} bytes.")
    values = _read_json(raw)
    if values["caption"].encode() != raw.members["txt"]:
        raise CorruptShard(f"Sample {raw.key} has one caption in its txt member and another in its JSON.")
    return Sample(image=raw.members["jpg"], **values)


def _read_json(raw: RawSample) -> dict[str, Any]:
    try:
        values = json.loads(raw.members["json"])
    except (ValueError, RecursionError) as error:
        raise CorruptShard(f"The JSON of sample {raw.key} cannot be read: {error}.") from None
    if not isinstance(values, dict):
        raise CorruptShard(f"The JSON of sample {raw.key} is not an object.")
    if values.get("schema") != SCHEMA:
        raise UnknownSchema(f"Sample {raw.key} has schema {values.get('schema')!r}; this version reads {SCHEMA}.")
    for name, kind in JSON_FIELDS.items():
        if type(values.get(name)) is not kind:
            raise CorruptShard(f"Sample {raw.key}: {name} must be a {kind.__name__}, not {values.get(name)!r:.80}.")
    return {name: values[name] for name in JSON_FIELDS}
