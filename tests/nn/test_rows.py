"""Rows of a batch and their gradient."""

import torch

from jumok.nn.rows import take_rows


def test_equals_indexing_in_value_and_gradient() -> None:
    x = torch.randn(11, 3, requires_grad=True)
    rows = torch.randperm(11)[:7]
    weights = torch.randn(7, 3)
    (take_rows(x, rows) * weights).sum().backward()
    ours, x.grad = x.grad, None
    (x[rows] * weights).sum().backward()
    torch.testing.assert_close(take_rows(x, rows), x[rows])
    torch.testing.assert_close(ours, x.grad)
