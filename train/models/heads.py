"""What is read from the encoder's output: pieces, bags of words, patches, the shared embedding, and agreement."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.models.embeddings import gather_rows, sincos_grid
from train.models.layers import blocks


class TokenHead(nn.Module):
    """Vectors to logits over the vocabulary, with the text embedding's own matrix. Hand it hidden slots only."""

    def __init__(self, *, width: int, vocabulary: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.bias_V = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, vectors_RHD: Tensor, pieces_VD: Tensor) -> Tensor:
        return functional.linear(self.norm(functional.gelu(self.dense(vectors_RHD))), pieces_VD, self.bias_V)


class BagHead(nn.Module):
    """One vector a row to logits over the words its caption may hold, in any order.

    `idf_V` weighs a word by how rare it is in the training captions, special pieces by nothing. It belongs to the
    weights: a bag cannot be scored without it.
    """

    idf_V: Tensor

    def __init__(self, *, width: int, vocabulary: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.words = nn.Linear(width, vocabulary)
        self.register_buffer("idf_V", torch.ones(vocabulary))

    def forward(self, vectors_RD: Tensor) -> Tensor:
        logits: Tensor = self.words(self.norm(vectors_RD))
        return logits


class Projection(nn.Module):
    """A vector to a point on the unit sphere that images and texts share."""

    def __init__(self, *, width: int, shared: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, shared, bias=False)

    def forward(self, vectors_RD: Tensor) -> Tensor:
        return functional.normalize(self.linear(self.norm(vectors_RD)).float(), dim=-1)


class MatchingHead(nn.Module):
    """What caption and image say as wholes, read together, to logits of (no match, match)."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(2 * width, width)
        self.norm = nn.LayerNorm(width)
        self.answer = nn.Linear(width, 2)

    def forward(self, text_RD: Tensor, image_RD: Tensor) -> Tensor:
        vectors_RD = self.dense(torch.cat([text_RD, image_RD], dim=1))
        logits_R2: Tensor = self.answer(self.norm(functional.gelu(vectors_RD)))
        return logits_R2


class PatchDecoder(nn.Module):
    """A light transformer that rebuilds the hidden patches from what the encoder saw.

    encoded slots + one query for every hidden patch, at its place -> blocks -> numbers of the hidden patches
    """

    places_ND: Tensor

    def __init__(self, *, width: int, inner: int, depth: int, heads: int, patches: int, numbers: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(width, inner)
        self.query_D = nn.Parameter(torch.zeros(inner))
        # Fixed: the query tells the place by nothing else, from the first step on.
        self.register_buffer("places_ND", sincos_grid(patches, inner))
        self.blocks = blocks(width=inner, depth=depth, heads=heads)
        self.norm = nn.LayerNorm(inner)
        self.numbers = nn.Linear(inner, numbers)

    def forward(self, encoded_RTD: Tensor, attend_RT: Tensor | None, hidden_RM: Tensor) -> Tensor:
        """Numbers (R, M, P) of the patches at `hidden_RM`; slots where `attend_RT` is False are passed over."""
        places_RND = self.places_ND.expand(encoded_RTD.shape[0], -1, -1)
        queries_RMD = self.query_D + gather_rows(places_RND, hidden_RM)
        slots = torch.cat([self.narrow(encoded_RTD), queries_RMD], dim=1)
        attend = None if attend_RT is None else functional.pad(attend_RT, (0, queries_RMD.shape[1]), value=True)
        slots = self.blocks(slots, attend)
        numbers: Tensor = self.numbers(self.norm(slots[:, -queries_RMD.shape[1] :]))
        return numbers
