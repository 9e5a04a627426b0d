"""The rows of the results: which sides, which work, which comparison."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.harness import Comparison, Failed, Side, compare, fastest, median, running
from benchmarks.plan import Plan
from jumok.data.tokenizer import SPECIALS

Values = dict[str, Any]


@dataclass
class Bench:
    """What is common to all rows of one call."""

    plan: Plan
    work: Path
    threads: int
    device: str
    joeynmt: str | None
    say: Callable[[str], None]
    _winners: dict[str, tuple[Side, dict[str, float]]] = field(default_factory=dict)
    _peaks: dict[str, float] = field(default_factory=dict)

    def side(self, module: str, shown: tuple[str, ...], **settings: Any) -> Side:
        common = {"work": str(self.work), "threads": self.threads, "device": self.device}
        return Side(module, common | settings, shown=shown)

    def decoder(self, module: str, shown: tuple[str, ...], **settings: Any) -> Side:
        plan = self.plan
        common = {"sentences": plan.sentences, "tokens": plan.tokens, "beam": plan.beam, "specials": SPECIALS}
        options = {"single": False, "outputs": False, "warm": True}
        return self.side(module, shown, **(common | options | settings))

    def convert(self) -> None:
        """Write CTranslate2's folders, in a process of its own: one that decodes is measured for its memory."""
        for precision in _types(self):
            if not (self.work / f"ctranslate2-{precision}").exists():
                with running(self.side("convert_ctranslate2", (), precision=precision)):
                    pass

    def peak(self, precision: str) -> float:
        """Operations a second of large matrix products in this precision."""
        if precision not in self._peaks:
            with running(self.side("peak", ("precision",), precision=precision)) as worker:
                self._peaks[precision] = max(worker.rate() for _ in range(3))
        return self._peaks[precision]

    def best(self, kind: str, sides: list[Side]) -> tuple[Side, dict[str, float]]:
        """The fastest of these, found once."""
        if kind not in self._winners:
            self._winners[kind] = fastest(sides, self.say)
        return self._winners[kind]


def row(comparison: Comparison, ours: Side, peer: Side, versions: dict[str, str], **more: Any) -> Values:
    """The figures of one comparison, as they go into results.json."""
    ratios = comparison.ratios
    return {
        "ours": median(comparison.ours),
        "peer": median(comparison.peer),
        "ratio": median(ratios),
        "ratios": ratios,
        "ours_settings": ours.name,
        "peer_settings": f"{peer.module.split('_')[-1]} {peer.name}",
        "versions": versions,
    } | more


def train(bench: Bench) -> Iterator[tuple[str, Values]]:
    """Same batches, same sizes, same precision."""
    from benchmarks.work import matrix_work, read, read_batches

    batches, sizes = read_batches(str(bench.work)), read(str(bench.work), "sizes")
    tokens = sum(batch.tokens for batch in batches)
    # a backward pass is twice a forward pass
    work = 3 * sum(matrix_work(sizes, int(b.source_lengths.sum()), b.tokens) for b in batches) / tokens
    shown = ("precision", "compiled", "attention")

    def sides(precision: str, compiled: bool, *attentions: str) -> tuple[Side, list[Side]]:
        ours = bench.side("train_jumok", shown[:2], precision=precision, compiled=compiled)
        return ours, [
            bench.side("train_marian", shown, precision=precision, compiled=compiled, attention=attention)
            for attention in attentions
        ]

    cases = [(("train", "train-eager"), *sides("bf16", False, "sdpa", "eager"))]
    if bench.device == "cuda":
        cases += [(("train-fp32",), *sides("fp32", False, "sdpa")), (("train-compiled",), *sides("bf16", True, "sdpa"))]
    for names, ours, peers in cases:
        comparisons, versions = compare(ours, peers, bench.plan.rounds)
        peak = bench.peak(ours.settings["precision"])
        for name, comparison, peer in zip(names, comparisons, peers, strict=True):
            shares = {
                "ours_peak_share": median(comparison.ours) * work / peak,
                "peer_peak_share": median(comparison.peer) * work / peak,
            }
            yield name, row(comparison, ours, peer, versions, **shares)


