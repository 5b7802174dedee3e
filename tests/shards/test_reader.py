"""Reading tars that somebody has torn, damaged or made on purpose."""

import io
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shards.codec import MAX_MEMBER_BYTES, RawSample, encode
from shards.errors import CorruptShard, NotAShardSet
from shards.reader import read_set, read_shard
from shards.writer import write_set
from tests.shards.pictures import files, sample, samples

BLOCK = tarfile.BLOCKSIZE


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """A tar of three samples."""
    manifest = write_set(tmp_path / "set", {"train": samples(0, 3)})
    return tmp_path / "set" / manifest.shards[0].name


def read(path: Path, content: bytes | None = None) -> list[RawSample]:
    if content is not None:
        path.write_bytes(content)
    return [*read_shard(path)]


def read_until_refused(path: Path, content: bytes) -> list[RawSample]:
    """What is read before the tar is refused, which it must be."""
    path.write_bytes(content)
    found: list[RawSample] = []
    with pytest.raises(CorruptShard, match=path.name):
        found.extend(read_shard(path))
    return found


def members_end(path: Path) -> int:
    with tarfile.open(path) as archive:
        archive.getmembers()
        return archive.offset


def tar(path: Path, add: Callable[[tarfile.TarFile], None], kind: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=kind) as archive:
        add(archive)
    return path


