"""The random states of a process, seeded, captured and restored.

Only python's, torch's and (where something imported it) numpy's global generators are meant. What belongs to one
sample - augmentation, subword sampling - is seeded by (seed, epoch, index) in the task and needs no state.
"""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def seed_all(seed: int) -> None:
    """Seed python, numpy (if imported) and torch on every device."""
    random.seed(seed)
    torch.manual_seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)


def capture(device: torch.device) -> dict[str, Any]:
    """The random states of this process as JSON values."""
    version, words, gauss = random.getstate()
    states: dict[str, Any] = {"python": [version, list(words), gauss], "cpu": _text(torch.get_rng_state())}
    if device.type == "cuda":
        states["cuda"] = _text(torch.cuda.get_rng_state(device))
    if "numpy" in sys.modules:
        name, keys, position, has_gauss, cached = sys.modules["numpy"].random.get_state()
        states["numpy"] = [name, keys.tolist(), int(position), int(has_gauss), float(cached)]
    return states


def restore(states: dict[str, Any], device: torch.device) -> None:
    """Put back what `capture` returned."""
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    torch.set_rng_state(_bytes(states["cpu"]))
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(_bytes(states["cuda"]), device)
    if "numpy" in states:
        import numpy

        name, keys, position, has_gauss, cached = states["numpy"]
        numpy.random.set_state((name, numpy.array(keys, dtype=numpy.uint32), position, has_gauss, cached))


@contextmanager
def untouched(device: torch.device) -> Iterator[None]:
    """What runs inside draws what it likes; afterwards the random states are as before."""
    states = capture(device)
    try:
        yield
    finally:
        restore(states, device)


def _text(state: torch.Tensor) -> str:
    return state.numpy().tobytes().hex()


def _bytes(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
