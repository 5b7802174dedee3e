"""Whether all machines see what the first process sees: the same sets, and the checkpoint to go on from."""

from train.checkpoint import Checkpoint
from train.commands.request import Request
from train.data.source import Source, open_source
from train.distributed import Place
from train.errors import CheckpointError, DataError, RunFolderError


def refuse_another_view(request: Request, place: Place) -> None:
    """Raises RequestError where this machine sees other files than the first process has found for `request`.

    One process a machine looks. An object store is the same for all.
    """
    if place.first or place.local:
        return
    for source in request.sources:
        if source.store.near:
            _refuse_another_set(source, skip=request.config.data.corrupt == "skip")
    if request.resumed:
        _refuse_another_checkpoint(request.resumed)


def _refuse_another_set(source: Source, *, skip: bool) -> None:
    seen = open_source(source.name, cache=source.cache, skip=skip)
    if seen.digest != source.digest:
        raise DataError(
            f"{source.name} is another set here (digest {seen.digest}) than on the first machine ({source.digest}), "
            "so the processes would read different samples: give all machines the same files."
        )


def _refuse_another_checkpoint(theirs: Checkpoint) -> None:
    try:
        step = Checkpoint.open(theirs.folder).state.step
    except CheckpointError:
        raise RunFolderError(
            f"The first machine goes on from {theirs.folder}, which is not here: keep runs on a file system that all "
            "machines share, or copy the run to the same place on each."
        ) from None
    if step != theirs.state.step:
        raise RunFolderError(
            f"{theirs.folder} is of step {step} here and of step {theirs.state.step} on the first machine: "
            "keep runs on a file system that all machines share, or copy the run to each anew."
        )
