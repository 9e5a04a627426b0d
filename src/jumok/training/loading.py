"""Batches loaded in the order of their turns, by the training process itself or ahead of it by others."""

import os
import signal
import warnings
from collections.abc import Iterator, Sequence
from typing import Generic, cast

import torch
from torch.utils.data import DataLoader, Dataset

from jumok.training.task import B, Task

MOST = 8  # processes; more than a GPU's share of cores


def deal(batches: Sequence[list[int]], accumulate: int, rank: int, world: int) -> list[list[int]]:
    """What process `rank` of `world` loads for these batches, `accumulate` turns to a step.

    A step's batches are dealt out in turn; who gets none in the last turn of all loads the step's first (see the loop).
    """
    mine: list[list[int]] = []
    for start in range(0, len(batches), accumulate * world):
        dealt = batches[start : start + accumulate * world]
        share = list(dealt[rank::world])
        mine += share + [dealt[0]] * (-(-len(dealt) // world) - len(share))
    return mine


def loaded(task: Task[B], epoch: int, batches: Sequence[list[int]], workers: int) -> Iterator[B]:
    """``task.load(batch, epoch)`` of each batch in turn; with `workers`, that many processes load ahead.

    `load` is a pure function, so who calls it changes nothing, and a resumed run begins in the middle of an epoch.
    """
    with warnings.catch_warnings():
        # more processes than cores slow a training down, but change nothing in it
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        return cast(Iterator[B], iter(_loader(task, epoch, batches, workers)))


def _loader(task: Task[B], epoch: int, batches: Sequence[list[int]], workers: int) -> "DataLoader[B]":
    return DataLoader(
        _Loads(task, epoch, batches),
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,
        worker_init_fn=_worker if workers else None,
        multiprocessing_context="fork" if workers else None,  # what is decoded already is shared, not copied
        generator=torch.Generator(),  # its own: it draws a number, and training must not notice
    )


def processes_to_load(asked: int | None, device: str) -> int:
    """How many processes load ahead: on a CPU none, for they would take the cores that train."""
    if asked is not None:
        return asked
    return 0 if device == "cpu" else min(MOST, max(1, (os.cpu_count() or 1) - 1))


class _Loads(Dataset[B], Generic[B]):
    def __init__(self, task: Task[B], epoch: int, batches: Sequence[list[int]]) -> None:
        self.task, self.epoch, self.batches = task, epoch, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, turn: int) -> B:
        return self.task.load(self.batches[turn], self.epoch)


def _as_it_is(batch: B) -> B:
    return batch


def _worker(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the training one decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
