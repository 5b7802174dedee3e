"""What a checkpoint holds beside tensors, as JSON: how far a run has come in steps, in its sets and in its course."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from shards.errors import shown
from train.course import Course
from train.data.order import BEGINNING, Count, Position
from train.errors import CheckpointError
from train.rows import Rows
from train.schedule import Plateau

SCHEMA: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SetState:
    """How far one of the sets has been read."""

    path: str  # absolute, or a URL
    digest: str
    position: Position = BEGINNING


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainState:
    """Everything but tensors that the next step depends on; what chance decides follows from the seed and the step."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    step: Count  # steps done
    sets: Annotated[tuple[SetState, ...], Field(min_length=1)]
    rows: Rows  # what a micro batch held last: it decides what the model has learnt
    plateau: Plateau = field(default_factory=Plateau)
    course: Course = field(default_factory=Course)
    schema: Literal[2] = SCHEMA

    @property
    def positions(self) -> tuple[Position, ...]:
        return tuple(each.position for each in self.sets)

    def after(self, positions: tuple[Position, ...]) -> "TrainState":
        """One step later."""
        sets = tuple(replace(each, position=now) for each, now in zip(self.sets, positions, strict=True))
        return replace(self, step=self.step + 1, sets=sets)


def read_state(path: Path) -> TrainState:
    """Raises CheckpointError for what is not a state of this schema."""
    try:
        return TypeAdapter(TrainState).validate_json(path.read_bytes())
    except ValidationError as error:
        wrong = error.errors(include_url=False)
    first = min(wrong, key=lambda each: each["loc"] != ("schema",))  # another schema explains all the rest
    name, value = ".".join(map(str, first["loc"])), shown(first["input"])
    if name == "schema":
        raise CheckpointError(f"{path} has schema {value}; this version reads schema {SCHEMA}.")
    at = f"{name}={value}: " if name else ""
    raise CheckpointError(f"{path} is not the state of a checkpoint: {at}{first['msg']}. Resume from another one.")
