"""What a run shows of itself on the way: scores on held-out pairs, and the picture sheet.

What is looked at is read once, at the start: what is wrong with it shows before the first step, and it is the same each
time.
"""

import logging
from contextlib import closing

from train.commands.assembly import evaluation_batches, subject_of
from train.commands.learner import Learner
from train.commands.request import Request
from train.data.source import Source
from train.distributed import Company
from train.evaluation.retrieval import Retrieval
from train.evaluation.routes import open_routes
from train.look import Look, is_due
from train.metrics import Sink, last_line_with, last_picture
from train.parallel import is_cut
from train.sheet import guesses, page

logger = logging.getLogger(__name__)

SCORES = "val/"  # their names begin so in the log


def looks(request: Request, learner: Learner, company: Company) -> tuple[Look, ...]:
    """Of the first process, which has a whole model; where each holds a part of it, of all of them."""
    scored, drawn = company.from_first(lambda: _last_steps(request))
    if not (company.place.first or is_cut(learner.called)):
        return ()
    found = (_scoring(request, learner, seen=scored), _drawing(request, learner, seen=drawn))
    return tuple(look for look in found if look is not None)


def are_owed(request: Request) -> bool:
    """Whether what is due at the last saved step was not shown, as the run was killed between saving and showing."""
    config, done = request.config.trainer, request.resumed.state.step if request.resumed else 0
    shown = zip((config.evaluate_every, config.sheet_every), _last_steps(request), strict=True)
    return any(every and is_due(done, every=every, seen=seen, last=done == config.steps) for every, seen in shown)


def _last_steps(request: Request) -> tuple[int, int]:
    """At which scores and sheet were last shown. Those of after the checkpoint are shown again."""
    done = request.resumed.state.step if request.resumed else 0
    return last_line_with(request.run, SCORES, until=done), last_picture(request.run, until=done)


def _scoring(request: Request, learner: Learner, *, seen: int) -> Look | None:
    """Retrieval on samples of the val split by the first route there is; None where that cannot be."""
    config, tokenizer, every = request.config, learner.tokenizer, request.config.trainer.evaluate_every
    if not every:
        return None
    subject = subject_of(config, tokenizer, learner.rows)
    routes = open_routes(subject.learnt)[:1]
    source = _with_pairs(request, "val")
    if not routes or source is None:
        reason = (
            f"the val split of {request.sources[0].name} is empty" if routes else "no route of retrieval is trained"
        )
        logger.warning("trainer.evaluate_every=%d does nothing: %s.", every, reason)
        return None
    task = Retrieval(subject, routes=routes)
    samples = config.trainer.evaluate_samples
    batches = [*evaluation_batches(source, "val", config=config, tokenizer=tokenizer, samples=samples)]

    def score(step: int, sink: Sink) -> None:
        found = task.run(learner.model, batches).figures
        sink.log(step, {f"{SCORES}{name}": value for name, value in found.items() if name.startswith(f"{routes[0]}.")})

    return Look(show=score, every=every, seen=seen)


def _drawing(request: Request, learner: Learner, *, seen: int) -> Look | None:
    """The picture sheet of a few pairs, held-out ones if there are any."""
    config, tokenizer, every = request.config, learner.tokenizer, request.config.trainer.sheet_every
    if not every:
        return None
    split = "val" if _with_pairs(request, "val") else "train"
    source = _with_pairs(request, split)
    if source is None:
        logger.warning("trainer.sheet_every=%d does nothing: no set has pairs.", every)
        return None
    with closing(evaluation_batches(source, split, config=config, tokenizer=tokenizer)) as batches:
        batch = next(batches)

    def draw(step: int, sink: Sink) -> None:
        device = next(learner.model.parameters()).device
        sheet = page(guesses(learner.model, batch.to(device), tokenizer=tokenizer, config=config.objective))
        sink.picture(step, "sheet", sheet)

    return Look(show=draw, every=every, seen=seen)


def _with_pairs(request: Request, split: str) -> Source | None:
    """The first set that has pairs in `split`."""
    found = (source for source in request.sources if source.kind == "pairs" and source.samples(split))
    return next(found, None)
