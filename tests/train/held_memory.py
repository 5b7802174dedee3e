"""Tells how many bytes a process of its own held at most in two steps: `-m tests.train.held_memory tiny 128 [a.b=c]`.

glibc's threshold for blocks of their own must be fixed beforehand (MALLOC_MMAP_THRESHOLD_), or freed ones stay mapped.
"""

import gc
import sys
from pathlib import Path

import torch

from configs.loading import load
from train.config import TrainConfig
from train.cost import geometry_of
from train.models.vilt import Vilt
from train.objectives.passes import blank_batch
from train.objectives.pretraining import Pretraining
from train.optim import make_optimizer


def take_steps(config: TrainConfig, *, rows: int) -> None:
    """Two, as the optimizer has its running means only after the first."""
    geometry = geometry_of(config, config.tokenizer.vocabulary)
    model = Vilt(
        config.model,
        vocabulary=geometry.vocabulary,
        text_length=geometry.text_length,
        image_size=geometry.image_size,
    )
    model.reset_weights(torch.Generator().manual_seed(0))
    objective = Pretraining(config.objective, mask_token=3, patches=geometry.patches)
    optimizer, batch = make_optimizer(model, config.optim), blank_batch(geometry, rows)
    for _ in range(2):
        drawn = objective.draw(batch, torch.Generator().manual_seed(0))
        torch.autograd.backward(objective(model, batch, drawn).total)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def held(line: str) -> int:
    """Bytes by a line of Linux's status: VmRSS now, VmHWM at most. getrusage's figure may be the parent's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(each.split()[1]) * 1024 for each in lines if each.startswith(f"{line}:"))


def main(name: str, rows: str, *changes: str) -> None:
    torch.set_num_threads(1)
    # A first small step loads what torch loads late.
    take_steps(load(TrainConfig, "tiny", ["tokenizer.vocabulary=64", "model.depth=1"]), rows=20)
    gc.collect()
    before = held("VmRSS")
    take_steps(load(TrainConfig, name, changes), rows=int(rows))
    sys.stdout.write(f"{held('VmHWM') - before}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
