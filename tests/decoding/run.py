"""`search` with the tokens of these tests."""

from collections.abc import Sequence
from typing import Any

import torch
from tests.decoding.table import BEGIN, END, PAD

from jumok.decoding.search import Hypothesis, SearchOptions, search


def run(model: Any, max_lengths: Sequence[int], encoded: Any = None, **options: Any) -> list[list[Hypothesis]]:
    """Search with `options`; without `encoded`, sentence ``i`` of a table is its row ``i``."""
    prefixes, numbers = options.pop("prefixes", None), options.pop("numbers", None)
    return search(
        model,
        torch.arange(len(max_lengths)) if encoded is None else encoded,
        SearchOptions(**options),
        begin=BEGIN,
        end=END,
        pad=PAD,
        max_lengths=max_lengths,
        prefixes=prefixes,
        numbers=numbers,
    )
