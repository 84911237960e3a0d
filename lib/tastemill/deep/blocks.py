"""Blocks of sequence networks: (N, d) to (N, d), each position seeing those up to it alone.

The positions of all sequences come packed, and are padded to (B, L, d) only where they look at each
other. Sequences begin at position 0 and are padded at their ends, so that looking back never meets
padding and needs no mask of its own.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from tastemill.deep.packing import Packing


class Attention(nn.Module):
    """Causal self-attention with scaled products.

    No weight is dropped, only what comes of them: PyTorch's fast kernels on a CPU know no dropout.

    Source: Vaswani et al., Attention Is All You Need (NeurIPS 2017).
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.inward = nn.Linear(dim, 3 * dim)
        self.outward = nn.Linear(dim, dim)

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        """(N, d) of x (N, d)."""
        query, key, value = _in_heads(packing.padded(self.inward(x)), 3, self.num_heads)
        met = nnf.scaled_dot_product_attention(query, key, value, is_causal=True)
        mixed: Tensor = self.outward(packing.packed(_out_of_heads(met)))
        return mixed


class TransformerBlock(nn.Module):
    """x + attention(norm x), then x + layers(norm x), as in SASRec.

    Source: Kang and McAuley, Self-Attentive Sequential Recommendation (ICDM 2018).
    """

    def __init__(self, dim: int, num_heads: int, dropout: float, length: int) -> None:
        super().__init__()
        del length  # positions are known from their embeddings
        self.attention_norm, self.layers_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, num_heads)
        self.layers = nn.Sequential(
            nn.Linear(dim, dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(dim, dim)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        """(N, d) of x (N, d)."""
        x = x + self.dropout(self.attention(self.attention_norm(x), packing))
        met: Tensor = x + self.dropout(self.layers(self.layers_norm(x)))
        return met


class GatedBlock(nn.Module):
    """Like a transformer's, each part behind a gate that looks at x; layers with SwiGLU.

    Source: Borisyuk et al., LiGR (2025), as eSASRec takes it (Tikhonovich et al., RecSys 2025).
    """

    WIDER = 4  # hidden layer by d

    def __init__(self, dim: int, num_heads: int, dropout: float, length: int) -> None:
        super().__init__()
        del length
        self.attention_norm, self.layers_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, num_heads)
        self.attention_gate, self.layers_gate = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.inward = nn.Linear(dim, 2 * self.WIDER * dim, bias=False)
        self.outward = nn.Linear(self.WIDER * dim, dim, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        """(N, d) of x (N, d)."""
        attended = self.attention(self.attention_norm(x), packing)
        x = x + self.dropout(attended * torch.sigmoid(self.attention_gate(x)))
        open_, value = self.inward(self.layers_norm(x)).chunk(2, dim=-1)
        layered = self.outward(self.dropout(nnf.silu(open_) * value))
        met: Tensor = x + self.dropout(layered * torch.sigmoid(self.layers_gate(x)))
        return met


class HSTUBlock(nn.Module):
    """x + f(norm(A V) ⊙ U), A = SiLU(Q Kᵀ + bias of the distance) / length, without a softmax.

    How often something is met stays visible, which a softmax's weights, adding up to 1, hide.

    Source: Zhai et al., Actions Speak Louder than Words (ICML 2024), equations 1 to 3, with the
    bias of positions and without that of times.
    """

    distance: Tensor

    def __init__(self, dim: int, num_heads: int, dropout: float, length: int) -> None:
        super().__init__()
        self.num_heads, self.length = num_heads, length
        self.norm, self.met_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.inward = nn.Linear(dim, 4 * dim)
        self.outward = nn.Linear(dim, dim)
        self.bias = nn.Parameter(torch.zeros(length))  # of looking back so far
        self.dropout = nn.Dropout(dropout)
        places = torch.arange(length)
        back = places[:, None] - places[None, :]
        self.register_buffer("distance", back, persistent=False)

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        """(N, d) of x (N, d)."""
        inward = nnf.silu(self.inward(self.norm(x)))
        gate, parts = inward[:, : x.shape[1]], inward[:, x.shape[1] :]
        value, query, key = _in_heads(packing.padded(parts), 3, self.num_heads)
        length = packing.shape[1]
        back = self.distance[:length, :length]
        weights = nnf.silu(query @ key.transpose(-1, -2) + self.bias[back.clamp(min=0)])
        weights = weights.masked_fill(back < 0, 0.0) / self.length
        met = packing.packed(_out_of_heads(weights @ value))
        added: Tensor = x + self.outward(self.dropout(self.met_norm(met) * gate))
        return added


BLOCKS: Mapping[str, type[nn.Module]] = {
    "transformer": TransformerBlock,
    "gated": GatedBlock,
    "hstu": HSTUBlock,
}


def _in_heads(x: Tensor, parts: int, num_heads: int) -> tuple[Tensor, ...]:
    """So many (B, heads, L, d / heads) of (B, L, parts · d)."""
    rows, length, width = x.shape
    in_heads = x.view(rows, length, parts, num_heads, width // parts // num_heads)
    return in_heads.permute(2, 0, 3, 1, 4).unbind()


def _out_of_heads(x: Tensor) -> Tensor:
    """(B, L, d) of (B, heads, L, d / heads)."""
    return x.transpose(1, 2).flatten(2)
