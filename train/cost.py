"""What a run will cost by its settings alone: parameters, operations a step, memory of each process.

Operations and what passes keep are in train.models.cost, the passes of a step in train.objectives.passes.
"""

from dataclasses import dataclass
from functools import cache

import torch

from train.config import TrainConfig
from train.models.cost import BACKWARD, FLOAT, Geometry, Kept, Pass, forward_flops, kept_bytes
from train.models.vilt import Vilt
from train.objectives.masks import Lone
from train.objectives.passes import step_passes

ADAMW = 2 * FLOAT  # bytes of a parameter's two running means
GIB = 2**30
SAMPLE = 512  # rows that speak for larger batches, too: what is drawn for a batch may grow as its square


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How many numbers are learnt, and where."""

    encoder: int  # blocks and last norm
    embeddings: int  # of pieces, patches, places and types
    heads: int  # all that reads the encoder's output
    in_blocks: int  # of encoder and decoder: what FSDP gathers a block at a time
    largest_block: int

    @property
    def total(self) -> int:
        return self.encoder + self.embeddings + self.heads


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes of one process at the height of a step, by what they are for."""

    weights: int
    copies: int  # of weights in bf16, which autocast makes for a step
    gathered: int  # FSDP: weights that are whole for as long as they are used
    gradients: int
    optimizer: int
    ema: int
    activations: int
    logits: int  # over the vocabulary, for the words that are hidden

    @property
    def fixed(self) -> int:
        """What does not grow with the batch."""
        return self.weights + self.copies + self.gathered + self.gradients + self.optimizer + self.ema

    @property
    def total(self) -> int:
        return self.fixed + self.activations + self.logits


def geometry_of(config: TrainConfig, vocabulary: int) -> Geometry:
    """`vocabulary` is the tokenizer's size, which is only known when it has been trained or loaded."""
    return Geometry(
        model=config.model,
        vocabulary=vocabulary,
        text_length=config.data.text_length,
        image_size=config.data.image_size,
    )


@cache
def count_parameters(geometry: Geometry) -> Parameters:
    """Of a model that is built without memory for its numbers."""
    with torch.device("meta"):
        model = Vilt(
            geometry.model,
            vocabulary=geometry.vocabulary,
            text_length=geometry.text_length,
            image_size=geometry.image_size,
        )

    def count(*modules: torch.nn.Module) -> int:
        return sum(parameter.numel() for module in modules for parameter in module.parameters())

    encoder, embeddings = count(model.blocks, model.norm), count(model.text, model.image)
    return Parameters(
        encoder=encoder,
        embeddings=embeddings,
        heads=count(model) - encoder - embeddings,
        in_blocks=count(model.blocks, model.decoder.blocks),
        largest_block=count(model.blocks[0]),
    )


def flops_per_step(config: TrainConfig, vocabulary: int, *, lone: Lone = (0, 0)) -> int:
    """Operations of one optimizer step over all processes: forward, and twice that backward.

    Its rows are pairs but for those that are `lone`. What is computed again for `model.recompute` is not counted: it is
    no work of the model's.
    """
    geometry = geometry_of(config, vocabulary)
    rows = min(config.data.batch_size, SAMPLE)
    texts, images = (count * rows // config.data.batch_size for count in lone)
    passes = step_passes(config.objective, geometry, rows=rows - texts - images, lone=(texts, images))
    forward = sum(run.rows * forward_flops(geometry, run) for run in passes)
    return (1 + BACKWARD) * forward * config.data.batch_size // rows


def memory(config: TrainConfig, vocabulary: int, *, rows: int, world: int = 1) -> Memory:
    """Of each of `world` processes that learns `rows` at once.

    What the device's context, its libraries and its allocator take is not in it, nor is what torch.compile saves.
    """
    geometry = geometry_of(config, vocabulary)
    parameters = count_parameters(geometry)
    half, sharded = config.trainer.precision == "bf16", config.trainer.parallel == "fsdp" and world > 1
    held = parameters.total if not sharded else -(-parameters.total // world)
    outside = parameters.total - parameters.in_blocks
    kept = [(run, kept_bytes(geometry, run, half=half)) for run in step_passes(config.objective, geometry, rows=rows)]
    return Memory(
        weights=FLOAT * held,
        copies=(outside if sharded else parameters.total) * 2 if half else 0,
        gathered=FLOAT * outside + 2 * parameters.largest_block * (2 if half else FLOAT) if sharded else 0,
        gradients=FLOAT * held,
        optimizer=ADAMW * held,
        ema=FLOAT * held if config.optim.ema else 0,
        activations=_activations(kept),
        logits=sum(run.rows * of_row.logits for run, of_row in kept),
    )


def _activations(kept: list[tuple[Pass, Kept]]) -> int:
    """Of all passes, as the backward pass begins only when all losses are there; and one block's for a moment."""
    stay = sum(run.rows * (of_row.blocks + of_row.ends) for run, of_row in kept)
    return stay + max((run.rows * of_row.again for run, of_row in kept), default=0)


def largest_rows(config: TrainConfig, vocabulary: int, *, free: int, world: int = 1) -> int:
    """The largest power of two of rows at once whose memory is at most `free` bytes; 0 where not even one row fits."""
    sample = memory(config, vocabulary, rows=SAMPLE, world=world)
    of_row = (sample.total - sample.fixed) / SAMPLE
    rows = 1 << max(0, int(free / of_row)).bit_length()  # what does not grow with rows is not yet taken off
    while rows and sample.fixed + rows * of_row > free:
        rows //= 2
    return rows
