"""The C allocator's manners on a CPU."""

import ctypes
from contextlib import suppress
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h


@cache
def keep_freed_memory() -> None:
    """Let glibc keep freed blocks instead of handing them back, so that the next step finds its pages already there.

    Otherwise every temporary of more than 32 MiB is mapped, zeroed by the kernel page by page and unmapped again, and
    threads wait for each other while it happens (docs/log.md).
    """
    with suppress(OSError, AttributeError):  # other C libraries have no mallopt, and need none
        libc = ctypes.CDLL(None)
        for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            libc.mallopt(option, 2**31 - 1)
