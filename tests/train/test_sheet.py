"""The picture sheet of a run."""

import io
from dataclasses import replace

import numpy as np
import pytest
import tokenizers
import torch
from PIL import Image
from tokenizers import decoders, models, pre_tokenizers, trainers

from train.batch import Batch
from train.config import TrainConfig
from train.data.tokenizer import Tokenizer, TokenizerConfig, train_word_pieces
from train.models.embeddings import patchify
from train.models.vilt import Vilt
from train.objectives.config import ObjectiveConfig
from train.objectives.losses import normalised
from train.sheet import Guess, Piece, Word, guesses, page
from train.sheet.pixels import as_images, with_contrast_of
from train.sheet.words import likeliest_words, pieces_with_guesses

CAPTIONS = ["a red circle, isn't it?", "Ein größerer Käse 犬 lies to the left of a naïve square", "unforgettable"]


def _made(model: Vilt, batch: Batch, tokenizer: Tokenizer, config: ObjectiveConfig) -> tuple[Guess, ...]:
    return guesses(model, batch, tokenizer=tokenizer, config=config)


def _size(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


def test_patches_become_the_image_they_were_cut_from(batch: Batch) -> None:
    images = as_images(patchify(batch.images_BCSS, 16), 16)
    assert np.array_equal(np.stack(images), batch.images_BCSS.permute(0, 2, 3, 1).numpy())


def test_normalised_patches_get_back_their_mean_and_deviation(batch: Batch) -> None:
    patches_BNP = patchify(batch.images_BCSS, 16)
    assert torch.allclose(with_contrast_of(normalised(patches_BNP), patches_BNP), patches_BNP, atol=1e-5)


def test_a_sheet_shows_at_most_six_pairs(model: Vilt, batch: Batch, tokenizer: Tokenizer, config: TrainConfig) -> None:
    shown = _made(model, batch, tokenizer, config.objective)
    assert [guess.original.tolist() for guess in shown] == batch.images_BCSS[:6].permute(0, 2, 3, 1).tolist()
    with_lone_rows = replace(batch, lone_texts=10, lone_images=4)
    assert len(_made(model, with_lone_rows, tokenizer, config.objective)) == 2


def test_without_pairs_there_is_an_empty_page(
    model: Vilt, batch: Batch, tokenizer: Tokenizer, config: TrainConfig
) -> None:
    shown = _made(model, replace(batch, lone_texts=16), tokenizer, config.objective)
    assert shown == ()
    assert page(shown)


def test_what_was_seen_is_kept_and_what_was_hidden_is_grey_then_rebuilt(
    model: Vilt, batch: Batch, tokenizer: Tokenizer, config: TrainConfig
) -> None:
    for guess in _made(model, batch, tokenizer, config.objective):
        hidden = (guess.seen == 200).all(axis=-1)
        assert hidden.mean() == pytest.approx(7 / 9, abs=0.01)  # .75 of 9 patches
        assert np.array_equal(guess.seen[~hidden], guess.original[~hidden])
        assert np.array_equal(guess.rebuilt[~hidden], guess.original[~hidden])
        assert not np.array_equal(guess.rebuilt[hidden], guess.original[hidden])
        assert 0 < sum(piece.guess is not None for piece in guess.caption) < len(guess.caption)


def test_guesses_hang_on_nothing_that_is_hidden(
    model: Vilt, batch: Batch, tokenizer: Tokenizer, config: TrainConfig
) -> None:
    before = _made(model, batch, tokenizer, config.objective)
    other = batch.tokens_BL.clone()
    for row, guess in enumerate(before):
        hidden = torch.tensor([False, *(piece.guess is not None for piece in guess.caption)])
        other[row, : len(hidden)][hidden] = tokenizer.unknown
    after = _made(model, replace(batch, tokens_BL=other), tokenizer, config.objective)
    for one, two in zip(before, after, strict=True):
        assert np.array_equal(one.rebuilt, two.rebuilt)
        # The text of a guess may lose its space where the piece before it is another.
        assert [(a.guess or "").strip() for a in one.caption] == [(b.guess or "").strip() for b in two.caption]
        assert one.from_image is not None and two.from_image is not None
        assert [word.text for word in one.from_image] == [word.text for word in two.from_image]


def test_of_each_caption_a_share_of_its_own_length_is_hidden(
    model: Vilt, batch: Batch, tokenizer: Tokenizer, config: TrainConfig
) -> None:
    lengths = torch.tensor([12, 2, 9, 2, 12, 5] + 10 * [8])
    real_BL = torch.arange(batch.real_BL.shape[1]) <= lengths[:, None]
    settings = config.objective.model_copy(update={"text_ratio": (0.5, 0.5)})
    shown = _made(model, replace(batch, real_BL=real_BL), tokenizer, settings)
    hidden = [sum(piece.guess is not None for piece in guess.caption) for guess in shown]
    assert [len(guess.caption) for guess in shown] == lengths[:6].tolist()
    assert hidden == (lengths[:6] / 2).round().tolist()


def test_sheets_of_other_weights_hide_the_same(
    model: Vilt, batch: Batch, tokenizer: Tokenizer, config: TrainConfig
) -> None:
    before = _made(model, batch, tokenizer, config.objective)
    model.reset_weights(torch.Generator().manual_seed(9))
    torch.manual_seed(9)
    after = _made(model, batch, tokenizer, config.objective)
    assert all(np.array_equal(one.seen, two.seen) for one, two in zip(before, after, strict=True))
    assert page(before) != page(after)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(
    model: Vilt, batch: Batch, tokenizer: Tokenizer, config: TrainConfig, training: bool
) -> None:
    model.train(training)
    state = torch.get_rng_state()
    _made(model, batch, tokenizer, config.objective)
    assert model.training is training
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("alternate", "from_text", "from_image"),
    [("off", False, False), ("text", False, True), ("image", True, False), ("both", True, True)],
)
def test_what_is_not_taught_is_not_shown(
    model: Vilt,
    batch: Batch,
    tokenizer: Tokenizer,
    config: TrainConfig,
    alternate: str,
    from_text: bool,
    from_image: bool,
) -> None:
    settings = config.objective.model_copy(update={"alternate": alternate})
    shown = _made(model, batch, tokenizer, settings)
    assert {guess.from_text is not None for guess in shown} == {from_text}
    assert {guess.from_image is not None for guess in shown} == {from_image}
    assert page(shown)


