"""``python -m benchmarks.recording``: what it costs to record attention, against the same forward pass without.

The base Transformer at length 64: all layers recorded, and one; pairs of passes in alternation, their median ratio.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks import report
from jumok.files import atomic_write
from jumok.insight.record import record
from jumok.models.transformer import Transformer, TransformerConfig
from jumok.tasks.inference import evaluating
from jumok.training.memory import keep_freed_memory

HERE = Path(__file__).parent
LENGTH, SENTENCES, PAIRS, WARM = 64, 8, 20, 3
WAYS = {"all layers": None, "one layer": "encoder.blocks.3.attention"}
Batch = tuple[Tensor, Tensor, Tensor]


def seconds(model: Transformer, batch: Batch, context: Callable[[], AbstractContextManager[Any]]) -> float:
    """One forced pass, without logits, inside a context."""
    started = time.perf_counter()
    with torch.inference_mode(), context():
        model.features(*batch)
    return time.perf_counter() - started


def pairs(model: Transformer, batch: Batch, layers: str | None) -> list[tuple[float, float]]:
    """Seconds without recording and with it, pass after pass."""
    with evaluating(model):
        taken = [
            (seconds(model, batch, nullcontext), seconds(model, batch, partial(record, model, layers)))
            for _ in range(WARM + PAIRS)
        ]
    return taken[WARM:]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording", description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, default=HERE, help="folder of recording.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    keep_freed_memory()
    torch.manual_seed(1)
    model = Transformer(TransformerConfig.preset("base", source_vocab=8000, target_vocab=8000))
    lengths = torch.full((SENTENCES,), LENGTH)
    batch = (torch.randint(4, 8000, (SENTENCES, LENGTH)), lengths, torch.randint(4, 8000, (SENTENCES, LENGTH)))
    rows = []
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        model = model.to(dtype)
        for way, layers in WAYS.items():
            taken = pairs(model, batch, layers)
            ratio = statistics.median(after / before for before, after in taken)
            before, after = (1000 * statistics.median(times) for times in zip(*taken, strict=True))
            rows.append(
                {"recorded": way, "precision": precision, "ratio": ratio, "without_ms": before, "with_ms": after}
            )
            print(f"{way:10} {precision}: {ratio:.2f} x ({before:.0f} ms without, {after:.0f} ms with)", flush=True)
    about = {
        "sentences": SENTENCES,
        "length": LENGTH,
        "pairs": PAIRS,
        "model": "base",
        "pass": "forced, without logits",
    }
    values = about | {"rows": rows, "surroundings": report.surroundings(asked.threads, "cpu")}
    atomic_write(asked.results / "recording.json", json.dumps(values, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
