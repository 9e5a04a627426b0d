"""Recurrent layers: the formula, PyTorch's modules, and the same numbers whole, padded, packed and step by step."""

from typing import Any, Literal

import pytest
import torch
from tests.models.small import lengths, shake
from tests.nn import by_hand
from torch import Tensor, nn

from jumok.nn.recurrent import PARTS, Cell, RecurrentLayer, RecurrentStack, reversed_rows

CELLS: list[Cell] = ["tanh", "relu", "gelu", "lstm", "gru"]
WIDTH, DIM, ROWS, STEPS = 5, 6, 4, 7


def random_layer(cell: Cell, directions: Literal[1, 2] = 1) -> RecurrentLayer:
    layer = RecurrentLayer(cell, WIDTH, DIM, directions).double()
    shake(layer)
    return layer


def random_stack(cell: Cell, **options: Any) -> RecurrentStack:
    stack = RecurrentStack(cell, WIDTH, DIM, 3, **options).double()
    shake(stack)
    return stack


def inputs(rows: int = ROWS) -> Tensor:
    return torch.randn(rows, STEPS, WIDTH, dtype=torch.float64)


def state_of(cell: Cell, *before: int, rows: int = ROWS) -> Tensor:
    return torch.randn(*before, PARTS[cell], rows, DIM, dtype=torch.float64)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_a_layer_is_its_formula(cell: Cell, directions: Literal[1, 2]) -> None:
    layer, x, state = random_layer(cell, directions), inputs(2), state_of(cell, rows=2)
    y, final = layer(x, None, state)
    for row in range(2):
        first, *second = state[:, row].chunk(directions, dim=-1)
        outputs, last = by_hand.read(cell, layer.kernel, x[row], list(first))
        if second:
            back, back_last = by_hand.read(cell, layer.kernel, x[row].flip(0), list(second[0]), "_reverse")
            outputs = torch.cat([outputs, back.flip(0)], dim=-1)
            last = [torch.cat(pair) for pair in zip(last, back_last, strict=True)]
        torch.testing.assert_close(y[row], outputs)
        torch.testing.assert_close(final[:, row], torch.stack(last))


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", ["tanh", "relu", "lstm", "gru"])
@torch.no_grad()
def test_a_layer_is_the_module_of_pytorch(cell: Cell, directions: Literal[1, 2]) -> None:
    kinds: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU}
    options = {"batch_first": True, "bidirectional": directions == 2}
    theirs = (
        kinds[cell](WIDTH, DIM // directions, **options)
        if cell in kinds
        else nn.RNN(WIDTH, DIM // directions, nonlinearity=cell, **options)
    )
    layer, x = random_layer(cell, directions), inputs()
    theirs.double().load_state_dict(layer.kernel.state_dict())
    y, final = layer(x)
    expected, last = theirs(x)
    torch.testing.assert_close(y, expected)
    h = last[0] if cell == "lstm" else last
    torch.testing.assert_close(final[0], torch.cat(list(h), dim=-1))
    if cell == "lstm":
        torch.testing.assert_close(final[1], torch.cat(list(last[1]), dim=-1))


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_padding_changes_nothing(cell: Cell, directions: Literal[1, 2]) -> None:
    """What stands beyond a row's length is noise: neither outputs nor the last state know of it."""
    layer, x, state, sizes = random_layer(cell, directions), inputs(), state_of(cell), lengths(ROWS, STEPS)
    sizes[0] = 2
    y, final = layer(x, sizes, state)
    assert y.shape == (ROWS, STEPS, DIM)
    for row, n in enumerate(sizes.tolist()):
        alone, last = layer(x[row : row + 1, :n], None, state[:, row : row + 1])
        torch.testing.assert_close(y[row, :n], alone[0])
        torch.testing.assert_close(final[:, row], last[:, 0])
        assert bool((y[row, n:] == 0).all())


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_step_by_step_is_the_whole_sequence(cell: Cell, residual: bool) -> None:
    stack, x, state = random_stack(cell, residual=residual), inputs(), state_of(cell, 3)
    y, final = stack(x, None, state)
    projected = stack.project(x)
    for t in range(STEPS):
        stepped, state = stack.step(projected[:, t], state)
        torch.testing.assert_close(stepped, y[:, t])
    torch.testing.assert_close(state, final)


@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_a_state_continues_what_was_read(cell: Cell) -> None:
    stack, x = random_stack(cell), inputs()
    whole, final = stack(x)
    first, between = stack(x[:, :3])
    rest, last = stack(x[:, 3:], None, between)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole)
    torch.testing.assert_close(last, final)


@torch.no_grad()
def test_a_stack_is_layer_upon_layer() -> None:
    for residual in (False, True):
        stack, x = random_stack("gru", directions=2, residual=residual), inputs()
        one, two, three = stack.each()
        y = one(x)[0]
        for layer in (two, three):
            y = y + layer(y)[0] if residual else layer(y)[0]
        torch.testing.assert_close(stack(x)[0], y)


def test_dropout_is_on_the_input_of_each_layer_in_training_only() -> None:
    stack, x = RecurrentStack("gru", WIDTH, DIM, 2, dropout=0.5), torch.randn(ROWS, STEPS, WIDTH)
    seen: list[Tensor] = []
    for layer in stack.each():
        layer.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    stack.train()(x)
    assert all(0.05 < float((part == 0).double().mean()) < 0.95 for part in seen)
    assert torch.equal(stack.eval()(x)[0], stack(x)[0])


def test_reversed_rows_is_its_own_inverse_and_leaves_padding() -> None:
    sizes = lengths(ROWS, STEPS)
    for x in (inputs(), torch.randint(9, (ROWS, STEPS))):
        turned = reversed_rows(x, sizes)
        assert torch.equal(reversed_rows(turned, sizes), x)
        for row, n in enumerate(sizes.tolist()):
            assert torch.equal(turned[row, :n], x[row, :n].flip(0))
            assert torch.equal(turned[row, n:], x[row, n:])


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_the_start_forgets_nothing_and_turns_without_stretching(cell: Cell, directions: Literal[1, 2]) -> None:
    """An LSTM's forget gate starts at 1 (both biases together), U is orthogonal for each gate."""
    width = DIM // directions
    for name, parameter in RecurrentLayer(cell, WIDTH, DIM, directions).kernel.named_parameters():
        for number, gate in enumerate(parameter.detach().split(width)):
            if name.startswith("weight_hh"):
                torch.testing.assert_close(gate @ gate.T, torch.eye(width), rtol=1e-4, atol=1e-5)
            elif name.startswith("bias"):
                forget = cell == "lstm" and number == 1 and name.startswith("bias_ih")
                assert bool((gate == float(forget)).all())
            else:
                assert 0 < float(gate.abs().max()) <= (6 / (WIDTH + width)) ** 0.5


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_under_autocast_a_gated_state_stays_in_fp32(cell: Cell) -> None:
    """Products in bf16, but what is added up over many steps is not rounded to 8 bits."""
    layer = RecurrentLayer(cell, WIDTH, DIM)
    x, state = torch.randn(ROWS, WIDTH), torch.randn(PARTS[cell], ROWS, DIM)
    exact = layer.step(layer.project(x), state)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = layer.step(layer.project(x), state)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, exact, rtol=0.05, atol=0.05)


def test_halves_of_an_odd_width_are_refused() -> None:
    with pytest.raises(ValueError, match="dim=7"):
        RecurrentLayer("lstm", WIDTH, 7, 2)
