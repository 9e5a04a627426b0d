"""Random numbers of one sample, as a pure function of (seed, epoch, stage, index); whole batches at once."""

import hashlib
from collections.abc import Sequence

import numpy as np

Draws = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Words = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def draws(seed: int, epoch: int, stage: str, indices: Sequence[int], count: int) -> Draws:
    """`count` numbers in [0, 1) for each of `indices`, (B, count), from the generator SplitMix64 (Steele et al. 2014).

    Each sample has its own stream, so its numbers depend on no neighbour; each `stage` of augmentation has its own
    too, so switching one on leaves the others as they were.
    """
    key = hashlib.blake2b(f"{seed} {epoch} {stage}".encode(), digest_size=8).digest()
    starts = _scramble(np.asarray(indices, dtype=np.uint64) ^ np.frombuffer(key, dtype="<u8"))
    states = starts[:, None] + _GOLDEN * np.arange(1, count + 1, dtype=np.uint64)
    numbers: Draws = (_scramble(states) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers


def _scramble(state: Words) -> Words:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: Words = state ^ (state >> np.uint64(31))
    return result