def joey(bench: Bench) -> Iterator[tuple[str, Values]]:
    """Each in its own loader and loop: JoeyNMT in fp32, Jumok in what `auto` is here; a Transformer, then an LSTM."""
    from benchmarks.work import read

    if bench.joeynmt is None:
        raise Failed("no --joeynmt PYTHON was given: benchmarks/joeynmt/install.sh FOLDER makes that environment")
    _write_words(bench.work, read(str(bench.work), "pairs"), read(str(bench.work), "sizes")["target_vocab"])
    plan = bench.plan
    common = {"work": str(bench.work), "batch_tokens": plan.batch_tokens}
    cases: tuple[tuple[str, str, Values, Values], ...] = (
        ("joey", "transformer", plan.model, {}),
        (
            "joey-recurrent",
            "recurrent",
            plan.recurrent | {"half": plan.recurrent["dim"] // 2},
            {"recurrent": plan.recurrent},
        ),
    )
    for name, model, values, more in cases:
        ours = bench.side("train_jumok", ("precision", "compiled"), precision="auto", compiled=False, **more)
        side = bench.side("train_joeynmt", (), model=model, values=common | values, steps=plan.steps)
        peer = Side(side.module, side.settings, python=bench.joeynmt)
        (comparison,), versions = compare(ours, [peer], max(plan.rounds - 1, 1))
        yield name, row(comparison, ours, peer, versions)


def decode(bench: Bench) -> Iterator[tuple[str, Values]]:
    """All sentences at once, the fastest setting of each side."""
    plan = bench.plan
    bench.convert()
    equal = _equal_outputs(bench)
    ours, ours_tried = bench.best("ours", _ours(bench))
    exact = [side for side in _ours(bench) if side.settings["precision"] == "fp32" and side.name in ours_tried]
    ours32 = max(exact, key=lambda side: ours_tried[side.name], default=ours)
    quick, quick_tried = bench.best("ctranslate2", _ctranslate2(bench))
    other, other_tried = bench.best("transformers", _transformers(bench))
    more = {"greedy_equal": equal, "ours_tried": ours_tried}
    (first, second), versions = compare(ours, [quick, other], plan.rounds)
    yield "decode-ctranslate2", row(first, ours, quick, versions, peer_tried=quick_tried, **more)
    yield "decode-transformers", row(second, ours, other, versions, peer_tried=other_tried, **more)
    if ours32 != ours:
        (third,), versions = compare(ours32, [quick], plan.rounds)
        yield "decode-fp32", row(third, ours32, quick, versions, peer_tried=quick_tried)


def single(bench: Bench) -> Iterator[tuple[str, Values]]:
    """One sentence at a time: how long a person waits."""
    bench.convert()
    alone = {"single": True, "sentences": bench.plan.single, "batch": 1}
    shown = ("precision",)
    ours, ours_tried = fastest(
        [bench.decoder("decode_jumok", shown, precision=precision, **alone) for precision in _precisions(bench)],
        bench.say,
    )
    peer, peer_tried = fastest(
        [
            bench.decoder("decode_ctranslate2", ("precision", "intra"), precision=p, inter=1, intra=intra, **alone)
            for p in _types(bench)
            for intra in sorted({1, bench.threads})
        ],
        bench.say,
    )
    (comparison,), versions = compare(ours, [peer], bench.plan.rounds)
    yield "single", row(comparison, ours, peer, versions, ours_tried=ours_tried, peer_tried=peer_tried)


def memory(bench: Bench) -> Iterator[tuple[str, Values]]:
    """The most memory a fresh process holds that loads the model and decodes once; the median of the rounds."""
    bench.convert()
    sides = [
        bench.best("ours", _ours(bench))[0],
        bench.best("ctranslate2", _ctranslate2(bench))[0],
        bench.best("transformers", _transformers(bench))[0],
    ]
    figures, versions = [], {}
    for side in sides:
        cold = Side(side.module, side.settings | {"warm": False}, side.python, side.shown)
        peaks = []
        for _ in range(bench.plan.rounds):
            with running(cold) as worker:
                peaks.append(worker.turn()["peak_bytes"] / 1e9)
                versions |= worker.versions
        figures.append(peaks)
    ours, *peers = figures
    for name, peaks, peer in zip(("memory", "memory-transformers"), peers, sides[1:], strict=True):
        yield name, row(Comparison(ours, peaks), sides[0], peer, versions)


def images(bench: Bench) -> Iterator[tuple[str, Values]]:
    """A ViT of the same weights on the same images, each side in its fastest precision and attention."""
    plan = bench.plan
    common: dict[str, Any] = {"image_model": plan.image_model, "images": plan.images, "steps": plan.image_steps}
    with running(bench.side("images_folder", (), **common)):
        pass
    shown = ("precision", "attention")
    for name, mode in (("images", "inference"), ("images-train", "training")):
        common["mode"] = mode
        ours, ours_tried = bench.best(
            name, [bench.side("images_jumok", shown[:1], precision=p, **common) for p in ("fp32", "bf16")]
        )
        kinds = ("fp32", "bf16") if mode == "training" else ("fp32", "bf16", "pure bf16")
        peer, peer_tried = bench.best(
            f"{name} of transformers",
            [
                bench.side("images_transformers", shown, precision=p, attention=attention, **common)
                for p in kinds
                for attention in ("sdpa", "eager")
            ],
        )
        tried = {"ours_tried": ours_tried, "peer_tried": peer_tried, "same_classes": _same_classes(bench, common)}
        (comparison,), versions = compare(ours, [peer], plan.rounds)
        yield name, row(comparison, ours, peer, versions, data="random images", **tried)


def _same_classes(bench: Bench, common: dict[str, Any]) -> str:
    """In fp32: on how many images both sides name the same class; it shows that the weights are the same."""
    found = []
    for module in ("images_jumok", "images_transformers"):
        with running(bench.side(module, (), precision="fp32", attention="sdpa", **common)) as worker:
            found.append(worker.turn()["outputs"])
    return f"{sum(a == b for a, b in zip(*found, strict=True))} of {len(found[0])}"


def _precisions(bench: Bench) -> tuple[str, ...]:
    """Jumok's own; one that this machine lacks is left out when it is tried."""
    return ("fp32", "bf16", "int8") if bench.device == "cpu" else ("fp32", "bf16")


def _ours(bench: Bench) -> list[Side]:
    shown = ("precision", "batch")
    return [
        bench.decoder("decode_jumok", shown, precision=precision, batch=batch)
        for precision in _precisions(bench)
        for batch in bench.plan.batches
    ]


def _transformers(bench: Bench) -> list[Side]:
    shown = ("precision", "batch")
    return [
        bench.decoder("decode_transformers", shown, precision=precision, batch=batch)
        for precision in ("fp32", "bf16")
        for batch in bench.plan.batches
    ]


def _types(bench: Bench) -> tuple[str, ...]:
    return ("float32", "int8") if bench.device == "cpu" else ("float32", "bfloat16", "float16", "int8_float16")


def _ctranslate2(bench: Bench) -> list[Side]:
    many = bench.threads
    shown = ("precision", "inter", "intra", "batch")
    threads = sorted({(1, many), (many, 1)}) if bench.device == "cpu" else [(1, 1)]
    return [
        bench.decoder("decode_ctranslate2", shown, precision=precision, inter=inter, intra=intra, batch=batch)
        for precision in _types(bench)
        for inter, intra in threads
        for batch in bench.plan.peer_batches
    ]


def _equal_outputs(bench: Bench) -> str:
    """Greedy in fp32: on how many sentences the peers write what we write; it shows that the weights are the same."""
    plan = bench.plan
    settings = {"beam": 1, "outputs": True, "sentences": plan.checked, "batch": plan.checked, "warm": False}
    sides = [
        bench.decoder("decode_jumok", (), precision="fp32", **settings),
        bench.decoder("decode_ctranslate2", (), precision="float32", inter=1, intra=bench.threads, **settings),
        bench.decoder("decode_transformers", (), precision="fp32", **settings),
    ]
    outputs = []
    for side in sides:
        with running(side) as worker:
            # our last token is the end
            outputs.append([row[: plan.tokens - 1] for row in worker.turn()["outputs"]])
    ours, *peers = outputs
    counts = [sum(a == b for a, b in zip(ours, peer, strict=True)) for peer in peers]
    return f"CTranslate2 {counts[0]} of {plan.checked}, transformers {counts[1]} of {plan.checked}"


def _write_words(work: Path, pairs: list[tuple[list[int], list[int]]], vocabulary: int) -> None:
    """The training pairs for JoeyNMT: our pieces as words."""
    folder = work / "joeynmt"
    folder.mkdir(exist_ok=True)
    for name, part in (("train", pairs), ("dev", pairs[:8])):
        for side, ending in enumerate(("src", "trg")):
            lines = [" ".join(f"t{piece}" for piece in pair[side]) for pair in part]
            (folder / f"{name}.{ending}").write_text("\n".join(lines) + "\n")
    words = [f"t{i}" for i in range(len(SPECIALS), vocabulary)]  # it adds four special ones itself
    (folder / "vocabulary.txt").write_text("\n".join(words) + "\n")


MEASURES: dict[str, Callable[[Bench], Iterator[tuple[str, Values]]]] = {
    "train": train,
    "joey": joey,
    "decode": decode,
    "single": single,
    "memory": memory,
    "images": images,
}
