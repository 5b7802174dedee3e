"""Captions to pieces: a WordPiece trained on the train split's captions, or any Hugging Face tokenizer.

Either is kept as the folder `tokenizer/` of a checkpoint, which transformers' AutoTokenizer reads too. Slot 0 is
always [CLS]; there is no [SEP], because its place would tell the length of a hidden caption.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import tokenizers
import torch
from pydantic import Field, TypeAdapter
from tokenizers import models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from configs.loading import Config
from train.errors import CheckpointError, TokenizerError

PAD, UNKNOWN, CLS, MASK = "[PAD]", "[UNK]", "[CLS]", "[MASK]"


class TokenizerConfig(Config):
    """Where the tokenizer comes from."""

    source: str = ""  # a Hugging Face name or folder; empty trains one on the captions
    vocabulary: int = Field(8192, ge=64)  # pieces at most, of a trained one
    min_count: int = Field(2, ge=1)  # a piece is made only if seen this often
    max_captions: int = Field(1_000_000, ge=1)  # read to train it and to count how rare its pieces are


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """B captions as L slots: [CLS], then pieces, then padding."""

    tokens_BL: Tensor  # int64
    real_BL: Tensor  # bool; False at padding
    begins_BL: Tensor  # bool; True where a piece is the first of a word, which [CLS] is not


@dataclass(frozen=True, slots=True, kw_only=True)
class _Special:
    """What is read of tokenizer_config.json."""

    pad_token: str
    unk_token: str
    cls_token: str
    mask_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenizer:
    """Pieces of captions, and the four special pieces the model needs."""

    pieces: tokenizers.Tokenizer
    pad: int
    unknown: int
    cls: int
    mask: int

    @property
    def vocabulary(self) -> int:
        return int(self.pieces.get_vocab_size(with_added_tokens=True))

    @property
    def special(self) -> tuple[int, ...]:
        return (self.pad, self.unknown, self.cls, self.mask)

    def encode(self, captions: Sequence[str], length: int) -> Pieces:
        """[CLS] and the pieces of each caption, cut or padded to `length` slots."""
        # NumPy's arrays: to fill torch's row by row takes longer than to find the pieces.
        tokens_BL = np.full((len(captions), length), self.pad, dtype=np.int64)
        begins_BL = np.zeros((len(captions), length), dtype=np.bool_)
        tokens_BL[:, 0], lengths = self.cls, []
        for row, encoding in enumerate(self.pieces.encode_batch(list(captions), add_special_tokens=False)):
            ids, words = encoding.ids[: length - 1], encoding.word_ids[: length - 1]
            tokens_BL[row, 1 : 1 + len(ids)] = ids
            begins_BL[row, 1 : 1 + len(ids)] = [
                word is None or word != before for before, word in pairwise([-1, *words])
            ]
            lengths.append(1 + len(ids))
        return Pieces(
            tokens_BL=torch.from_numpy(tokens_BL),
            real_BL=torch.arange(length) < torch.tensor(lengths, dtype=torch.int64)[:, None],
            begins_BL=torch.from_numpy(begins_BL),
        )

    def __reduce__(self) -> tuple[object, ...]:
        # On the way to a worker process `tokenizers` forgets encode_special_tokens.
        return _with_special, (self.pieces, [self.pieces.id_to_token(number) for number in self.special])

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        names = {name: self.pieces.id_to_token(getattr(self, name)) for name in ("pad", "unknown", "cls", "mask")}
        special = {
            "pad_token": names["pad"],
            "unk_token": names["unknown"],
            "cls_token": names["cls"],
            "mask_token": names["mask"],
        }
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", **special}
        (folder / "tokenizer.json").write_text(self.pieces.to_str(pretty=True), encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Tokenizer":
        try:
            pieces = tokenizers.Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
            special = TypeAdapter(_Special).validate_json((folder / "tokenizer_config.json").read_bytes())
        except Exception as error:  # `tokenizers` raises bare Exception for a file it cannot read
            raise CheckpointError(f"{folder} holds no tokenizer that can be read: {error}.") from None
        return _with_special(pieces, [special.pad_token, special.unk_token, special.cls_token, special.mask_token])


def make_tokenizer(config: TokenizerConfig, captions: Iterable[str]) -> Tokenizer:
    """The tokenizer that `config` asks for; `captions` are read only if one is to be trained."""
    return _from_hugging_face(config.source) if config.source else train_word_pieces(config, captions)


def train_word_pieces(config: TokenizerConfig, captions: Iterable[str]) -> Tokenizer:
    """A lower-casing WordPiece; equal captions in any order give an equal vocabulary."""
    counted = sorted(captions)
    special = [PAD, UNKNOWN, CLS, MASK]
    empty = _empty_word_pieces({})
    letters = sorted({letter for caption in counted for letter in empty.normalizer.normalize_str(caption)} - {" "})
    # The trainer numbers pieces as it meets words in a randomly seeded hash table, and breaks ties by number.
    # Handing it every single letter beforehand, as if special, leaves it no choice.
    beforehand = special + letters + [f"##{letter}" for letter in letters]
    trainer = trainers.WordPieceTrainer(
        vocab_size=max(config.vocabulary, len(beforehand)),
        min_frequency=config.min_count,
        special_tokens=beforehand,
        show_progress=False,
    )
    empty.train_from_iterator(counted, trainer)
    pieces = _empty_word_pieces(empty.get_vocab())
    pieces.add_special_tokens(special)
    return _with_special(pieces, special)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What was counted in captions, as far as they are read."""

    documents_V: Tensor  # captions that hold each piece: for the inverse document frequency
    cut: int  # captions that are longer than what is read of them


