"""The contrast over several processes: as if all rows were in one."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

from tests.train.small import SMALL, small_model
from train.batch import Batch
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer
from train.models.vilt import Vilt
from train.objectives.contrastive import Contrastive, ContrastiveConfig
from train.objectives.pretraining import mean_of_all
from train.objectives.weighing import PairWeightsConfig, pair_weights

WORLD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What each process is to do, and where to leave what it found."""

    folder: Path
    batch: Batch  # of all processes
    tokenizer: Tokenizer


WAYS = (
    (ContrastiveConfig(), PairWeightsConfig()),
    (ContrastiveConfig(label_smoothing=0.1, same_video="negative"), PairWeightsConfig(by="align_score")),
)


def test_two_processes_learn_what_one_learns_from_all_rows(batch: Batch, tokenizer: Tokenizer, tmp_path: Path) -> None:
    job = Job(folder=tmp_path, batch=entangled(batch), tokenizer=tokenizer)
    spawn(one_of_two, args=(job,), nprocs=WORLD)  # type: ignore[no-untyped-call]
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(WORLD)]
    for way in range(len(WAYS)):
        alone = gradients_of(job, job.batch, way)
        assert alone.keys() == found[0][way].keys()
        assert "log_scale" in alone
        for name, wanted in alone.items():
            assert torch.allclose(found[0][way][name], wanted, atol=1e-5), name
            assert torch.equal(found[0][way][name], found[1][way][name]), name


def entangled(batch: Batch) -> Batch:
    """A caption, a video and another video that rows of both halves share, and scores that differ between halves."""
    tokens_BL, real_BL, videos_B = batch.tokens_BL.clone(), batch.real_BL.clone(), batch.videos_B.clone()
    tokens_BL[[1, 10]], real_BL[[1, 10]] = tokens_BL[0].clone(), real_BL[0].clone()
    videos_B[[3, 4, 12]], videos_B[[5, 15]] = videos_B[2].clone(), videos_B[14].clone()
    return replace(
        batch, tokens_BL=tokens_BL, real_BL=real_BL, videos_B=videos_B, align_B=torch.linspace(0.1, 0.4, len(videos_B))
    )


def one_of_two(rank: int, job: Job) -> None:
    """Learn from this process's half, and average as DDP does."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{job.folder}/met", rank=rank, world_size=WORLD)
    rows = len(job.batch.videos_B) // WORLD
    names = ("images_BCSS", "tokens_BL", "real_BL", "begins_BL", "videos_B", "align_B", "keys", "captions")
    half = {name: getattr(job.batch, name)[rank * rows : (rank + 1) * rows] for name in names}
    found = [gradients_of(job, replace(job.batch, **half), way) for way in range(len(WAYS))]
    for gradient in (gradient for gradients in found for gradient in gradients.values()):
        distributed.all_reduce(gradient)
        gradient /= WORLD
    torch.save(found, job.folder / f"{rank}.pt")
    distributed.destroy_process_group()


def gradients_of(job: Job, batch: Batch, way: int) -> dict[str, Tensor]:
    (config, weighing), model = WAYS[way], small_model(SMALL, job.tokenizer)
    objective = Contrastive(config, patches=model.patches)
    contrast = objective(model, batch, objective.draw(batch, torch.Generator().manual_seed(0)))
    loss = mean_of_all(contrast.losses_B, pair_weights(weighing, batch, contrast.losses_B))
    torch.autograd.backward(loss)
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


def test_frames_of_one_video_are_no_negatives_unless_wanted(model: Vilt, batch: Batch, config: TrainConfig) -> None:
    def losses(videos: Tensor, **settings: object) -> Tensor:
        chosen = ContrastiveConfig.model_validate(config.objective.contrastive.model_dump() | settings)
        objective, each = Contrastive(chosen, patches=model.patches), replace(batch, videos_B=videos)
        return objective(model, each, objective.draw(each, torch.Generator().manual_seed(0))).losses_B

    apart, one = torch.arange(16), torch.zeros(16, dtype=torch.int64)
    two = torch.arange(16) % 2
    assert (losses(two) < losses(apart)).all()  # half of the candidates are left
    assert torch.equal(losses(one, same_video="negative"), losses(apart))
    assert not losses(one).any()
    torch.autograd.backward(losses(one).mean())
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


def test_a_mean_of_weighed_losses_counts_each_as_it_weighs() -> None:
    losses_B, weights_B = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([1.0, 0.5, 0.0])
    assert mean_of_all(losses_B, weights_B).item() == pytest.approx(2 / 1.5)
    assert mean_of_all(losses_B, 0 * weights_B).item() == 0
