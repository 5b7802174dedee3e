"""What two processes do together, one thing after the other, as starting them takes the longest.

    torchrun --nproc-per-node 2 tests/train/together.py FOLDER SHARDS

FOLDER then has what each found (0.pt, 1.pt), and three runs: `copies` (DDP), `cut` (FSDP), and `alike`, in which
nothing is left to chance. A fourth, `killed`, ends in the middle, and this program with it.
"""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from configs.loading import load
from tests.train.small import SMALL, SMALL_SETTINGS, first_batch, small_model, small_tokenizer
from train import parallel
from train.batch import Batch
from train.commands.pretrain import pretrain
from train.commands.request import new_request
from train.config import TrainConfig
from train.distributed import Company, Place, joined, place_from_environment
from train.ema import Ema
from train.metrics import JsonLines
from train.objectives.contrastive import Contrastive, ContrastiveConfig
from train.objectives.pretraining import mean_of_all
from train.objectives.weighing import PairWeightsConfig, pair_weights

STEPS = 8
DIES_AT = 6
COMMON = (*SMALL_SETTINGS, f"trainer.steps={STEPS}", "data.workers=1")
COPIES = (*COMMON, "model.dropout=0.1", "optim.ema=0.9", "data.batch_size=32", "trainer.accumulate=2")
CUT = (*COPIES, "trainer.parallel=fsdp", "trainer.evaluate_every=4")
ALIKE = (*COMMON, "objective.alternate=off", "objective.weights.joint_text=0", "objective.weights.joint_image=0")

WAYS = (
    (ContrastiveConfig(), PairWeightsConfig()),
    (ContrastiveConfig(label_smoothing=0.1, same_video="negative"), PairWeightsConfig(by="align_score")),
)


def learnt_by_contrast(batch: Batch, way: int) -> dict[str, Tensor]:
    """The gradient of each parameter."""
    (config, weighing), model = WAYS[way], small_model(SMALL, small_tokenizer())
    objective = Contrastive(config, patches=model.patches)
    contrast = objective(model, batch, objective.draw(batch, torch.Generator().manual_seed(0)))
    loss = mean_of_all(contrast.losses_B, pair_weights(weighing, batch, contrast.losses_B))
    torch.autograd.backward(loss)
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


def entangled(batch: Batch) -> Batch:
    """A caption, a video and another video that rows of both halves share, and scores that differ between halves."""
    tokens_BL, real_BL, videos_B = batch.tokens_BL.clone(), batch.real_BL.clone(), batch.videos_B.clone()
    tokens_BL[[1, 10]], real_BL[[1, 10]] = tokens_BL[0].clone(), real_BL[0].clone()
    videos_B[[3, 4, 12]], videos_B[[5, 15]] = videos_B[2].clone(), videos_B[14].clone()
    return replace(
        batch, tokens_BL=tokens_BL, real_BL=real_BL, videos_B=videos_B, align_B=torch.linspace(0.1, 0.4, len(videos_B))
    )


def contrasts(shards: Path, place: Place) -> list[dict[str, Tensor]]:
    """What this process learns from its half, averaged as DDP does, each way."""
    batch = entangled(first_batch(shards))
    rows = len(batch.videos_B) // place.world
    names = ("images_BCSS", "tokens_BL", "real_BL", "begins_BL", "videos_B", "align_B", "keys", "captions")
    half = {name: getattr(batch, name)[place.rank * rows : (place.rank + 1) * rows] for name in names}
    found = [learnt_by_contrast(replace(batch, **half), way) for way in range(len(WAYS))]
    for gradient in (gradient for gradients in found for gradient in gradients.values()):
        distributed.all_reduce(gradient)
        gradient /= place.world
    return found


def means_of_shards() -> dict[str, bool]:
    """What holds for the mean of a model of which this process has half, and for that of the whole model."""

    def made() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3))

    whole, sharded = made(), made()
    fully_shard(sharded[0], mesh=init_device_mesh("cpu", (2,)))  # type: ignore[index]
    fully_shard(sharded, mesh=init_device_mesh("cpu", (2,)))
    means = [Ema(model, decay=0.9) for model in (whole, sharded)]
    rows = torch.ones(2, 5)
    for step in range(3):
        for model, mean in zip((whole, sharded), means, strict=True):
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            model(rows).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            mean.update(step)
    before = sharded(rows).detach()  # leaves the root's weights gathered
    with means[0].applied(), means[1].applied():
        used, moved = torch.allclose(sharded(rows), whole(rows)), not torch.allclose(sharded(rows), before)
    back = torch.equal(sharded(rows), before)
    resumed = Ema(sharded, decay=0.9)
    resumed.load({name: parallel.whole(mean) for name, mean in means[1].tensors().items()}, source="a file")
    pairs = [(mean, means[1].tensors()[name]) for name, mean in resumed.tensors().items()]
    return {
        "the means are used": used and moved,
        "the weights are back": back,
        "what was stored goes on": all(torch.equal(local(one), local(other)) for one, other in pairs),
        "each process has a part": all(local(one).numel() < one.numel() for one, _ in pairs),
    }


def local(tensor: Tensor) -> Tensor:
    assert isinstance(tensor, DTensor)
    return tensor.to_local()


def train(run: Path, shards: Path, settings: tuple[str, ...], company: Company) -> None:
    request = company.from_first(lambda: new_request([shards], run, load(TrainConfig, "tiny", settings)))
    pretrain(request, Console(quiet=True), company)


def die_in_the_middle() -> None:
    log = JsonLines.log

    def log_then_die(sink: JsonLines, step: int, values: Mapping[str, float]) -> None:
        log(sink, step, values)
        if step == DIES_AT:
            os.kill(os.getpid(), signal.SIGKILL)

    JsonLines.log = log_then_die  # type: ignore[assignment, method-assign]


def main(folder: Path, shards: Path) -> None:
    torch.set_num_threads(1)
    place = place_from_environment()
    with joined(place) as company:
        found = {
            "mean": company.mean(torch.tensor([float(place.rank), 3.0])),
            "any": company.any(place.rank == 1),
            "contrasts": contrasts(shards, place),
            "means": means_of_shards(),
        }
        torch.save(found, folder / f"{place.rank}.pt")
        for name, settings in (("copies", COPIES), ("cut", CUT), ("alike", ALIKE)):
            train(folder / name, shards, settings, company)
        die_in_the_middle()
        train(folder / "killed", shards, COPIES, company)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
