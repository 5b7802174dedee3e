"""A trained model with what belongs to it, read from the folder of a run or of one checkpoint."""

from dataclasses import dataclass
from pathlib import Path

from train import runs
from train.checkpoint import Checkpoint
from train.commands.assembly import restored_model, settings_of, subject_of
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer
from train.models.vilt import Vilt
from train.objectives.config import Learnt


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model on the CPU, without dropout, and how it came about."""

    model: Vilt
    tokenizer: Tokenizer
    config: TrainConfig
    learnt: Learnt
    checkpoint: Checkpoint

    @classmethod
    def load(cls, path: Path) -> "Trained":
        """Raises RunFolderError or CheckpointError where `path` holds no whole checkpoint."""
        checkpoint = Checkpoint.open(runs.checkpoint_of(path))
        config = settings_of(checkpoint)
        model = restored_model(config, checkpoint)
        return cls(
            model=model.eval(),
            tokenizer=checkpoint.tokenizer,
            config=config,
            learnt=subject_of(config, checkpoint.tokenizer, checkpoint.state.rows).learnt,
            checkpoint=checkpoint,
        )

    @property
    def run(self) -> Path:
        return runs.run_of(self.checkpoint.folder)
