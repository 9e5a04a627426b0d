"""Positions by themselves: what they refuse, what they keep in every precision."""

import pytest
import torch

from jumok.nn.position import Learned, NoPositions, Rotary, Sinusoidal


def test_learned_positions_are_rows_of_a_table() -> None:
    learned = Learned(13, 6)
    where = torch.tensor([12, 0, 5, 5])
    assert torch.equal(learned(where), learned.weight[where])


@pytest.mark.parametrize("position", [13, 14, 1000])
def test_learned_positions_end(position: int) -> None:
    with pytest.raises(ValueError, match=f"position {position} is past the 13 learned positions"):
        Learned(13, 6)(torch.tensor([0, position]))


def test_no_positions_are_zeros() -> None:
    assert torch.equal(NoPositions(7)(torch.arange(5)), torch.zeros(5, 7))


@pytest.mark.parametrize("kind", [Sinusoidal, Rotary])
def test_an_odd_width_is_refused(kind: type[Sinusoidal] | type[Rotary]) -> None:
    with pytest.raises(ValueError, match="even"):
        kind(7)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_a_model_in_another_precision_keeps_its_sinusoids(dtype: torch.dtype) -> None:
    """`model.to(bfloat16)` must not round the angles' rates: they would be off by a tenth of a turn after 50 tokens."""
    where = torch.tensor([0, 1, 7, 50, 500, 9973])
    exact = Sinusoidal(22)(where)
    torch.testing.assert_close(Sinusoidal(22).to(dtype)(where).float(), exact, rtol=0, atol=2 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_a_model_in_another_precision_keeps_its_rotations(dtype: torch.dtype) -> None:
    where = torch.tensor([0, 1, 7, 50, 500, 9973])
    x = torch.randn(3, 2, 6, 22).to(dtype)
    exact = Rotary(22)(x.float(), where)
    found = Rotary(22).to(dtype)(x, where)
    assert found.dtype == dtype
    error = 16 * torch.finfo(dtype).eps
    torch.testing.assert_close(found.float(), exact, rtol=error, atol=error)


def test_rotary_is_a_complex_product() -> None:
    x, where = torch.randn(3, 2, 7, 10), torch.randint(0, 500, (7,))
    rates = 10000.0 ** (-torch.arange(0, 10, 2, dtype=torch.float64) / 10)
    turned = torch.view_as_complex(x.double().unflatten(-1, (5, 2))) * torch.exp(1j * where[:, None] * rates)
    expected = torch.view_as_real(turned).flatten(-2)
    torch.testing.assert_close(Rotary(10)(x, where).double(), expected, rtol=1e-5, atol=1e-5)


def test_position_zero_rotates_nothing() -> None:
    x = torch.randn(3, 2, 1, 10)
    assert torch.equal(Rotary(10)(x, torch.tensor([0])), x)


def test_fixed_positions_have_nothing_to_save() -> None:
    for module in (Sinusoidal(6), Rotary(6), NoPositions(6)):
        assert not module.state_dict()
        assert not list(module.parameters())
