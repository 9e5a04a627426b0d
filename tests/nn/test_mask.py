"""Masks: what is drawn in the docstring, and the rules by loops."""

import pytest
import torch
from tests.nn.oracle import MASKS, may_attend, some_masks

from jumok.nn.mask import FULL, Mask


def drawn(text: str) -> torch.Tensor:
    return torch.tensor([[cell == "1" for cell in line.split()] for line in text.strip().splitlines()])


def test_lengths_as_drawn() -> None:
    allowed = Mask(torch.tensor([2, 3])).allowed(1, 3)
    assert allowed is not None
    assert allowed.shape == (2, 1, 1, 3)
    assert torch.equal(allowed[:, 0, 0], drawn("1 1 .\n1 1 1"))


def test_causal_as_drawn() -> None:
    allowed = Mask(causal=True).allowed(3, 3)
    assert allowed is not None
    assert torch.equal(allowed[0, 0], drawn("1 . .\n1 1 .\n1 1 1"))


def test_causal_with_cached_keys_is_shifted() -> None:
    allowed = Mask(causal=True).allowed(2, 5)
    assert allowed is not None
    assert torch.equal(allowed[0, 0], drawn("1 1 1 1 .\n1 1 1 1 1"))


@pytest.mark.parametrize("past", [0, 1, 6])
def test_one_causal_query_sees_all_keys_so_far(past: int) -> None:
    allowed = Mask(causal=True).allowed(1, past + 1)
    assert allowed is None or bool(allowed.all())


def test_full_needs_no_tensor() -> None:
    assert FULL.allowed(5, 7) is None
    assert FULL.bias(5, 7, torch.float32) is None
    assert FULL.attended(5, 7) is None


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize(("queries", "keys"), [(5, 7), (7, 7), (1, 5), (7, 5)])
def test_allowed_by_loops(kind: str, queries: int, keys: int) -> None:
    batch, heads = 3, 2
    mask = some_masks(batch, heads, queries, keys)[kind]
    expected = torch.tensor(
        [
            [
                [[may_attend(mask, b, h, i, j, queries, keys) for j in range(keys)] for i in range(queries)]
                for h in range(heads)
            ]
            for b in range(batch)
        ]
    )
    allowed = mask.allowed(queries, keys)
    allowed = torch.ones(1, 1, 1, 1, dtype=torch.bool) if allowed is None else allowed
    assert torch.equal(allowed.broadcast_to(expected.shape), expected)
    attended = mask.attended(queries, keys)
    attended = torch.ones(1, 1, 1, 1, dtype=torch.bool) if attended is None else attended
    assert torch.equal(attended.broadcast_to(*expected.shape[:3], 1), expected.any(-1, keepdim=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bias_hides_and_never_overflows(dtype: torch.dtype) -> None:
    mask = Mask(torch.tensor([2, 5]))
    bias = mask.bias(3, 5, dtype)
    assert bias is not None
    assert bias.dtype == dtype
    assert bool((bias + bias).isfinite().all())
    weights = (torch.randn(2, 1, 3, 5).to(dtype) * 100 + bias).float().softmax(-1)
    assert bool((weights[0, ..., 2:] == 0).all())


def test_a_mask_used_at_two_sizes_does_not_mix_them_up() -> None:
    mask = Mask(torch.tensor([2, 3]), causal=True)
    for queries, keys in [(3, 3), (2, 3), (3, 3), (5, 5), (1, 3)]:
        allowed, fresh = mask.allowed(queries, keys), Mask(torch.tensor([2, 3]), causal=True).allowed(queries, keys)
        assert allowed is not None
        assert fresh is not None
        assert torch.equal(allowed, fresh)
