"""A small set of drawn scenes, and the smallest model that can do everything."""

from pathlib import Path

import pytest
import torch
from rich.console import Console

from shards.manifest import Manifest
from tests.train.scenes import write_scenes
from tests.train.small import SMALL, first_batch, small_model, small_tokenizer
from train.batch import Batch
from train.commands.pretrain import pretrain
from train.commands.request import new_request
from train.config import TrainConfig
from train.data.collate import Collate
from train.data.tokenizer import Tokenizer
from train.models.vilt import Vilt

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 training, 6 val and 12 test scenes, in tars of 10."""
    folder = tmp_path_factory.mktemp("scenes") / "shards"
    write_scenes(folder, train=48, val=6, test=12, samples_per_shard=10)
    return folder


@pytest.fixture(scope="session")
def manifest(shards: Path) -> Manifest:
    return Manifest.load(shards)


@pytest.fixture(scope="session")
def config() -> TrainConfig:
    return SMALL


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return small_tokenizer()


@pytest.fixture(scope="session")
def collate(config: TrainConfig, tokenizer: Tokenizer) -> Collate:
    return Collate(config=config.data, tokenizer=tokenizer, seed=3, training=True)


@pytest.fixture(scope="session")
def plain(config: TrainConfig, tokenizer: Tokenizer) -> Collate:
    """Images as they are."""
    return Collate(config=config.data, tokenizer=tokenizer, seed=3, training=False)


@pytest.fixture(scope="session")
def batch(shards: Path) -> Batch:
    return first_batch(shards)


@pytest.fixture
def model(config: TrainConfig, tokenizer: Tokenizer) -> Vilt:
    return small_model(config, tokenizer)


@pytest.fixture(scope="session")
def run(shards: Path, config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the small model over the scenes."""
    folder = tmp_path_factory.mktemp("trained") / "runs" / "pretrain-001"
    pretrain(new_request([shards], folder, config), Console(quiet=True))
    return folder
