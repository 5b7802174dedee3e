"""Start from weights that `train` itself has saved, of the same geometry but perhaps for another image size."""

import logging
from collections.abc import Mapping

from torch import Tensor

from train.errors import InitialisationError
from train.models.config import ModelConfig
from train.models.embeddings import resample_places
from train.models.vilt import Vilt
from train.models.weights import shape_of

logger = logging.getLogger(__name__)

# What shapes, or, as the number of heads, the meaning of weights hangs on.
GEOMETRY = ("width", "depth", "heads", "patch", "decoder_width", "decoder_depth", "decoder_heads", "shared_width")
# Counted or computed anew: how rare words are in the captions that are now learnt, and waves for our grid.
OWN = ("bag_head.idf_V", "decoder.places_ND")


def refuse_other_geometry(source: str, *, theirs: ModelConfig, ours: ModelConfig) -> None:
    """Raises InitialisationError, naming the setting, where `theirs` cannot be `ours`."""
    for name in GEOMETRY:
        wanted, found = getattr(ours, name), getattr(theirs, name)
        if wanted != found:
            raise InitialisationError(
                f"{source} does not fit: it was trained with model.{name}={found}, this model has {wanted}. "
                f"Set model.{name}={found}."
            )


def start_from_own(model: Vilt, source: str, weights: Mapping[str, Tensor]) -> None:
    """Copy all of `weights` that this model has. Raises InitialisationError, naming what does not fit."""
    ours = model.state_dict()
    fitting = {name: theirs for name, theirs in weights.items() if name in ours and name not in OWN}
    places = fitting.get("image.places_ND")
    if places is not None and len(places) != model.patches:
        fitting["image.places_ND"] = resample_places(places, model.patches)
        logger.info("%s: places are interpolated from %d patches to %d.", source, len(places), model.patches)
    for name, theirs in fitting.items():
        if theirs.shape != ours[name].shape:
            raise InitialisationError(
                f"{source} does not fit: its {name} is {shape_of(theirs)}, this model's is {shape_of(ours[name])}."
            )
    model.load_state_dict(fitting, strict=False)
    _tell(source, "has no place here for", weights.keys() - ours.keys())
    _tell(source, "starts at random, as it lacks", ours.keys() - weights.keys())


def _tell(source: str, what: str, names: set[str]) -> None:
    if names:
        logger.warning("Starting from %s, this model %s %s.", source, what, ", ".join(sorted(names)))
