"""What passes through the model cost: operations, and bytes that autograd keeps for the backward pass.

Operations are those of matrix products, a multiplication and an addition being two; norms, GELU and softmax are left
out. A block's forward over S slots of width D takes

    24 S D^2   (queries, keys, values 6, projection 2, MLP 16)   +   4 S^2 D   (scores 2, their weighted sum 2)

as in Kaplan et al. 2020 (arXiv:2001.08361), table 1. The backward pass takes twice the forward: Chowdhery et al. 2022
(arXiv:2204.02311), appendix B, whose model-FLOP utilisation likewise counts nothing that is computed again. Hidden
patches never enter the encoder, and heads are run at hidden slots only, so only those count.

What is kept was counted in the blocks as timm writes them, with fused attention. It knows no allocator: what a device
rounds up, splits or caches comes on top.
"""

from dataclasses import dataclass

from train.models.config import ModelConfig

FLOAT = 4  # bytes of fp32, in which the stream between blocks, norms and losses are kept in any precision
BACKWARD = 2  # times the forward


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """All sizes that a cost hangs on."""

    model: ModelConfig
    vocabulary: int
    text_length: int
    image_size: int  # pixels

    @property
    def patches(self) -> int:
        return (self.image_size // self.model.patch) ** 2

    @property
    def numbers(self) -> int:
        """In a patch."""
        return 3 * self.model.patch**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Some rows that go through the encoder together, and what is asked of its output; all but `rows` a row."""

    name: str
    rows: int
    text: int = 0  # slots of text, [CLS] included
    shown: int = 0  # patches the encoder sees
    image: bool = False  # whether there is an image at all: then one slot more, its summary
    pieces: float = 0  # slots at which the token head is run, in the mean
    bag: bool = False
    rebuilt: int = 0  # patches
    shared: int = 0  # points on the sphere that images and texts share
    contrasted: int = 0  # points of the other modality that it is compared with

    @property
    def slots(self) -> int:
        return self.text + self.shown + self.image


def forward_flops(geometry: Geometry, run: Pass) -> int:
    """Of one row."""
    model, V, P = geometry.model, geometry.vocabulary, geometry.numbers
    D, inner = model.width, model.decoder_width
    encoder = 2 * run.shown * P * D + model.depth * block_flops(run.slots, D)
    heads = round(run.pieces * (2 * D * D + 2 * D * V)) + run.bag * 2 * D * V
    heads += run.shared * (2 * D * model.shared_width + 2 * run.contrasted * model.shared_width)
    decoder = 0
    if run.rebuilt:
        decoder = 2 * run.slots * D * inner + model.decoder_depth * block_flops(run.slots + run.rebuilt, inner)
        decoder += 2 * run.rebuilt * inner * P
    return encoder + heads + decoder


def block_flops(slots: int, width: int) -> int:
    """Forward, of one row."""
    return 24 * slots * width**2 + 4 * slots**2 * width


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Bytes of one row."""

    blocks: int  # of encoder and decoder
    again: int  # what the largest single block would keep: there for a moment where activations are computed again
    ends: int  # patches and places of pieces, before and behind the blocks
    logits: int  # over the vocabulary


def kept_bytes(geometry: Geometry, run: Pass, *, half: bool) -> Kept:
    """What autograd keeps of one row's forward pass; `half` where matrix products are in bf16."""
    model, V, P = geometry.model, geometry.vocabulary, geometry.numbers
    D, inner, e = model.width, model.decoder_width, 2 if half else FLOAT
    block = run.slots * _block_bytes(D, model.heads, e, dropout=model.dropout > 0)
    blocks = model.depth * (run.slots * D * FLOAT if model.recompute else block)
    again = block
    ends = run.shown * P * e + run.slots * 2 * D * FLOAT + round(run.pieces * 4 * D * FLOAT)
    if run.rebuilt:
        slots = run.slots + run.rebuilt
        block = slots * _block_bytes(inner, model.decoder_heads, e, dropout=False)
        blocks += model.decoder_depth * (slots * inner * FLOAT if model.recompute else block)
        again = max(again, block)
        # The decoder's input and output, and what was rebuilt beside what was wanted.
        ends += slots * inner * FLOAT + run.rebuilt * (inner * e + 2 * P * FLOAT)
    ends += run.shared * (D + run.contrasted) * FLOAT * 2
    logits = round((run.pieces + 2 * run.bag) * V) * FLOAT  # log-probabilities; of a bag the wanted ones, too
    return Kept(blocks=blocks, again=again if model.recompute else 0, ends=ends, logits=logits)


def _block_bytes(width: int, heads: int, e: int, *, dropout: bool) -> int:
    """Of one slot: what enters both norms, then in the products' precision what enters each product.

    Normed 1, queries, keys and values 3, attended 1, normed 1, before GELU 4, after it 4. Attention keeps a sum for
    each head, each norm two numbers, dropout (on a GPU) a byte for each of its 6 widths.
    """
    return 2 * width * FLOAT + 14 * width * e + (heads + 4) * FLOAT + 6 * width * dropout
