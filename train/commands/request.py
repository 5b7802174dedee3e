"""What `train pretrain` is asked to do: a new run, or one to go on with. All that can be refused is refused here."""

from dataclasses import dataclass
from pathlib import Path

from configs.loading import Config, load
from shards.manifest import Manifest
from train import runs
from train.checkpoint import Checkpoint
from train.commands.assembly import settings_of, shards_of, trained_on
from train.config import TrainConfig
from train.distributed import Place
from train.errors import RequestError, RunFolderError

DEFAULT_SHARDS = Path("data/shards")
# What the weights and the place in the data hang on: to change it would break a run, or be without effect.
FIXED = ("seed", "tokenizer", "model", "data.image_size", "data.text_length", "data.shards_per_group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be trained, and where it is kept."""

    shards: Path
    run: Path
    config: TrainConfig
    resumed: Checkpoint | None


def new_request(shards: Path | None, out: Path | None, config: TrainConfig) -> Request:
    """A run from the start."""
    shards = shards or DEFAULT_SHARDS
    shards_of(shards, Manifest.load(shards), "train")
    run = out or runs.next_free_run()
    runs.refuse_taken(run)
    return Request(shards=shards, run=run, config=config, resumed=None)


def resume_request(shards: Path | None, out: Path | None, overrides: list[str]) -> Request:
    """Go on with a run where its last checkpoint stands, with its own settings and `overrides`."""
    run = _run_to_resume(out)
    checkpoint = Checkpoint.open(runs.checkpoint_of(run))
    config = _resumed_settings(checkpoint, overrides)
    shards = shards or trained_on(checkpoint)
    if Manifest.load(shards).digest != checkpoint.state.sets[0].digest:
        raise RequestError(
            f"{run} was trained on another set than {shards} now holds, so its place in the data means nothing there: "
            "give the set it was trained on with --shards, or start a new run."
        )
    return Request(shards=shards, run=run, config=config, resumed=checkpoint)


def resumed_settings(out: Path | None, overrides: list[str]) -> TrainConfig:
    """The settings with which a run would go on."""
    return _resumed_settings(Checkpoint.open(runs.checkpoint_of(_run_to_resume(out))), overrides)


def rows_of(config: TrainConfig, place: Place) -> int:
    """Rows of a micro batch in one process. Raises RequestError where a step's rows cannot be dealt evenly."""
    parts = place.world * config.trainer.accumulate
    rows, left = divmod(config.data.batch_size, parts)
    if left or not rows:
        raise RequestError(
            f"data.batch_size={config.data.batch_size} rows of a step cannot be dealt to {place.world} processes times "
            f"trainer.accumulate={config.trainer.accumulate}: set it to a multiple of {parts}."
        )
    return rows


def _run_to_resume(out: Path | None) -> Path:
    run = out or runs.newest_run()
    if runs.is_checkpoint(run):
        raise RunFolderError(
            f"{run} is one checkpoint, not a run, and training would write into it: give --out {runs.run_of(run)}, "
            "which goes on from the run's latest checkpoint."
        )
    return run


def _resumed_settings(checkpoint: Checkpoint, overrides: list[str]) -> TrainConfig:
    stored = settings_of(checkpoint)
    wanted = load(TrainConfig, checkpoint.settings, overrides)
    # What is computed again in the backward pass shapes nothing.
    fixed = stored.model_copy(update={"model": stored.model.model_copy(update={"recompute": wanted.model.recompute})})
    for name in FIXED:
        if _setting(fixed, name) != _setting(wanted, name):
            raise RequestError(
                f"The setting {name} is fixed when a run starts, as its weights and its place in the data hang on it: "
                "leave it out of --set, or start a new run."
            )
    return wanted


def _setting(config: TrainConfig, name: str) -> object:
    value: object = config
    for part in name.split("."):
        assert isinstance(value, Config)
        value = getattr(value, part)
    return value
