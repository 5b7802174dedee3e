"""All settings of `harvest`, each declared beside what it sets."""

from typing import ClassVar

from pydantic import Field, field_validator

from configs import Config
from harvest.asr.base import TranscribeConfig
from harvest.engines import EngineConfig
from harvest.filters import FilterConfig
from harvest.pairing import PairingConfig
from harvest.sources import SourceConfig
from harvest.stages.download import DownloadConfig
from harvest.stages.scenes import ScenesConfig
from shards.split import DEFAULT_SHARES
from shards.writer import MAX_SAMPLES_PER_SHARD


class ShardConfig(Config):
    """How the set is laid out."""

    title: str = "Narrated video"
    samples_per_shard: int = Field(default=1000, ge=1, le=MAX_SAMPLES_PER_SHARD)
    split_shares: tuple[float, float, float] = DEFAULT_SHARES  # of all videos: train, val, test

    @field_validator("split_shares")
    @classmethod
    def _sum_to_one(cls, shares: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError("no share may be below 0, and the three must sum to 1")
        return shares


class HarvestConfig(Config):
    """Everything `harvest` can be told."""

    group: ClassVar[str] = "harvest"

    source: SourceConfig = SourceConfig()
    download: DownloadConfig = DownloadConfig()
    transcribe: TranscribeConfig = TranscribeConfig()
    scenes: ScenesConfig = ScenesConfig()
    pairing: PairingConfig = PairingConfig()
    filters: FilterConfig = FilterConfig()
    shard: ShardConfig = ShardConfig()
    engine: EngineConfig = EngineConfig()
