"""Devices, processes and threads: Fabric set up from the options, and what several processes do together.

Every process runs the whole program (`--devices 2` starts the others as torchrun would), so what happens before
`start` must be the same in each; files are written by the first one alone.
"""

import atexit
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor

from jumok.errors import UserError
from jumok.training.memory import keep_freed_memory
from jumok.training.options import TrainingOptions

P = ParamSpec("P")
T = TypeVar("T")

_memory: Any = torch.utils.deterministic  # its one setting is a property that type checkers do not see

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}


def device_type(options: TrainingOptions) -> str:
    """``"cpu"`` or ``"cuda"``. Raises `UserError` if the device asked for, or so many of them, are not there."""
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if options.device == "cuda" and not found:
        raise UserError("training.device = cuda, but torch sees no GPU; set training.device=cpu")
    chosen = "cuda" if found and options.device != "cpu" else "cpu"
    if chosen == "cuda" and options.devices > found:
        raise UserError(f"training.devices = {options.devices}, but this machine has {found} GPU(s)")
    return chosen


def start(options: TrainingOptions, precision: str, threads: int | None) -> Fabric:
    """Fabric, launched: from here on there are as many processes as devices, in agreement.

    Under torchrun the number of processes and machines is torchrun's; otherwise it is ``devices`` on this machine.
    `threads` is per process; None shares the cores out, since processes that fight for cores spend their time spinning.
    """
    kind = device_type(options)
    local = int(os.environ["LOCAL_WORLD_SIZE"]) if torch.distributed.is_torchelastic_launched() else options.devices
    machines = int(os.environ["WORLD_SIZE"]) // local if torch.distributed.is_torchelastic_launched() else 1
    several = local * machines > 1
    if several and kind == "cpu":  # for the processes about to start: wait asleep, not spinning
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        os.environ.setdefault("GOMP_SPINCOUNT", "0")
    share = threads or max(1, torch.get_num_threads() // local if kind == "cpu" else torch.get_num_threads())
    fabric = Fabric(
        accelerator=kind,
        strategy="ddp" if several else "auto",
        devices=local,
        num_nodes=machines,
        precision="bf16-mixed" if precision == "bf16-mixed" else "32-true",
    )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # not a line per process about processes
    fabric.launch()
    if several:
        # weights of 1x1 convolutions: their strides differ in sides of one pixel, which means nothing
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        # gloo's threads still hold tensors: freed after the interpreter has ended, they abort the process
        atexit.register(leave)
    if kind == "cpu":
        keep_freed_memory()
    torch.set_num_threads(share)
    return fabric


def leave() -> None:
    """Leave the group of processes, if there is one."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def first_only(fabric: Fabric, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of ``action(...)``, run in the first process alone and sent to the others.

    A `UserError` of it is raised there; the others end quietly, with success, because Fabric kills the first
    process when another one fails, and it still has the message to print.
    """
    result: T | None = None
    error: UserError | None = None
    if fabric.is_global_zero:
        try:
            result = action(*args, **kwargs)
        except UserError as caught:
            error = caught
    result, failed = fabric.broadcast((result, error is not None))
    if error is not None:
        raise error
    if failed:
        raise SystemExit(0)
    return result  # type: ignore[return-value]  # not failed, so it is action's T


def gather(fabric: Fabric, value: T) -> list[T]:
    """The values of all processes, in their order."""
    if fabric.world_size == 1:
        return [value]
    values: list[T | None] = [None] * fabric.world_size
    torch.distributed.all_gather_object(values, value)
    return [one for one in values if one is not None]


def gathered(rows: Tensor) -> tuple[Tensor, int]:
    """Rows (N, ...) of all processes in their order, with gradient, and the place where this process's own begin.

    Every process has to call it, if only with no rows. Summed over the processes, the gradient is that of the whole.
    """
    if not torch.distributed.is_initialized() or torch.distributed.get_world_size() == 1:
        return rows, 0
    sizes = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(sizes, torch.tensor([len(rows)], device=rows.device))
    counts = [int(size) for size in sizes]
    padded = torch.cat([rows, rows.new_zeros(max(counts) - len(rows), *rows.shape[1:])])
    parts = _Gather.apply(padded)  # type: ignore[no-untyped-call]
    together = torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])
    return together, sum(counts[: torch.distributed.get_rank()])


class _Gather(torch.autograd.Function):
    """``all_gather`` whose gradient is the sum of what every process has for each part."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather(parts, rows.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous()
        torch.distributed.all_reduce(total)
        return total[torch.distributed.get_rank()]


@contextmanager
def deterministic(kind: str) -> Iterator[None]:
    """On the CPU, where it costs next to nothing, torch's operators inside add up in one fixed order."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = _memory.fill_uninitialized_memory
    if kind == "cpu":
        torch.use_deterministic_algorithms(True, warn_only=True)
        _memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        _memory.fill_uninitialized_memory = filled
