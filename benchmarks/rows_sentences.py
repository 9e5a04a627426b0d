"""The rows of sentence vectors: the model alone, and from text to vectors."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.harness import compare, running
from benchmarks.rows import Bench, Values, row


def embed(bench: Bench) -> Iterator[tuple[str, Values]]:
    """The same weights on the same sentences, sorted by length, in batches of one size; each side in its fastest."""
    plan = bench.plan
    common: dict[str, Any] = {
        "sentence_model": plan.sentence_model, "sentences": plan.embedded, "batch": plan.embedded_batch,
        "vocabulary": plan.sentence_vocabulary,
    }  # fmt: skip
    with running(bench.side("sentences_folder", (), **common)):
        pass
    for key, part in (("embed", "bare"), ("embed-whole", "whole")):
        settings = common | {"part": part}
        ours, ours_tried = bench.best(
            key, [bench.side("sentences_jumok", ("precision",), precision=p, **settings) for p in ("fp32", "bf16")]
        )
        shown = ("precision", "attention")
        peer, peer_tried = bench.best(
            f"{key}, the peer",
            [
                bench.side("sentences_peers", shown, precision=p, attention=attention, **settings)
                for p in ("fp32", "bf16")
                for attention in ("sdpa", "eager")
            ],
        )
        (comparison,), versions = compare(ours, [peer], plan.rounds)
        tried: dict[str, Any] = {"ours_tried": ours_tried, "peer_tried": peer_tried}
        if part == "whole":
            tried["vectors_differ_by"] = _difference(bench, settings)
        note = f"{plan.embedded:,} sentences a turn, sorted by length, batches of {plan.embedded_batch}."
        yield key, row(comparison, ours, peer, versions, data="random words", note=note, **tried)


def _difference(bench: Bench, settings: dict[str, Any]) -> float:
    """The largest difference between vectors of both sides in fp32: they compute the same."""
    found = []
    for module in ("sentences_jumok", "sentences_peers"):
        with running(bench.side(module, (), precision="fp32", attention="sdpa", **settings)) as worker:
            found.append(np.array(worker.turn()["outputs"]))
    return float(np.abs(found[0] - found[1]).max())


MEASURES: dict[str, Callable[[Bench], Iterator[tuple[str, Values]]]] = {"embed": embed}
