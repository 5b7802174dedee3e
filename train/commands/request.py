"""What `train pretrain` is asked to do: a new run, or one to go on with. All that can be refused is refused here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.loading import Config, load
from shards.sample import Kind
from train import claim, runs
from train.checkpoint import Checkpoint
from train.commands.assembly import cache_beside, settings_of, trained_on
from train.config import TrainConfig
from train.data.config import DataConfig
from train.data.mixture import ROW_ORDER, rows_of_kinds, rows_of_sets
from train.data.sets import require_samples
from train.data.source import Source, open_source
from train.distributed import Place
from train.errors import CheckpointError, RequestError, RunFolderError
from train.rows import Rows

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
    made: bool = False  # its folder was made for it, and goes again if the run cannot begin

    @property
    def steps_left(self) -> int:
        done = self.resumed.state.step if self.resumed else 0
        return max(0, self.config.trainer.steps - done)


def new_request(shards: Sequence[str | Path], out: Path | None, config: TrainConfig, *, again: bool = False) -> Request:
    """A run from the start, on the sets `shards` or, if there are none, on what 'harvest shard' writes unasked.

    With `again` its folder may hold what a run has left that was stopped before its first checkpoint. Without `out` it
    has the next free name, which no other can take from now on.
    """
    if out:
        runs.refuse_taken(out, again=again)
    sources = _opened(shards or [DEFAULT_SHARDS], out or runs.ROOT / "next", config)
    for source in sources:
        require_samples(source, "train")
    made = claim.make(out) if out else True
    return Request(sources=sources, run=out or claim.make_next(), config=config, resumed=None, made=made)


def resume_request(
    shards: Sequence[str | Path],
    out: Path | None,
    overrides: Sequence[str],
    *,
    config: str | None = None,
    step: int | None = None,
) -> Request:
    """Go on with a run from its last checkpoint, or that of `step`.

    Its settings are its own, or those of `config` where these differ in nothing that is fixed, with `overrides`.
    """
    run = _run_to_resume(out)
    checkpoint = _checkpoint_to_resume(run, step)
    wanted = _resumed_settings(checkpoint, config, overrides)
    sources = (
        _opened(shards, run, wanted)
        if shards
        else trained_on(checkpoint, cache=cache_beside(run), skip=wanted.data.corrupt == "skip")
    )
    _refuse_others(sources, checkpoint, run)
    return Request(sources=sources, run=run, config=wanted, resumed=checkpoint)


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
        if known.position.ordinal >= source.samples("train"):
            raise CheckpointError(
                f"{checkpoint.folder} says that {known.position.ordinal} samples of an epoch of {source.name} were "
                f"read, which has {source.samples('train')}: it is damaged, so resume from another one."
            )


def resumed_settings(
    out: Path | None, overrides: Sequence[str], *, config: str | None = None, step: int | None = None
) -> TrainConfig:
    """The settings with which a run would go on."""
    return _resumed_settings(_checkpoint_to_resume(_run_to_resume(out), step), config, overrides)


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


def rows_by_kind(request: Request, place: Place) -> Rows:
    """Raises RequestError or DataError where a step's rows cannot be dealt out."""
    data, at_once = request.config.data, rows_of(request.config, place)
    seats = data.batch_size // at_once
    rows = _rows_of_kinds(request.sources, data, data.batch_size)
    if _uneven(rows, seats):
        raise RequestError(_how_uneven(rows, request.sources, data, seats=seats))
    pairs, texts, images = (rows[kind] // seats for kind in ROW_ORDER)
    return Rows(pairs=pairs, texts=texts, images=images, processes=place.world)


def _uneven(rows: dict[Kind, int], seats: int) -> bool:
    """Processes compare their pairs with each other's, so all must have equally many rows of each kind."""
    return any(count % seats for count in rows.values())


def _how_uneven(rows: dict[Kind, int], sources: Sequence[Source], data: DataConfig, *, seats: int) -> str:
    larger = range(data.batch_size + seats, 4 * data.batch_size + 1, seats)
    would_do = next((size for size in larger if not _uneven(_rows_of_kinds(sources, data, size), seats)), None)
    advice = f"set data.batch_size={would_do}" if would_do else "bring data.weights nearer to each other"
    found = ", ".join(f"{count} {kind}" for kind, count in rows.items() if count)
    return (
        f"The rows of a step ({found}) cannot be dealt evenly to the {seats} micro batches of all processes, and to "
        f"round them so would change a share by more than a tenth: {advice}, or take fewer processes or "
        "a smaller trainer.accumulate."
    )


def _rows_of_kinds(sources: Sequence[Source], data: DataConfig, batch_size: int) -> dict[Kind, int]:
    return rows_of_kinds(sources, rows_of_sets(sources, data.weights, batch_size))


def _run_to_resume(out: Path | None) -> Path:
    run = out or runs.newest_run()
    if runs.is_checkpoint(run):
        raise RunFolderError(
            f"{run} is one checkpoint, not a run, and training would write into it: give --out {runs.run_of(run)}, "
            "which goes on from the run's latest checkpoint."
        )
    return run


def _resumed_settings(checkpoint: Checkpoint, config: str | None, overrides: Sequence[str]) -> TrainConfig:
    stored = settings_of(checkpoint)
    wanted = load(TrainConfig, config or checkpoint.settings, overrides)
    # What is computed again in the backward pass shapes nothing.
    fixed = stored.model_copy(update={"model": stored.model.model_copy(update={"recompute": wanted.model.recompute})})
    for name in FIXED:
        if _setting(fixed, name) != _setting(wanted, name):
            raise RequestError(
                f"The setting {name} is fixed when a run starts, as its weights and its place in the data hang on it: "
                "leave it out of --set and --config, or start a new run."
            )
    return wanted


def _setting(config: TrainConfig, name: str) -> object:
    value: object = config
    for part in name.split("."):
        assert isinstance(value, Config)
        value = getattr(value, part)
    return value
