"""Loading: every process its own batches in the order of its turns, whoever loads them."""

import pytest
import torch
from tests.training.toy import ToyTask

from jumok.training.loading import deal, loaded, processes_to_load


@pytest.mark.parametrize(("accumulate", "world"), [(1, 1), (3, 1), (1, 2), (2, 3)])
def test_batches_are_dealt_as_the_loop_takes_them(accumulate: int, world: int) -> None:
    batches = [[n] for n in range(11)]
    hands = [deal(batches, accumulate, rank, world) for rank in range(world)]
    assert len({len(hand) for hand in hands}) == 1  # nobody is left waiting for a gradient
    real = sorted({n for hand in hands for (n,) in hand})
    assert real == list(range(11))
    if world == 1:
        assert hands[0] == batches
    # the second step's batches, in turn
    start = accumulate * world
    assert [hand[accumulate] for hand in hands] == [batches[min(start + rank, 10)] for rank in range(world)]


def test_a_process_without_a_batch_takes_the_first_of_the_step() -> None:
    assert deal([[0], [1], [2]], 1, 1, 2) == [[1], [2]]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_same_batches_whoever_loads_them_and_no_random_number_is_spent(workers: int) -> None:
    task = ToyTask()
    batches = task.batches(1)
    before = torch.random.get_rng_state()
    found = list(loaded(task, 1, batches[3:], workers))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [list(batch.indices) for batch in found] == batches[3:]
    for batch, indices in zip(found, batches[3:], strict=True):
        assert torch.equal(batch.inputs, ToyTask().load(indices, 1).inputs)


def test_a_cpu_that_trains_has_no_core_to_load() -> None:
    assert processes_to_load(None, "cpu") == 0
    assert processes_to_load(None, "cuda") >= 1
    assert processes_to_load(3, "cpu") == 3
