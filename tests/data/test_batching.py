"""Batches: every pair once, never over the budget, always the same for the same arguments."""

import time
from collections import Counter

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jumok.data.batching import collate, largest, pad, shard, token_batches
from jumok.data.tokenizer import BEGIN, END, PAD

LENGTHS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=120)


@given(LENGTHS, st.integers(1, 300), st.integers(-(2**70), 2**70), st.integers(0, 50))
def test_every_pair_once_and_within_the_budget(
    lengths: list[tuple[int, int]], budget: int, seed: int, epoch: int
) -> None:
    source, target = [s for s, _ in lengths], [t for _, t in lengths]
    batches = token_batches(source, target, budget=budget, seed=seed, epoch=epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert batch
        if len(batch) > 1:
            assert len(batch) * max(target[i] + 1 for i in batch) <= budget
            assert len(batch) * max(source[i] for i in batch) <= 1.5 * budget


def corpus(count: int = 29_000) -> tuple[list[int], list[int]]:
    # typical sentences: log-normal lengths, the two sides correlated
    rng = np.random.default_rng(7)
    target = np.exp(rng.normal(2.55, 0.37, count)).astype(int) + 2
    source = np.maximum((target * np.exp(rng.normal(0, 0.16, count))).astype(int), 1)
    return source.tolist(), target.tolist()


def test_typical_sentences_waste_little_and_take_little_time() -> None:
    source, target = corpus()
    started = time.process_time()
    batches = token_batches(source, target, budget=4096, seed=1, epoch=0)
    assert time.process_time() - started < 0.3
    padded = sum(len(b) * (max(source[i] for i in b) + max(target[i] + 1 for i in b)) for b in batches)
    assert 1 - (sum(source) + sum(target) + len(target)) / padded < 0.07


def test_same_arguments_same_batches_other_epochs_other_batches() -> None:
    source, target = corpus(3000)
    state = torch.get_rng_state()
    first = token_batches(source, target, budget=512, seed=1, epoch=0)
    assert token_batches(source, target, budget=512, seed=1, epoch=0) == first
    assert torch.equal(torch.get_rng_state(), state)
    for seed, epoch in [(1, 1), (2, 0)]:
        other = token_batches(source, target, budget=512, seed=seed, epoch=epoch)
        shared = {frozenset(batch) for batch in first} & {frozenset(batch) for batch in other}
        assert len(shared) < len(first) / 10  # not merely another order of the same batches


def test_the_order_of_batches_does_not_follow_length() -> None:
    source, target = corpus(3000)
    batches = token_batches(source, target, budget=512, seed=3, epoch=0)
    means = [np.mean([target[i] for i in batch]) for batch in batches]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.4


@given(LENGTHS.filter(bool))
def test_the_largest_batch_has_no_rival_larger_on_both_sides(lengths: list[tuple[int, int]]) -> None:
    source, target = [s for s, _ in lengths], [t for _, t in lengths]
    batches = token_batches(source, target, budget=100, seed=0, epoch=0)
    chosen = largest(batches, source, target)
    assert chosen in batches

    def size(batch: list[int]) -> tuple[int, int, int]:
        return len(batch), max(source[i] for i in batch), max(target[i] for i in batch)

    best = size(chosen)
    assert not any(all(a > b for a, b in zip(size(batch), best, strict=True)) for batch in batches)


@settings(max_examples=60)
@given(LENGTHS.filter(bool), st.integers(1, 5), st.integers(1, 4))
def test_processes_share_each_step_evenly(lengths: list[tuple[int, int]], world: int, accumulate: int) -> None:
    source, target = [s for s, _ in lengths], [t for _, t in lengths]
    batches = token_batches(source, target, budget=100, seed=0, epoch=0)
    shares = [shard(batches, rank, world, accumulate) for rank in range(world)]
    whole = shard(batches, 0, 1, accumulate * world)
    assert len({len(share) for share in shares}) == 1
    for step, steps in enumerate(zip(*shares, strict=True)):
        assert len({len(batches) for batches in steps}) == 1
        assert len(steps[0]) <= accumulate
        # one process that accumulates over as many batches sees the same sentences in that step
        dealt = Counter(i for batches in steps for batch in batches for i in batch)
        assert dealt == Counter(i for batch in whole[step] for i in batch)
        if sum(dealt.values()) >= world * len(steps[0]):
            assert all(batch for batches in steps for batch in batches)


@given(st.lists(st.lists(st.integers(4, 900), max_size=9), min_size=1, max_size=8))
def test_padding_keeps_rows(rows: list[list[int]]) -> None:
    padded, lengths = pad(rows)
    assert padded.dtype == lengths.dtype == torch.int64
    assert padded.shape == (len(rows), max(1, *map(len, rows), 1))
    assert [row[:length].tolist() for row, length in zip(padded, lengths, strict=True)] == rows
    assert all((row[length:] == PAD).all() for row, length in zip(padded, lengths, strict=True))


def test_a_batch_shifts_the_target_by_one() -> None:
    batch = collate([[5, 6, 7], [8]], [[9], [10, 11]], [42, 3])
    assert batch.source.tolist() == [[5, 6, 7], [8, PAD, PAD]]
    assert batch.source_lengths.tolist() == [3, 1]
    assert batch.target.tolist() == [[BEGIN, 9, PAD], [BEGIN, 10, 11]]
    assert batch.labels.tolist() == [[9, END, PAD], [10, 11, END]]
    assert batch.target_lengths.tolist() == [2, 3]
    assert batch.tokens == 5
    moved = batch.to("meta")
    assert moved.source.device.type == "meta"
    assert moved.indices.shape == (2,)
