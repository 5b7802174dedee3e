"""What `train pretrain` is asked to do: a new run, or one to go on with. All that can be refused is refused here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.loading import Config, load
from shards.sample import Kind
from train import runs
from train.checkpoint import Checkpoint
from train.commands.assembly import cache_beside, settings_of, trained_on
from train.config import TrainConfig
from train.data.mixture import rows_of_sets
from train.data.sets import require_samples
from train.data.source import Source, open_source
from train.distributed import Place
from train.errors import RequestError, RunFolderError
from train.objectives.masks import Lone

DEFAULT_SHARDS = Path("data/shards")
# What the weights and the place in the data hang on: to change it would break a run, or be without effect.
FIXED = ("seed", "tokenizer", "model", "data.image_size", "data.text_length", "data.shards_per_group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be trained, and where it is kept."""

    sources: tuple[Source, ...]
    run: Path
    config: TrainConfig
    resumed: Checkpoint | None


def new_request(shards: Sequence[str | Path], out: Path | None, config: TrainConfig) -> Request:
    """A run from the start, on the sets `shards` or, if there are none, on what 'harvest shard' writes unasked."""
    run = out or runs.next_free_run()
    runs.refuse_taken(run)
    sources = _opened(shards or [DEFAULT_SHARDS], run, config)
    for source in sources:
        require_samples(source, "train")
    return Request(sources=sources, run=run, config=config, resumed=None)


def resume_request(
    shards: Sequence[str | Path], out: Path | None, overrides: list[str], *, step: int | None = None
) -> Request:
    """Go on with a run from its last checkpoint, or that of `step`, with its own settings and `overrides`."""
    run = _run_to_resume(out)
    checkpoint = _checkpoint_to_resume(run, step)
    config = _resumed_settings(checkpoint, overrides)
    sources = (
        _opened(shards, run, config)
        if shards
        else trained_on(checkpoint, cache=cache_beside(run), skip=config.data.corrupt == "skip")
    )
    _refuse_others(sources, checkpoint, run)
    return Request(sources=sources, run=run, config=config, resumed=checkpoint)


def _opened(shards: Sequence[str | Path], run: Path, config: TrainConfig) -> tuple[Source, ...]:
    skip = config.data.corrupt == "skip"
    return tuple(open_source(str(each), cache=cache_beside(run), skip=skip) for each in shards)


def _refuse_others(sources: Sequence[Source], checkpoint: Checkpoint, run: Path) -> None:
    sets = checkpoint.state.sets
    if len(sources) != len(sets):
        raise RequestError(
            f"{run} was trained on {len(sets)} set(s), and {len(sources)} are given: "
            "give --shards once for each of them, in their order, or leave it out."
        )
    for source, known in zip(sources, sets, strict=True):
        if source.digest != known.digest:
            raise RequestError(
                f"{run} was trained on another set than {source.name} now holds, so its place in the data means "
                "nothing there: give the set it was trained on with --shards, or start a new run."
            )


def resumed_settings(out: Path | None, overrides: list[str], *, step: int | None = None) -> TrainConfig:
    """The settings with which a run would go on."""
    return _resumed_settings(_checkpoint_to_resume(_run_to_resume(out), step), overrides)


def _checkpoint_to_resume(run: Path, step: int | None) -> Checkpoint:
    return Checkpoint.open(runs.checkpoint_of(run) if step is None else runs.checkpoint_of_step(run, step))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Of each micro batch in each process."""

    pairs: int
    texts: int  # without an image
    images: int  # without a text

    @property
    def lone(self) -> Lone:
        return self.texts, self.images


def rows_by_kind(request: Request, place: Place) -> Rows:
    """Raises RequestError or DataError where a step's rows cannot be dealt out."""
    data, at_once = request.config.data, rows_of(request.config, place)
    names = [source.name for source in request.sources]
    samples = [source.samples("train") for source in request.sources]
    counts = rows_of_sets(names, samples, data.weights, data.batch_size)
    _refuse_uneven(names, counts, seats=data.batch_size // at_once)

    def of_kind(kind: Kind) -> int:
        rows = sum(count for source, count in zip(request.sources, counts, strict=True) if source.kind == kind)
        return rows * at_once // data.batch_size

    return Rows(pairs=of_kind("pairs"), texts=of_kind("texts"), images=of_kind("images"))


def _refuse_uneven(names: Sequence[str], counts: Sequence[int], *, seats: int) -> None:
    """Processes compare their pairs with each other's, so all must have equally many of each set."""
    if any(count % seats for count in counts):
        found = ", ".join(f"{count} of {name}" for name, count in zip(names, counts, strict=True))
        raise RequestError(
            f"The rows of a step ({found}) cannot be dealt evenly to the {seats} micro batches of all processes: "
            f"choose data.weights and data.batch_size so that each set has a multiple of {seats}."
        )


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