def _byte_pairs() -> Tokenizer:
    """As GPT-2's and RoBERTa's: its pieces hold their spaces, and may hold half a letter."""
    pieces = tokenizers.Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<pad>", "<unk>", "<s>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    pieces.train_from_iterator(["a red circle", "the left of a square"] * 3, trainer)
    return Tokenizer(pieces=pieces, pad=0, unknown=1, cls=2, mask=3)


def _wordpieces() -> Tokenizer:
    return train_word_pieces(TokenizerConfig(min_count=1), CAPTIONS)


@pytest.mark.parametrize("tokenizer", [_wordpieces(), _byte_pairs()], ids=["word pieces", "byte pairs"])
@pytest.mark.parametrize("caption", CAPTIONS)
def test_pieces_of_any_tokenizer_are_shown_as_they_stand_in_the_caption(tokenizer: Tokenizer, caption: str) -> None:
    ids = tokenizer.pieces.encode(caption, add_special_tokens=False).ids
    shown = pieces_with_guesses(ids, [True] * len(ids), ids, tokenizer)
    assert all(piece.guess == piece.text and piece.right for piece in shown)
    if "犬" not in caption:  # the pieces of its bytes are no letters
        together = "".join(piece.text for piece in shown)
        assert together == tokenizer.pieces.decode(ids)


def test_a_wrong_guess_stands_where_the_piece_stood(tokenizer: Tokenizer) -> None:
    ids, other = (tokenizer.pieces.encode(text, add_special_tokens=False).ids for text in ("a red circle", "blue"))
    shown = pieces_with_guesses(ids, [False, True, False], [0, other[0], 0], tokenizer)
    assert shown == (
        Piece(text="a"),
        Piece(text=" red", guess=" blue", right=False),
        Piece(text=" circle"),
    )


def test_what_cannot_be_printed_is_shown_as_a_space() -> None:
    tokenizer = _byte_pairs()
    shown = pieces_with_guesses(tokenizer.pieces.encode("\n").ids, [False], [0], tokenizer)
    assert shown == (Piece(text=" "),)


def test_an_images_words_come_likeliest_first_without_special_pieces(tokenizer: Tokenizer) -> None:
    red, blue = (tokenizer.pieces.token_to_id(word) for word in ("red", "blue"))
    logits = torch.zeros(tokenizer.vocabulary)
    logits[torch.tensor([tokenizer.mask, blue, red])] = torch.tensor([9.0, 8.0, 7.0])
    first, second, *_ = likeliest_words(logits, tokenizer.pieces.encode("red", add_special_tokens=False).ids, tokenizer)
    assert (first.text, first.right, second.text, second.right) == ("blue", False, "red", True)
    assert first.probability > second.probability


def test_a_long_caption_makes_its_row_higher_and_never_the_page_wider() -> None:
    def drawn(words: int) -> bytes:
        black = np.zeros((32, 32, 3), np.uint8)
        caption = tuple(Piece(text=" word", guess=" guess") for _ in range(words))
        found = (Word(text="red", probability=0.5, right=True),)
        return page(
            [Guess(original=black, seen=black, rebuilt=black, caption=caption, from_text=black, from_image=found)]
        )

    short, long = _size(drawn(3)), _size(drawn(80))
    assert short[0] == long[0]
    assert short[1] < long[1]
    assert drawn(3) == drawn(3)
