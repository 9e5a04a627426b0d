"""The output layer of classes that are made of parts: it is a linear layer, and parts are shared."""

import pytest
import torch
from torch.nn import functional as F

from jumok.nn.composed import ComposedLinear

TABLE = [[0, 0], [1, 3], [2, 3], [2, 0]]


@pytest.fixture
def layer() -> ComposedLinear:
    torch.manual_seed(1)
    made = ComposedLinear(5, 4, parts=3, most=2)
    made.make_of(torch.tensor(TABLE))
    return made


def test_it_is_the_linear_layer_of_its_sums(layer: ComposedLinear) -> None:
    x = torch.randn(2, 3, 5)
    weight = layer.own.detach().clone()
    for row, parts in enumerate(TABLE):
        for part in parts:
            weight[row] += layer.parts.weight.detach()[part] if part else 0.0
    torch.testing.assert_close(layer(x), F.linear(x, weight, layer.bias))
    torch.testing.assert_close(layer.weight, weight)


def test_classes_that_share_a_part_learn_from_each_other(layer: ComposedLinear) -> None:
    x = torch.randn(5)
    before = layer(x).detach()
    loss = -layer(x)[1]  # only the class of parts 1 and 3 is taught
    loss.backward()
    with torch.no_grad():
        for parameter in layer.parameters():
            assert parameter.grad is not None
            parameter.sub_(0.1 * parameter.grad)
    change = (layer(x) - before).detach()
    square = float(x @ x)
    # its own vector, two parts and the bias; a class that shares part 3; one that shares none; one without parts
    torch.testing.assert_close(change, torch.tensor([0.0, 0.1 * (3 * square + 1), 0.1 * square, 0.0]))


def test_no_part_is_nothing_whatever_is_learned(layer: ComposedLinear) -> None:
    assert not layer.parts.weight[0].any()
    layer(torch.randn(5)).sum().backward()
    assert layer.parts.weight.grad is not None
    assert not layer.parts.weight.grad[0].any()


def test_the_table_is_stored_with_the_weights(layer: ComposedLinear) -> None:
    other = ComposedLinear(5, 4, parts=3, most=2)
    other.load_state_dict(layer.state_dict())
    x = torch.randn(5)
    torch.testing.assert_close(other(x), layer(x))


@pytest.mark.parametrize("table", [[[0, 0]], [[0, 0, 0]] * 4, [[0, 4]] * 4, [[-1, 0]] * 4])
def test_a_wrong_table_is_refused(layer: ComposedLinear, table: list[list[int]]) -> None:
    before = layer.table.clone()
    with pytest.raises(ValueError, match=r"this layer has \[4, 2\] and 3 parts"):
        layer.make_of(torch.tensor(table))
    assert torch.equal(layer.table, before)
