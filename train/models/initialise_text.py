"""Start the text embedding from a BERT that somebody trained: its pieces, places and the type 'first sentence'.

Pieces are found by their text, so our vocabulary need not be BERT's: what both have is copied, the rest keeps its
random start. One factor scales all that is taken to the spread of our own random start. It keeps every angle between
pieces and the balance of pieces and places; as BERT's are larger, unscaled ones would drown the patches they are read
beside, and the token head, which uses the same matrix, would start far from an even guess. The blocks are not BERT's.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from train.errors import InitialisationError
from train.models.vilt import Vilt
from train.models.weights import HUB_FILE, fetched, read_weights

logger = logging.getLogger(__name__)

VOCABULARY_FILES = ("vocab.txt", "tokenizer.json")  # the first that there is


@torch.no_grad()
def start_from_bert(model: Vilt, source: str, vocabulary: Mapping[str, int]) -> None:
    """Copy the embeddings of the BERT `source`, a folder or a hub name, for the pieces of our `vocabulary`.

    Raises InitialisationError for files that are missing or hold no BERT, another width, or no piece in common.
    """
    theirs = _read(source)
    table_VD = model.text.pieces.weight
    if theirs.pieces_VD.shape[1] != table_VD.shape[1]:
        raise InitialisationError(
            f"{source} does not fit: its embeddings are {theirs.pieces_VD.shape[1]} wide, this model's "
            f"{table_VD.shape[1]}. Set model.width={theirs.pieces_VD.shape[1]} or choose another model.text_from."
        )
    shared = sorted(piece for piece in vocabulary if theirs.numbers.get(piece, len(theirs)) < len(theirs))
    if not shared:
        raise InitialisationError(
            f"{source} and this model's tokenizer have no piece in common: set tokenizer.source={source}, "
            "or leave model.text_from out."
        )
    logger.info("%s: %d of %d pieces have their embedding from it.", source, len(shared), len(vocabulary))
    ours, from_theirs = [vocabulary[piece] for piece in shared], [theirs.numbers[piece] for piece in shared]
    taken = theirs.pieces_VD[from_theirs]
    factor = table_VD.std() / taken.std().clamp(min=1e-12)
    table_VD[ours] = taken * factor
    _take_places(model, source, theirs.places_LD * factor)
    model.text.type_D.copy_(theirs.type_D * factor)


def _take_places(model: Vilt, source: str, theirs_LD: Tensor) -> None:
    """Slot 0 is [CLS] in both."""
    places_LD = model.text.places_LD
    if not isinstance(places_LD, nn.Parameter):
        logger.info("%s: its places are left out, as this model's are fixed (model.positions).", source)
        return
    count = min(len(places_LD), len(theirs_LD))
    places_LD[:count] = theirs_LD[:count]
    if count < len(places_LD):
        logger.info("%s: it knows %d places; the %d after them start at random.", source, count, len(places_LD) - count)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bert:
    """What is read of a BERT."""

    numbers: Mapping[str, int]  # piece -> row
    pieces_VD: Tensor
    places_LD: Tensor
    type_D: Tensor

    def __len__(self) -> int:
        return len(self.pieces_VD)


def _read(source: str) -> _Bert:
    weights = read_weights(_file(source, (HUB_FILE,)))
    pieces_VD = _embedding(weights, "word_embeddings", source)
    types = _embedding(weights, "token_type_embeddings", source)
    return _Bert(
        numbers=_vocabulary(_file(source, VOCABULARY_FILES)),
        pieces_VD=pieces_VD,
        places_LD=_embedding(weights, "position_embeddings", source),
        type_D=types[0],
    )


def _embedding(weights: Mapping[str, Tensor], kind: str, source: str) -> Tensor:
    """Under whatever prefix: a BertModel's names begin with `embeddings`, those of one with heads with `bert`."""
    names = [name for name in weights if f".{name}".endswith(f".embeddings.{kind}.weight")]
    if len(names) != 1 or weights[names[0]].dim() != 2 or not len(weights[names[0]]):
        raise InitialisationError(
            f"{source} has no weight embeddings.{kind}.weight: it is no BERT. Choose another model.text_from."
        )
    return weights[names[0]].float()


def _file(source: str, names: tuple[str, ...]) -> Path:
    """The first of `names` in the folder or repository `source`."""
    folder = Path(source)
    if folder.exists():
        found = next((folder / name for name in names if (folder / name).is_file()), None)
    else:
        found = next((file for name in names if (file := fetched(source, name))), None)
    if found is None:
        raise InitialisationError(
            f"{source} holds no {' or '.join(names)}, so no text embeddings can be taken from it: give the folder or "
            "the hub name of a BERT with safetensors weights as model.text_from."
        )
    return found


def _vocabulary(path: Path) -> Mapping[str, int]:
    """Piece -> number, of a list with a piece a line or of a `tokenizers` file."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".txt":
            return {piece: number for number, piece in enumerate(text.split("\n")) if piece}
        numbers = json.loads(text)["model"]["vocab"]
        return {str(piece): int(number) for piece, number in numbers.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InitialisationError(f"{path} cannot be read as a vocabulary: {error!r}.") from None
