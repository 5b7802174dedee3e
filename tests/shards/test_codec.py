"""A sample to members and back, and every kind of damage named."""

import dataclasses
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards.codec import MAX_MEMBER_BYTES, RawSample, decode, encode
from shards.errors import CorruptShard, UnknownSchema
from shards.sample import JSON_FIELDS, SCHEMA, UNKNOWN, Sample
from tests.shards.pictures import CAPTIONS, sample

KEY = "000120034"


def raw_sample(**members: bytes) -> RawSample:
    raw = encode(sample(7, key=KEY))
    return RawSample(key=KEY, members={**raw.members, **members})


def with_json(**changed: Any) -> RawSample:
    """The record with values changed, or left out where they are `...`."""
    values = json.loads(raw_sample().members["json"]) | changed
    kept = {name: value for name, value in values.items() if value is not ...}
    return raw_sample(json=json.dumps(kept).encode())


@pytest.mark.parametrize("caption", CAPTIONS)
def test_hard_captions_survive_the_round_trip(caption: str) -> None:
    given_sample = sample(3, caption=caption, title=caption, context_before=caption, key=KEY)
    assert decode(encode(given_sample)) == given_sample


TEXT = st.text(st.characters(exclude_categories=["Cs"]))  # all but halves of surrogate pairs
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
OF_KIND: dict[type, st.SearchStrategy[Any]] = {str: TEXT, float: FLOAT, int: st.integers(-(2**63), 2**63 - 1)}
VALUES = st.fixed_dictionaries({name: OF_KIND[kind] for name, kind in JSON_FIELDS.items() if name != "schema"})


@settings(max_examples=60, deadline=None)
@given(VALUES, st.binary())
def test_any_sample_survives_the_round_trip(values: dict[str, Any], image: bytes) -> None:
    whole = Sample(image=image, schema=SCHEMA, **values)
    assert decode(encode(whole)) == whole


def test_equal_samples_give_equal_members_and_floats_are_written_as_floats() -> None:
    one, two = sample(7, key=KEY, frame_time=2.0), dataclasses.replace(sample(7, key=KEY), frame_time=2)
    assert encode(one).members == encode(two).members
    assert b'"frame_time":2.0' in encode(two).members["json"]


def test_every_record_is_flat_whole_and_without_nulls() -> None:
    record = json.loads(encode(Sample.make(image=b"", caption="", video_id="")).members["json"])
    assert [*record] == [*JSON_FIELDS]
    assert {name: type(value) for name, value in record.items()} == JSON_FIELDS
    assert record["sharpness"] == UNKNOWN
    assert record["status"] == "success"


@pytest.mark.parametrize("member", ["jpg", "txt", "json"])
def test_a_missing_member_is_named(member: str) -> None:
    raw = raw_sample()
    rest = {name: content for name, content in raw.members.items() if name != member}
    with pytest.raises(CorruptShard, match=rf"{KEY} has no {member}"):
        decode(RawSample(key=KEY, members=rest))


@pytest.mark.parametrize("member", ["jpg", "txt", "json"])
def test_an_oversize_member_is_refused(member: str) -> None:
    huge = bytes(MAX_MEMBER_BYTES[member] + 1)
    with pytest.raises(CorruptShard, match=rf"{member} member of sample {KEY}"):
        decode(raw_sample(**{member: huge}))


WRONG: dict[str, list[Any]] = {
    "caption": [..., None, 5, ["a"], "half \ud800"],
    "title": [..., None, {"a": 1}, "half \udfff"],
    "frame_time": [..., None, 3, "3.0", True, float("nan"), float("inf")],
    "width": [..., None, 3.0, "3", False, 2**63, -(2**63) - 1],
    "words": [..., None, [], [["a", 0.0, 1.0, 0.5]]],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_field_that_is_missing_or_of_the_wrong_kind_is_named(name: str, value: Any) -> None:
    with pytest.raises(CorruptShard, match=rf"{KEY}.*{name}"):
        decode(with_json(**{name: value}))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        '{"schema": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"schema":' + b"9" * 5000 + b"}",
        b"\xef\xbb\xbf{}",
    ],
)
def test_a_json_member_that_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(CorruptShard, match=KEY):
        decode(raw_sample(json=content))


@pytest.mark.parametrize("schema", [..., None, 0, 3, "1", [1], True, 1.0])
def test_another_schema_is_told_from_damage(schema: Any) -> None:
    with pytest.raises(UnknownSchema, match=rf"{KEY} has schema"):
        decode(with_json(schema=schema))


def test_a_caption_that_differs_from_the_txt_member_is_damage() -> None:
    with pytest.raises(CorruptShard, match=rf"{KEY}.*caption"):
        decode(raw_sample(txt=b"something else"))
    with pytest.raises(CorruptShard, match=rf"{KEY}.*caption"):
        decode(raw_sample(txt=b"\xff\xff"))


def test_a_record_that_calls_itself_otherwise_is_damage() -> None:
    with pytest.raises(CorruptShard, match=rf"{KEY}.*another"):
        decode(with_json(key="another"))


def test_messages_about_strangers_values_are_short_and_plain() -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = [deep, 1]
    for value in ("\x1b[2J" * 10_000, deep, {"a" * 5000: "b" * 5000}):
        with pytest.raises(CorruptShard) as refusal:
            decode(with_json(width=value))
        assert len(str(refusal.value)) < 300
        assert re.fullmatch(r"[ -~]*", str(refusal.value))


def test_flipped_bytes_in_a_record_are_found_or_change_nothing_but_a_value() -> None:
    raw = raw_sample()
    record = raw.members["json"]
    for place in range(len(record)):
        damaged = record[:place] + bytes([record[place] ^ 0x80]) + record[place + 1 :]
        with pytest.raises(CorruptShard, match=KEY):
            decode(raw_sample(json=damaged))


@pytest.mark.parametrize(
    ("too_much", "member"), [({"caption": "a" * (1 << 20)}, "json"), ({"image": bytes((32 << 20) + 1)}, "jpg")]
)
def test_what_could_not_be_read_back_is_not_written(too_much: dict[str, Any], member: str) -> None:
    with pytest.raises(CorruptShard, match=f"The {member} member of sample {KEY} is over"):
        encode(sample(7, key=KEY, **too_much))
