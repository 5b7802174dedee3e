"""What tests of a trained run share."""

import shutil
from pathlib import Path

from configs.loading import dump, load
from shards.manifest import Manifest
from shards.reader import read_shard
from train.config import TrainConfig


def changed(run: Path, folder: Path, *changes: str) -> Path:
    """A copy of the run that says it was trained with other settings."""
    copy = Path(shutil.copytree(run, folder / "changed"))
    for stored in copy.glob("checkpoints/*/config.yaml"):
        stored.write_text(dump(load(TrainConfig, stored, changes)))
    return copy


def frames(shards: Path) -> list[bytes]:
    """The JPEGs of the test split."""
    names = [shard.name for shard in Manifest.load(shards).of_split("test")]
    return [raw.members["jpg"] for name in names for raw in read_shard(shards / name)]