def add_member(archive: tarfile.TarFile, name: str, content: bytes = b"x", **fields: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    archive.addfile(member, io.BytesIO(content))


def add_sample(archive: tarfile.TarFile, number: int, stem: str | None = None) -> None:
    raw = encode(sample(number, key=f"{number:09d}"))
    for ending, content in raw.members.items():
        add_member(archive, f"{stem or raw.key}.{ending}", content)


def test_a_sound_shard_gives_its_samples_in_order(shard: Path) -> None:
    assert [raw.key for raw in read(shard)] == ["000000000", "000000001", "000000002"]
    assert all(set(raw.members) == {"jpg", "txt", "json"} for raw in read(shard))


def test_a_shard_torn_anywhere_is_refused(shard: Path) -> None:
    whole, end = shard.read_bytes(), members_end(shard)
    for length in {*range(0, end, 171), *range(0, end, BLOCK), end - 1, end, end + 1, end + BLOCK - 1}:
        found = read_until_refused(shard, whole[:length])
        assert len(found) <= 3
    assert len(read(shard, whole[: end + BLOCK])) == 3  # only padding is gone


def test_a_damaged_header_anywhere_is_refused(shard: Path) -> None:
    whole = shard.read_bytes()
    with tarfile.open(shard) as archive:
        headers = [member.offset for member in archive.getmembers()]
    for header in headers:
        for place in (*range(0, 265, 29), 124, 148, 156, 257):  # name, size, checksum, kind, magic, ...
            flipped = bytearray(whole)
            flipped[header + place] ^= 0x01
            read_until_refused(shard, bytes(flipped))


def test_a_header_blanked_in_the_middle_is_not_taken_for_the_end(shard: Path) -> None:
    whole = shard.read_bytes()
    with tarfile.open(shard) as archive:
        header = archive.getmembers()[4].offset
    read_until_refused(shard, whole[:header] + bytes(BLOCK) + whole[header + BLOCK :])


def test_something_after_the_end_is_refused(shard: Path) -> None:
    whole = shard.read_bytes()
    read_until_refused(shard, whole + whole)
    read_until_refused(shard, whole + b"\x01")
    assert len(read(shard, whole + bytes(1 << 21))) == 3


def test_random_damage_is_either_refused_or_inside_a_member(shard: Path) -> None:
    whole, order = shard.read_bytes(), random.Random(5)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(order.randint(1, 8)):
            damaged[order.randrange(len(damaged))] = order.randrange(256)
        shard.write_bytes(damaged)
        try:
            assert sum(1 for _ in read_shard(shard)) == 3
        except CorruptShard as refusal:
            assert shard.name in str(refusal)


@pytest.mark.parametrize("content", [b"", b"\0" * 511, b"PK\x03\x04" * 300, b"\x1f\x8b" + b"a" * 2000])
def test_what_is_no_tar_is_refused(shard: Path, content: bytes) -> None:
    assert read_until_refused(shard, content) == []


def test_a_compressed_tar_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train-00000.tar"
    with tarfile.open(path, "w:gz") as archive:
        add_sample(archive, 0)
    read_until_refused(path, path.read_bytes())


@pytest.mark.parametrize("ending", ["jpg", "json", "txt"])
def test_a_member_over_the_limit_is_refused_before_it_is_read(tmp_path: Path, ending: str) -> None:
    """A sparse file stands for it: nothing of it is on the disk, all of it would be in memory."""
    path, size = tmp_path / "train-00000.tar", MAX_MEMBER_BYTES[ending] + 1
    header = tarfile.TarInfo(f"1.{ending}")
    header.size = size
    with path.open("wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.truncate(BLOCK + size + 4 * BLOCK - size % BLOCK)
    with pytest.raises(CorruptShard, match=rf"1\.{ending}.*{size}"):
        read(path)


def with_size_field(name: str, size: bytes) -> bytes:
    """A header whose size is given as GNU's binary number, its checksum right."""
    header = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    header[124:136] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize(
    "size",
    [
        b"\xff" * 10 + b"\xfe\x00",  # minus one block: the same header again, and again
        b"\xff" * 10 + b"\xfc\x00",
        b"\x80" + b"\x00" * 3 + b"\x7f" + b"\xff" * 7,  # almost 2 to the 63
        b"\x80" + b"\xff" * 11,  # more than a file offset can say
    ],
)
@pytest.mark.parametrize("name", ["1.txt", "1.bin"])
def test_a_size_that_cannot_be_leads_nowhere(shard: Path, name: str, size: bytes) -> None:
    odd = with_size_field(name, size) + bytes(4 * BLOCK)
    read_until_refused(shard, odd)
    read_until_refused(shard, tarfile.TarInfo("0.txt").tobuf() + odd)


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE, size: int | None = None) -> bytes:
    header = tarfile.TarInfo("pax")
    header.type, header.size = kind, len(records) if size is None else size
    return header.tobuf(tarfile.GNU_FORMAT) + records.ljust(-(-len(records) // BLOCK) * BLOCK, b"\0")


@pytest.mark.parametrize(
    "content",
    [
        pax(b"14 size=-1024\n") + tarfile.TarInfo("1.txt").tobuf(),
        pax(b"14 size=-1024\n") + tarfile.TarInfo("1.bin").tobuf(),
        pax(b"13 size=9999\n") + tarfile.TarInfo("1.txt").tobuf(),
        pax(b"99999999999999999999 size=1\n") + tarfile.TarInfo("1.txt").tobuf(),
        pax(b"", size=1 << 60),
        pax(b"", kind=tarfile.GNUTYPE_LONGNAME, size=1 << 60),
        b"".join([pax(b"9 a=b   \n")] * 3000) + tarfile.TarInfo("1.txt").tobuf(),
    ],
)
def test_extended_headers_made_to_lead_astray_are_refused(shard: Path, content: bytes) -> None:
    read_until_refused(shard, content + bytes(2 * BLOCK))


def test_links_devices_and_folders_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("not to be read")

    def add(archive: tarfile.TarFile) -> None:
        kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)
        for kind in kinds:
            add_member(archive, "000000000.txt", b"", type=kind, linkname=str(tmp_path / "secret"))
        add_sample(archive, 0)

    (raw,) = read(tar(tmp_path / "train-00000.tar", add))
    assert raw.members == encode(sample(0, key="000000000")).members


def test_names_that_lead_elsewhere_are_only_names(tmp_path: Path) -> None:
    def add(archive: tarfile.TarFile) -> None:
        for number, stem in enumerate(["../../up", "/etc/absolute", "sub/folder/in"]):
            add_sample(archive, number, stem)

    path = tar(tmp_path / "train-00000.tar", add)
    before = files(tmp_path)
    assert [raw.key for raw in read(path)] == ["../../up", "/etc/absolute", "sub/folder/in"]
    assert files(tmp_path) == before


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_name_that_goes_on_and_on_is_refused_and_shown_in_part(tmp_path: Path, kind: int) -> None:
    path = tar(tmp_path / "a.tar", lambda archive: add_member(archive, "n" * 20_000 + ".txt"), kind)
    with pytest.raises(CorruptShard, match="is over 1000 long") as refusal:
        read(path)
    assert len(str(refusal.value)) < 600


@pytest.mark.parametrize("name", ["\x1b[2J.txt", "a\nb.txt", "bell\x07.jpg"])
def test_a_name_that_would_steer_a_terminal_is_refused_and_not_repeated(tmp_path: Path, name: str) -> None:
    path = tar(tmp_path / "train-00000.tar", lambda archive: add_member(archive, name))
    with pytest.raises(CorruptShard) as refusal:
        read(path)
    assert str(refusal.value).isprintable()


def test_other_members_are_left_out(tmp_path: Path) -> None:
    def add(archive: tarfile.TarFile) -> None:
        for name in ("000000000.pickle", "000000000.pyd", "README", "__meta__", ".txt", "000000000.npy"):
            add_member(archive, name)
        add_sample(archive, 0)

    (raw,) = read(tar(tmp_path / "train-00000.tar", add))
    assert set(raw.members) == {"jpg", "txt", "json"}


def test_a_member_that_comes_twice_is_refused(tmp_path: Path) -> None:
    def add(archive: tarfile.TarFile) -> None:
        add_member(archive, "1.txt")
        add_member(archive, "1.TXT")

    with pytest.raises(CorruptShard, match=r"train-00000\.tar.*1\.TXT") as refusal:
        read(tar(tmp_path / "train-00000.tar", add))
    assert "None" not in str(refusal.value)


def test_no_program_is_started_for_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorruptShard, match="not a file"):
        read(Path("pipe:touch started"))
    with pytest.raises(NotAShardSet):
        [*read_set(Path("pipe:touch started"), "train")]
    assert not (tmp_path / "started").exists()


def test_a_shard_that_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.tar")
    (tmp_path / "folder.tar").mkdir()
    for name in ("fifo.tar", "folder.tar", "missing.tar"):
        with pytest.raises(CorruptShard, match=name):
            read(tmp_path / name)
