import random

import torch
from torch import nn

from jumok.training.average import MovingAverage, mean


def test_the_moving_average_is_the_closed_form() -> None:
    """Unrolled: the average after T steps is the sum of each step's weights times (1 - d_t) and all later d."""
    decay, steps = random.uniform(0.5, 0.999), random.randint(3, 40)
    model = nn.Linear(3, 2).double()
    start = model.weight.detach().clone()
    average, seen = MovingAverage(model, decay), []
    for step in range(1, steps + 1):
        with torch.no_grad():
            model.weight.copy_(torch.randn(2, 3))
        seen.append(model.weight.detach().clone())
        average.update(model, step)
    decays = [min(decay, (1 + t) / (10 + t)) for t in range(1, steps + 1)]
    expected = start * torch.tensor(decays, dtype=torch.double).prod()
    for t, weights in enumerate(seen):
        expected += weights * (1 - decays[t]) * torch.tensor(decays[t + 1 :], dtype=torch.double).prod()
    torch.testing.assert_close(average.model.get_parameter("weight").detach(), expected)
    assert not average.model.training


def test_the_moving_average_moves_statistics_copies_counts_and_keeps_ties() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    average = MovingAverage(model, 0.9)
    model(torch.randn(8, 4))
    average.update(model, 1)
    share = 1 - 2 / 11
    torch.testing.assert_close(average.model.get_buffer("1.running_mean"), share * model[1].running_mean)
    assert torch.equal(average.model.get_buffer("1.num_batches_tracked"), model[1].num_batches_tracked)
    assert average.model.get_parameter("2.weight") is average.model.get_parameter("0.weight")


def test_the_mean_is_the_mean() -> None:
    count = random.randint(2, 9)
    members = [{"a": torch.randn(5, 3) * 100, "n": torch.tensor(i)} for i in range(count)]
    result = mean(iter(members))
    expected = torch.stack([member["a"] for member in members]).double().mean(0).float()
    torch.testing.assert_close(result["a"], expected)
    assert result["a"].dtype == torch.float32
    assert result["n"] == count - 1
