"""The rows of words and images: drawing words, reading them, captioning."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from benchmarks.harness import Comparison, Side, compare, running
from benchmarks.plan import Writing
from benchmarks.rows import Bench, Values, row

RANDOM = {"data": "random images"}


def render(bench: Bench) -> Iterator[tuple[str, Values]]:
    """The same words in the same fonts of this system: with everything on, and by Pillow alone, black on white."""
    plan = bench.plan
    for key, script in (("render", "latin"), ("render-hangul", "hangul")):
        ours, peer = (
            bench.side(
                module, ("processes",), processes=bench.threads, words=plan.rendered, fonts=plan.fonts, script=script
            )
            for module in ("render_jumok", "render_pillow")
        )
        with running(ours) as worker:
            fonts = worker.turn()["fonts"]
        (comparison,), versions = compare(ours, [peer], plan.rounds)
        note = f"{plan.rendered:,} words a turn in {fonts} fonts of this system that have the letters, drawn by lot."
        yield key, row(comparison, ours, peer, versions, data="random words", note=note)


def read(bench: Bench) -> Iterator[tuple[str, Values]]:
    """A head that reads at once against its own encoder; a decoder against transformers' of the same weights."""
    plan = bench.plan
    job = {"job": asdict(plan.ctc), "part": "whole"}
    ours, tried = bench.best(
        "read-ctc", [bench.side("read_ctc", ("precision",), precision=p, **job) for p in ("fp32", "bf16")]
    )
    peer = Side(ours.module, ours.settings | {"part": "encoder"}, shown=("part", "precision"))
    (comparison,), versions = compare(ours, [peer], plan.rounds)
    batch = 1000 * plan.ctc.batch
    times = Comparison([batch / rate for rate in comparison.ours], [batch / rate for rate in comparison.peer])
    yield "read-ctc", row(times, ours, peer, versions, ours_tried=tried, **RANDOM)
    yield from _write(bench, "reader", plan.reader, {"read": "whole"})


def caption(bench: Bench) -> Iterator[tuple[str, Values]]:
    """Encoder and decoder, then the decoder alone on what its encoder has seen before the clock starts."""
    yield from _write(bench, "captioner", bench.plan.captioner, {"caption": "whole", "caption-decoder": "decoder"})


def _write(bench: Bench, name: str, job: Writing, parts: dict[str, str]) -> Iterator[tuple[str, Values]]:
    common: dict[str, Any] = {"name": name, "job": asdict(job), "outputs": False}
    with running(bench.side("image_text_folder", (), **common)):
        pass
    equal = _equal_outputs(bench, common)
    shown = ("precision", "attention", "decoder")
    for key, part in parts.items():
        settings = common | {"part": part}
        ours, ours_tried = bench.best(
            key, [bench.side("image_text_jumok", shown[:1], precision=p, **settings) for p in ("fp32", "bf16")]
        )
        peer, peer_tried = bench.best(
            f"{key} of transformers",
            [
                bench.side(
                    "image_text_transformers", shown, precision=p, attention=attention, decoder=decoder, **settings
                )
                for p in ("fp32", "bf16")
                for attention in ("sdpa", "eager")
                for decoder in ("gpt2", "trocr")
            ],
        )
        (comparison,), versions = compare(ours, [peer], bench.plan.rounds)
        more = {"ours_tried": ours_tried, "peer_tried": peer_tried, "greedy_equal": equal}
        note = f"Batches of {job.batch}, {job.tokens} tokens an image; the peer's gpt2 has the weights of ours."
        yield key, row(comparison, ours, peer, versions, note=note, **more, **RANDOM)


def _equal_outputs(bench: Bench, common: dict[str, Any]) -> str:
    """Greedy in fp32, of one batch: on how many images the peer writes what we write, and how many outputs differ."""
    job = common["job"]
    settings = common | {"job": job | {"batches": 1}, "part": "whole", "outputs": True, "precision": "fp32"}
    found = []
    for side in (
        bench.side("image_text_jumok", (), **settings),
        bench.side("image_text_transformers", (), attention="eager", decoder="gpt2", **settings),
    ):
        with running(side) as worker:
            # the last token is the end
            found.append([tuple(tokens[: job["tokens"] - 1]) for tokens in worker.turn()["outputs"]])
    equal = sum(a == b for a, b in zip(*found, strict=True))
    return f"{equal} of {len(found[0])} images ({len(set(found[0]))} different outputs)"


MEASURES: dict[str, Callable[[Bench], Iterator[tuple[str, Values]]]] = {
    "render": render,
    "read": read,
    "caption": caption,
}
