"""Captions to pieces."""

import contextlib
import io
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from train.data.tokenizer import Tokenizer, TokenizerConfig, count_pieces, make_tokenizer, train_word_pieces
from train.errors import CheckpointError, TokenizerError

CAPTIONS = ["Now we glue the red tail fin onto the rocket.", "The tail fin is red!", "We paint the rocket, naïvely."]

TRAINING = """
import sys
from train.data.tokenizer import TokenizerConfig, train_word_pieces
words = [f"{a}{b}{c}" for a in "bcdfg" for b in "aeiou" for c in ("n", "rt", "st", "lm")]
captions = [" ".join(words[(7 * row + 13 * place) % len(words)] for place in range(9)) for row in range(400)]
sys.stdout.write(train_word_pieces(TokenizerConfig(vocabulary=100), captions).pieces.to_str())
"""


def test_training_gives_the_same_pieces_in_every_process() -> None:
    # Hash tables are seeded anew in every process, which is where a trainer's order can leak in.
    there = subprocess.run([sys.executable, "-c", TRAINING], capture_output=True, check=True).stdout.decode()
    here = io.StringIO()
    with contextlib.redirect_stdout(here):
        exec(TRAINING, {})
    assert here.getvalue() == there


def test_the_order_of_the_captions_does_not_matter() -> None:
    config = TokenizerConfig(min_count=1)
    forth, back = train_word_pieces(config, CAPTIONS), train_word_pieces(config, CAPTIONS[::-1])
    assert forth.pieces.get_vocab() == back.pieces.get_vocab()


def test_captions_are_lower_cased_cut_and_padded() -> None:
    tokenizer = train_word_pieces(TokenizerConfig(min_count=1), CAPTIONS)
    pieces = tokenizer.encode(["The TAIL", "the tail fin is red on the rocket now"], 6)
    tokens_BL, real_BL = pieces.tokens_BL, pieces.real_BL
    assert tokens_BL[:, 0].tolist() == [tokenizer.cls] * 2
    assert real_BL.sum(dim=1).tolist() == [3, 6]
    assert (tokens_BL[0, 3:] == tokenizer.pad).all()
    assert [tokenizer.pieces.id_to_token(number) for number in tokens_BL[0, 1:3].tolist()] == ["the", "tail"]


def test_a_caption_cannot_smuggle_in_a_special_piece() -> None:
    tokenizer = train_word_pieces(TokenizerConfig(min_count=1), CAPTIONS)
    tokens_BL = tokenizer.encode(["the [MASK] fin [PAD]"], 12).tokens_BL
    assert tokenizer.mask not in tokens_BL[0].tolist()


def test_it_is_stored_and_loaded_whole_and_transformers_reads_it_too(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = train_word_pieces(TokenizerConfig(min_count=1), CAPTIONS)
    tokenizer.save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    assert torch.equal(loaded.encode(CAPTIONS, 12).tokens_BL, tokenizer.encode(CAPTIONS, 12).tokens_BL)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert theirs.mask_token_id == tokenizer.mask
    assert make_tokenizer(TokenizerConfig(source=str(tmp_path)), []).special == tokenizer.special


def test_a_tokenizer_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="cannot be loaded"):
        make_tokenizer(TokenizerConfig(source=str(tmp_path / "none")), [])
    with pytest.raises(CheckpointError, match="no tokenizer"):
        Tokenizer.load(tmp_path)


def test_a_tokenizer_of_strangers_that_holds_other_kinds_is_one_sentence(tmp_path: Path) -> None:
    train_word_pieces(TokenizerConfig(min_count=1), CAPTIONS).save(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": {}}')
    with pytest.raises(TokenizerError, match="cannot be loaded"):
        make_tokenizer(TokenizerConfig(source=str(tmp_path)), [])


def test_pieces_are_counted_once_a_caption() -> None:
    tokenizer = train_word_pieces(TokenizerConfig(min_count=1), CAPTIONS)
    count = count_pieces(tokenizer, CAPTIONS, length=20)
    the = tokenizer.encode(["the"], 2).tokens_BL[0, 1]
    assert count.documents_V[the].item() == 3  # of four
    assert count.cut == 0


def test_captions_that_are_cut_are_counted() -> None:
    tokenizer = train_word_pieces(TokenizerConfig(min_count=1), ["one two three", "one two", "one two three four"])
    for length, cut in ((3, 2), (4, 1), (5, 0)):
        count = count_pieces(tokenizer, ["one two three", "one two", "one two three four"], length=length)
        assert count.cut == cut
    four = tokenizer.encode(["four"], 2).tokens_BL[0, 1]
    assert count_pieces(tokenizer, ["one two three four"], length=4).documents_V[four] == 0  # what is not read


def test_a_tokenizer_means_the_same_in_a_spawned_worker() -> None:
    tokenizer = train_word_pieces(TokenizerConfig(min_count=1), CAPTIONS)
    sent = pickle.loads(pickle.dumps(tokenizer))
    captions = ["the [MASK] fin [PAD]", *CAPTIONS]
    assert torch.equal(sent.encode(captions, 12).tokens_BL, tokenizer.encode(captions, 12).tokens_BL)
    assert sent.special == tokenizer.special
