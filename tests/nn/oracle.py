"""Our weights in the modules of `torch.nn`, and attention as three loops."""

import torch
from torch import Tensor, nn

from jumok.nn.attention import Attention
from jumok.nn.mask import Mask
from jumok.nn.transformer import DecoderBlock, EncoderBlock, FeedForward


def copied_attention(ours: Attention, dim: int, memory_dim: int | None = None) -> nn.MultiheadAttention:
    other = memory_dim not in (None, dim)
    theirs = nn.MultiheadAttention(
        dim, ours.heads, batch_first=True, kdim=memory_dim if other else None, vdim=memory_dim if other else None
    )
    with torch.no_grad():
        if not ours.of_memory:
            theirs.in_proj_weight.copy_(ours.qkv.weight)
            theirs.in_proj_bias.copy_(ours.qkv.bias)
        else:
            theirs.in_proj_bias.copy_(torch.cat([ours.q.bias, ours.kv.bias]))
            if other:
                theirs.q_proj_weight.copy_(ours.q.weight)
                theirs.k_proj_weight.copy_(ours.kv.weight[:dim])
                theirs.v_proj_weight.copy_(ours.kv.weight[dim:])
            else:
                theirs.in_proj_weight.copy_(torch.cat([ours.q.weight, ours.kv.weight]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    return theirs.eval()


def copied_encoder_layer(ours: EncoderBlock, dim: int, hidden: int, norm: str, activation: str) -> nn.Module:
    theirs = nn.TransformerEncoderLayer(
        dim, ours.attention.heads, hidden, 0.0, activation, norm_first=norm == "pre", batch_first=True
    )
    theirs.self_attn = copied_attention(ours.attention, dim)
    _copy_feed_forward(ours.feed_forward, theirs)
    theirs.norm1.load_state_dict(ours.around_attention.norm.state_dict())
    theirs.norm2.load_state_dict(ours.around_feed_forward.norm.state_dict())
    return theirs.eval()


def copied_decoder_layer(ours: DecoderBlock, dim: int, hidden: int, norm: str, activation: str) -> nn.Module:
    theirs = nn.TransformerDecoderLayer(
        dim, ours.attention.heads, hidden, 0.0, activation, norm_first=norm == "pre", batch_first=True
    )
    theirs.self_attn = copied_attention(ours.attention, dim)
    theirs.multihead_attn = copied_attention(ours.cross, dim, dim)
    _copy_feed_forward(ours.feed_forward, theirs)
    theirs.norm1.load_state_dict(ours.around_attention.norm.state_dict())
    theirs.norm2.load_state_dict(ours.around_cross.norm.state_dict())
    theirs.norm3.load_state_dict(ours.around_feed_forward.norm.state_dict())
    return theirs.eval()


def _copy_feed_forward(ours: nn.Module, theirs: nn.Module) -> None:
    assert isinstance(ours, FeedForward)
    theirs.linear1.load_state_dict(ours.inner.state_dict())
    theirs.linear2.load_state_dict(ours.outer.state_dict())


def may_attend(mask: Mask, b: int, h: int, i: int, j: int, queries: int, keys: int) -> bool:
    """The three rules of the mask, read aloud."""
    if mask.lengths is not None and j >= int(mask.lengths[b]):
        return False
    if mask.causal and j > i + (keys - queries):
        return False
    if mask.pattern is None:
        return True
    place = [0 if size == 1 else at for size, at in zip(mask.pattern.shape, (b, h, i, j), strict=True)]
    return bool(mask.pattern[tuple(place)])


def naive_attention(q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
    """``softmax(q k^T / sqrt(d)) v`` row by row in float64; zeros for a query without keys."""
    q, k, v = q.double(), k.double(), v.double()
    batch, heads, queries, width = q.shape
    keys = k.shape[2]
    out = torch.zeros(batch, heads, queries, v.shape[3], dtype=torch.float64)
    for b in range(batch):
        for h in range(heads):
            for i in range(queries):
                seen = [j for j in range(keys) if may_attend(mask, b, h, i, j, queries, keys)]
                if seen:
                    weights = (k[b, h, seen] @ q[b, h, i] / width**0.5).softmax(0)
                    out[b, h, i] = weights @ v[b, h, seen]
    return out


def some_masks(batch: int, heads: int, queries: int, keys: int) -> dict[str, Mask]:
    """Every kind of mask, with rows that have nothing to attend to where the kind allows them."""
    lengths = torch.randint(1, keys + 1, (batch,))
    with_empty = lengths.clone()
    with_empty[torch.randint(batch, ())] = 0
    pattern = torch.rand(batch, heads, queries, keys) < 0.6
    pattern[0, 0, 0] = False
    return {
        "none": Mask(),
        "lengths": Mask(lengths),
        "an empty row": Mask(with_empty),
        "causal": Mask(causal=True),
        "causal and lengths": Mask(lengths, causal=True),
        "causal and an empty row": Mask(with_empty, causal=True),
        "pattern": Mask(pattern=pattern),
        "pattern of all heads": Mask(pattern=pattern[:, :1]),
        "pattern of all rows": Mask(pattern=pattern[:1, :1]),
        "pattern and lengths": Mask(with_empty, pattern=pattern),
        "everything": Mask(with_empty, causal=True, pattern=pattern[:1]),
    }


MASKS = [
    "none", "lengths", "an empty row", "causal", "causal and lengths", "causal and an empty row", "pattern",
    "pattern of all heads", "pattern of all rows", "pattern and lengths", "everything",
]  # fmt: skip