def count_pieces(tokenizer: Tokenizer, captions: Iterable[str], *, length: int) -> Count:
    documents_V, cut = torch.zeros(tokenizer.vocabulary), 0
    for chunk in _chunks(captions, 1024):
        pieces = tokenizer.encode(chunk, length + 1)  # one more, to see what is cut
        cut += int(pieces.real_BL[:, length].sum())
        for ids, real in zip(pieces.tokens_BL[:, :length], pieces.real_BL[:, :length], strict=True):
            documents_V[ids[real].unique()] += 1
    return Count(documents_V=documents_V, cut=cut)


def _empty_word_pieces(vocabulary: dict[str, int]) -> tokenizers.Tokenizer:
    pieces = tokenizers.Tokenizer(models.WordPiece(vocab=vocabulary, unk_token=UNKNOWN))
    pieces.normalizer = normalizers.BertNormalizer(lowercase=True)
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pieces.decoder = tokenizers.decoders.WordPiece()
    return pieces


def _from_hugging_face(name: str) -> Tokenizer:
    from transformers import AutoTokenizer  # heavy, and only wanted for this choice

    try:
        theirs = AutoTokenizer.from_pretrained(name, use_fast=True)
    except Exception as error:  # transformers believes what a stranger's files hold, and fails anywhere
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise TokenizerError(f"The tokenizer {name!r} cannot be loaded: {reason}") from None
    pieces = getattr(theirs, "backend_tokenizer", None)
    if not isinstance(pieces, tokenizers.Tokenizer):
        raise TokenizerError(f"The tokenizer {name!r} has no fast version, which this model needs: choose another.")
    names = [
        theirs.pad_token or PAD,
        theirs.unk_token or UNKNOWN,
        theirs.cls_token or theirs.bos_token or CLS,
        theirs.mask_token or MASK,
    ]
    pieces = tokenizers.Tokenizer.from_str(pieces.to_str())  # a copy: ours to change
    pieces.no_padding()
    pieces.no_truncation()
    pieces.add_special_tokens(names)  # adds only those it lacks
    return _with_special(pieces, names)


def _with_special(pieces: tokenizers.Tokenizer, names: Sequence[str]) -> Tokenizer:
    found = [pieces.token_to_id(name) for name in names]
    ids = [number for number in found if number is not None]
    if len(ids) != 4:
        raise TokenizerError(f"The tokenizer lacks some of the special pieces {names}, which the model needs.")
    pad, unknown, cls, mask = ids
    pieces.encode_special_tokens = True  # "[MASK]" in a caption is what somebody wrote, not our mask
    return Tokenizer(pieces=pieces, pad=pad, unknown=unknown, cls=cls, mask=mask)


def _chunks(captions: Iterable[str], size: int) -> Iterator[list[str]]:
    chunk: list[str] = []
    for caption in captions:
        chunk.append(caption)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
