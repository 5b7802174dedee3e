"""A sheet as a picture: a row a pair, its images from left to right, beside them its words."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from train.drawing import DIM, GREEN, INK, PALE_GREEN, PALE_RED, PAPER, RED, Colour, as_png, font
from train.sheet.records import Guess, Piece, Pixels, Word

TILE = 144  # pixels
GAP = 10
TEXT = 440  # width of the words
LINE = 21
SPACE, WIDE = 5, 14  # between words
PAD = 3  # around a guess, inside its ground
TITLES = ("original", "seen", "rebuilt from what is seen", "rebuilt from the text")
NOTE = (
    "Rebuilt from what is seen: predicted patches have mean 0 and deviation 1; here each has its original's. "
    "Guesses: green is right, red is wrong, with the truth behind it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Words that stay on one line."""

    text: str
    tail: str = ""  # what is said of the text, behind it in grey
    ink: Colour = INK
    ground: Colour | None = None
    gap: int = SPACE  # before it, in pixels


def page(guesses: Sequence[Guess]) -> bytes:
    """The pairs as a PNG, one below the other."""
    columns = 4 if any(guess.from_text is not None for guess in guesses) else 3
    left = GAP + columns * (TILE + GAP)
    laid = [_laid_out(guess) for guess in guesses]
    heights = [max(TILE, LINE * len(lines)) + GAP for lines in laid]
    sheet = Image.new("RGB", (left + TEXT + GAP, 2 * LINE + sum(heights) + 2 * GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(TITLES[:columns]):
        draw.text((GAP + column * (TILE + GAP), GAP), title, fill=DIM, font=font(12))
    draw.text((left, GAP), "caption, hidden words guessed from what is seen", fill=DIM, font=font(12))
    top = GAP + LINE
    for guess, lines, height in zip(guesses, laid, heights, strict=True):
        _draw_images(sheet, guess, top=top)
        for number, line in enumerate(lines):
            _draw_line(draw, line, left=left, top=top + LINE * number)
        top += height
    draw.text((GAP, top), NOTE, fill=DIM, font=font(12))
    return as_png(sheet)


def _draw_images(sheet: Image.Image, guess: Guess, *, top: int) -> None:
    for column, pixels in enumerate((guess.original, guess.seen, guess.rebuilt, guess.from_text)):
        if pixels is not None:
            sheet.paste(_tile(pixels), (GAP + column * (TILE + GAP), top))


def _tile(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.BICUBIC)


Line = list[tuple[float, Run]]  # how far from the left each run begins


def _laid_out(guess: Guess) -> list[Line]:
    lines = _wrapped([_run_of_piece(piece) for piece in guess.caption])
    if guess.from_image is not None:
        title = Run(text="", tail="guessed from the image alone")
        lines += [[], *_wrapped([title]), *_wrapped([_run_of_word(word) for word in guess.from_image])]
    return lines


def _run_of_piece(piece: Piece) -> Run:
    text, gap = piece.text.strip(), SPACE if piece.text.startswith(" ") else 0
    if piece.guess is None:
        return Run(text=text, gap=gap)
    tail = "" if piece.right else f"({text})"
    return Run(text=piece.guess.strip(), tail=tail, ground=PALE_GREEN if piece.right else PALE_RED, gap=gap)


def _run_of_word(word: Word) -> Run:
    return Run(text=word.text, tail=f"{100 * word.probability:.0f} %", ink=GREEN if word.right else RED, gap=WIDE)


def _wrapped(runs: Sequence[Run]) -> list[Line]:
    """Runs one behind the other, on as many lines as that takes."""
    lines: list[Line] = [[]]
    end = 0.0
    for run in runs:
        width = _width(run)
        start = end + run.gap if lines[-1] else 0.0
        if lines[-1] and start + width > TEXT:
            lines.append([])
            start = 0.0
        lines[-1].append((start, run))
        end = start + width
    return lines


def _width(run: Run) -> float:
    return _text_width(run) + (SPACE + font().getlength(run.tail) if run.tail else 0)


def _text_width(run: Run) -> float:
    return font().getlength(run.text) + (2 * PAD if run.ground else 0)


def _draw_line(draw: ImageDraw.ImageDraw, line: Line, *, left: int, top: int) -> None:
    for start, run in line:
        at = left + start
        behind = at + _text_width(run)
        if run.ground:
            draw.rounded_rectangle((at, top, behind, top + LINE - 3), radius=4, fill=run.ground)
            at += PAD
        draw.text((at, top + 1), run.text, fill=run.ink, font=font())
        draw.text((behind + (SPACE if run.text else 0), top + 1), run.tail, fill=DIM, font=font())
