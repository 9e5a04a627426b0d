"""Laws of positions: unique, without end, distances that depend on the offset alone; and what a model is without."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.small import lengths, small_model, targets, words

from jumok.nn.position import Rotary, Sinusoidal

FAR = 1_000_000
DIM = 22


def test_the_papers_formula_on_hand_computed_entries() -> None:
    # dim 4: the rates are 1 and 10000^(-2/4) = 0.01
    expected = torch.tensor(
        [
            [0.0, 1.0, 0.0, 1.0],
            [0.8414710, 0.5403023, 0.0099998, 0.9999500],  # sin 1, cos 1, sin 0.01, cos 0.01
            [0.1411200, -0.9899925, 0.0299955, 0.9995500],  # of 3 and 0.03
            [-0.5063656, 0.8623189, 0.8414710, 0.5403023],  # of 100 and 1
        ]
    )
    found = Sinusoidal(4)(torch.tensor([0, 1, 3, 100]))
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-7)


@settings(max_examples=50, deadline=None)
@given(position=st.integers(0, FAR), dim=st.integers(1, 300).map(lambda half: 2 * half), data=st.data())
def test_the_papers_formula(position: int, dim: int, data: st.DataObject) -> None:
    i = data.draw(st.integers(0, dim // 2 - 1))
    angle = position / 10000 ** (2 * i / dim)
    row = Sinusoidal(dim)(torch.tensor([position]))[0]
    assert row.shape == (dim,)
    assert float(row[2 * i]) == pytest.approx(math.sin(angle), abs=1e-6)
    assert float(row[2 * i + 1]) == pytest.approx(math.cos(angle), abs=1e-6)


def test_each_position_is_unique() -> None:
    table = Sinusoidal(64)(torch.arange(5000))
    assert table.unique(dim=0).shape[0] == 5000
    nearest = torch.cat(
        [
            # the own position aside
            torch.cdist(part, table).scatter(1, torch.arange(len(part))[:, None] + start, torch.inf).amin(1)
            for start, part in ((at, table[at : at + 500]) for at in range(0, 5000, 500))
        ]
    )
    assert float(nearest.min()) > 0.1


@settings(max_examples=50, deadline=None)
@given(m=st.integers(0, FAR), n=st.integers(0, FAR), shift=st.integers(0, FAR))
def test_distance_depends_on_the_offset_alone(m: int, n: int, shift: int) -> None:
    here, there = (Sinusoidal(DIM)(torch.tensor([m + by, n + by])) for by in (0, shift))
    distance = (here[0] - here[1]).norm()
    torch.testing.assert_close(distance, (there[0] - there[1]).norm(), rtol=1e-5, atol=1e-5)
    rates = 10000.0 ** (-torch.arange(0, DIM, 2, dtype=torch.float64) / DIM)
    expected = (2 - 2 * (rates * (m - n)).cos()).sum().sqrt()
    torch.testing.assert_close(distance.double(), expected, rtol=1e-5, atol=1e-5)


def test_near_positions_are_nearer() -> None:
    table = Sinusoidal(512)(torch.arange(30))
    from_start = (table - table[0]).norm(dim=1)
    assert bool((from_start[1:] > from_start[:-1])[:5].all())


@settings(max_examples=50, deadline=None)
@given(m=st.integers(0, FAR), n=st.integers(0, FAR), shift=st.integers(0, FAR), seed=st.integers(0, 2**31))
def test_rotated_products_depend_on_the_offset_alone(m: int, n: int, shift: int, seed: int) -> None:
    torch.manual_seed(seed)
    rotary = Rotary(DIM)
    q, k = torch.randn(3, 5, 1, DIM), torch.randn(3, 5, 1, DIM)

    def product(a: int, b: int) -> torch.Tensor:
        return (rotary(q, torch.tensor([a])) * rotary(k, torch.tensor([b]))).sum(-1)

    torch.testing.assert_close(product(m, n), product(m + shift, n + shift), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(rotary(q, torch.tensor([m])).norm(dim=-1), q.norm(dim=-1))


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary", "none"])
def test_any_length_works(positions: str) -> None:
    model = small_model(positions=positions, max_len=5, depth=1)
    out = model(words(2, 301), torch.tensor([301, 299]), targets(2, 257))
    assert bool(out.isfinite().all())


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_without_positions_a_permuted_input_gives_permuted_output(norm: str) -> None:
    model = small_model(positions="none", norm=norm)
    source, sizes = words(5, 11), lengths(5, 11)
    order = torch.stack([torch.cat([torch.randperm(int(n)), torch.arange(int(n), 11)]) for n in sizes])
    plain = model.encode(source, sizes).features
    permuted = model.encode(source.gather(1, order), sizes).features
    expected = plain.gather(1, order[:, :, None].expand_as(plain))
    real = torch.arange(11) < sizes[:, None]
    torch.testing.assert_close(permuted[real], expected[real], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_without_positions_the_decoder_sees_a_bag_of_source_words(norm: str) -> None:
    model = small_model(positions="none", norm=norm)
    source, target = words(5, 11), targets(5, 7)
    sizes = torch.full((5,), 11)
    shuffled = source[:, torch.randperm(11)]
    torch.testing.assert_close(model(source, sizes, target), model(shuffled, sizes, target), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
def test_with_positions_order_matters(positions: str) -> None:
    model = small_model(positions=positions)
    source, sizes = words(5, 11), torch.full((5,), 11)
    source[:, 0], source[:, -1] = 4, 5  # two different words change places
    order = torch.arange(11)
    order[[0, 10]] = order[[10, 0]]
    plain = model.encode(source, sizes).features
    permuted = model.encode(source[:, order], sizes).features
    assert bool((permuted - plain[:, order]).abs().max() > 1e-3)
