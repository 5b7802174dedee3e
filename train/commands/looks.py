"""What a run shows of itself on the way: scores on held-out pairs, and the picture sheet."""

import logging
from collections.abc import Callable, Mapping
from contextlib import closing

from train.commands.assembly import evaluation_batches, subject_of
from train.commands.learner import Learner
from train.commands.request import Request
from train.data.source import Source
from train.evaluation.retrieval import Retrieval
from train.evaluation.routes import open_routes
from train.sheet import guesses, page

logger = logging.getLogger(__name__)


def scoring(request: Request, learner: Learner) -> Callable[[], Mapping[str, float]] | None:
    """Retrieval on the val split by the first route there is, as the trainer calls it; None where that cannot be."""
    config, tokenizer = request.config, learner.tokenizer
    if not config.trainer.evaluate_every:
        return None
    subject = subject_of(config, tokenizer)
    routes = open_routes(subject.learnt)[:1]
    source = _with_pairs(request, "val")
    if not routes or source is None:
        reason = (
            f"the val split of {request.sources[0].name} is empty" if routes else "no route of retrieval is trained"
        )
        logger.warning("trainer.evaluate_every=%d does nothing: %s.", config.trainer.evaluate_every, reason)
        return None
    task = Retrieval(subject, routes=routes)

    def evaluate() -> Mapping[str, float]:
        batches = evaluation_batches(source, "val", config=config, tokenizer=tokenizer)
        found = task.run(learner.model, batches).figures
        return {f"val/{name}": value for name, value in found.items() if name.startswith(f"{routes[0]}.")}

    return evaluate


def drawing(request: Request, learner: Learner) -> Callable[[], bytes] | None:
    """The picture sheet of the same few pairs each time, held-out ones if there are any."""
    config, tokenizer = request.config, learner.tokenizer
    if not config.trainer.sheet_every:
        return None
    split = "val" if _with_pairs(request, "val") else "train"
    source = _with_pairs(request, split)
    if source is None:
        logger.warning("trainer.sheet_every=%d does nothing: no set has pairs.", config.trainer.sheet_every)
        return None
    with closing(evaluation_batches(source, split, config=config, tokenizer=tokenizer)) as batches:
        batch = next(batches)

    def draw() -> bytes:
        device = next(learner.model.parameters()).device
        return page(guesses(learner.model, batch.to(device), tokenizer=tokenizer, config=config.objective))

    return draw


def _with_pairs(request: Request, split: str) -> Source | None:
    """The first set that has pairs in `split`."""
    found = (source for source in request.sources if source.kind == "pairs" and source.samples(split))
    return next(found, None)
