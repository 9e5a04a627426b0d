"""The job "text to text", using side: `Translator`, all that is needed of one or several trained runs."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import torch

from jumok.config import parse
from jumok.data.batching import pad
from jumok.data.text import Normalize, normalized
from jumok.data.tokenizer import BEGIN, END, PAD, TokenizerPair
from jumok.decoding.protocol import Decoder, Ensemble
from jumok.decoding.search import Hypothesis, SearchOptions, search
from jumok.errors import UserError
from jumok.insight.record import record
from jumok.insight.viewer import AttentionView
from jumok.models.translators import TranslationModel, build, read_config
from jumok.nn import kernels
from jumok.nn.fused import in_bf16
from jumok.nn.quantized import quantized
from jumok.nn.quantized import supported as quantization_supported
from jumok.nn.recurrent import RecurrentLayer
from jumok.tasks.inference import evaluating, side_by_side, torch_device
from jumok.tasks.runs import run_path, translator_config
from jumok.training.run import Run
from jumok.training.weights import load_weights

Precision = Literal["fp32", "bf16", "int8", "auto"]
log = logging.getLogger("jumok")


@dataclass(frozen=True)
class Translation:
    """One output of a line: its text, the score it was ranked by, and whether the line was cut to fit the model."""

    text: str
    score: float
    cut: bool = False


class Translator:
    """Translates text with a trained run: ``Translator.load("runs/de-en")(["Ein Mann schläft."])``.

    The same sentence gives the same output alone and in any batch (in fp32; bf16 rounds, so that a near tie may fall
    the other way). Several models are an ensemble: the mean of their probabilities.
    """

    def __init__(
        self,
        models: Sequence[TranslationModel],
        tokenizers: TokenizerPair,
        options: SearchOptions,
        *,
        source: str,
        target: str,
        normalize: Normalize = "nfc",
        vocabularies: Sequence[Sequence[str]] = (),
    ) -> None:
        self.models, self.tokenizers, self.options = list(models), tokenizers, options
        self.source, self.target, self.normalize = source, target, normalize
        self.device = next(self.models[0].parameters()).device
        self.max_len = min(model.config.max_len for model in self.models)
        self.decoder: Decoder = self.models[0] if len(self.models) == 1 else Ensemble(self.models, vocabularies)

    @classmethod
    def load(cls, path: str | Path, *, precision: Precision = "fp32", device: str = "auto") -> Self:
        """The translator of the run at `path`; ``demo`` is the one that ships, ``"a,b"`` an ensemble of two.

        Raises `UserError` if one is no run, damaged, of a newer format or another task, or if members do not match.
        """
        place = torch_device(device)
        runs = [Run.open(run_path(name)) for name in str(path).split(",")]
        members = [_load_one(run, precision, place) for run in runs]
        first = translator_config(runs[0])["recipe"]
        for run in runs[1:]:
            if (run.config["recipe"]["data"]["target"]) != first["data"]["target"]:
                raise UserError(f"the runs {runs[0].path} and {run.path} write different languages; no ensemble")
        return cls(
            [model for model, _ in members],
            members[0][1],
            parse(SearchOptions, first["decoding"], str(runs[0].path / "config.json")),
            source=first["data"]["source"],
            target=first["data"]["target"],
            normalize=first["data"]["normalize"],
            vocabularies=[_vocabulary(pair) for _, pair in members],
        )

    def __call__(self, lines: Sequence[str], *, beam: int | None = None, batch_tokens: int = 4096) -> list[str]:
        """The best translation of each line; an empty line stays empty.

        A line longer than the model can read is cut, with one warning in the log for all of them.
        """
        options = self.options if beam is None else self.options.model_copy(update={"beam": beam, "n_best": 1})
        best = [found[0] for found in self.translate(lines, options, batch_tokens=batch_tokens)]
        cut = sum(each.cut for each in best)
        if cut:
            log.warning("%d of %d lines were longer than the model's %d pieces and cut", cut, len(best), self.max_len)
        return [each.text for each in best]

    def translate(
        self,
        lines: Sequence[str],
        options: SearchOptions | None = None,
        *,
        prefixes: Sequence[str] | None = None,
        batch_tokens: int = 4096,
        first: int = 0,
        advance: Callable[[int], None] | None = None,
    ) -> list[list[Translation]]:
        """`n_best` translations of each line, best first, in the order of `lines`.

        Args:
            options: how to search; by default as the run was trained to be used.
            prefixes: the text each output must start with ("" for none).
            batch_tokens: source pieces decoded together, padding counted.
            first: the number of the first line in the whole input: sampling draws by a line's number.
            advance: called with how many more lines are done.
        """
        if isinstance(lines, str):
            raise TypeError("translate takes a list of lines; write [line] for a single one")
        options = options or self.options
        sources = self.tokenizers.source.encode_many([self._normal(line) for line in lines])
        forced = self.tokenizers.target.encode_many([self._normal(text) for text in prefixes or [""] * len(lines)])
        empty = [Translation("", 0.0)] * (options.n_best if options.sample else min(options.n_best, options.beam))
        results = [empty for _ in lines]

        def decode(batch: list[int]) -> list[list[Hypothesis]]:
            if not sources[batch[0]]:  # empty lines, which stand together
                return []
            cut = [sources[row][: self.max_len] for row in batch]
            return self._search(cut, [forced[row] for row in batch], options, [first + row for row in batch])

        batches = list(_batches([len(pieces) for pieces in sources], batch_tokens))
        with evaluating(*self.models):
            for batch, found in side_by_side(decode, batches, self.device):
                for row, hypotheses in zip(batch, found, strict=False):
                    results[row] = self._texts(hypotheses, empty, cut=len(sources[row]) > self.max_len)
                if advance is not None:
                    advance(len(batch))
        return results

    def attention(self, line: str, target: str | None = None, options: SearchOptions | None = None) -> AttentionView:
        """The attention of every layer and head: one forced pass over the best translation, or over `target`.

        Raises `UserError` for an empty line and for an ensemble.
        """
        if len(self.models) > 1:
            raise UserError("attention is seen in one run at a time; name a single run")
        source = _fitted(self.tokenizers.source.encode(self._normal(line)), self.max_len, "source")
        if not source:
            raise UserError("there is no text to look at; give a sentence")
        if target is None:
            options = (options or self.options).model_copy(update={"n_best": 1})
            with evaluating(*self.models):
                found = self._search([source], [[]], options, [0])[0]
            pieces = found[0].tokens if found else []
        else:
            pieces = _fitted(self.tokenizers.target.encode(self._normal(target)), self.max_len - 1, "target")
        begin, end = self.tokenizers.target.pieces([BEGIN, END])
        return AttentionView(
            source=self.tokenizers.source.pieces(source),
            target=[*self.tokenizers.target.pieces(pieces), end],
            maps=self._maps(source, pieces),
            source_text=self._normal(line),
            output_text=self.tokenizers.target.decode(pieces),
            model=f"{self.source} → {self.target}",
            begin=begin,
        )

    def read(self, line: str) -> list[int]:
        """The numbers of the source pieces of a line, as far as the model can read it."""
        return self.tokenizers.source.encode(self._normal(line))[: self.max_len]

    def _maps(self, source: list[int], pieces: list[int]) -> dict[str, torch.Tensor]:
        model = self.models[0]
        rows, lengths = pad([source])
        forced = torch.tensor([[BEGIN, *pieces]], device=self.device)
        with evaluating(*self.models), torch.inference_mode(), record(model) as maps:
            model(rows.to(self.device), lengths.to(self.device), forced)
        return {name: weights[0] for name, weights in maps.items()}

    def _normal(self, text: str) -> str:
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise UserError(f"the text {text[:40]!r} holds bytes that are not UTF-8; convert it first") from error
        # spaces and the like at the ends carry nothing, and a line of nothing else is an empty one
        return normalized(text, self.normalize).strip()

    def _search(
        self, sources: list[list[int]], prefixes: list[list[int]], options: SearchOptions, numbers: list[int]
    ) -> list[list[Hypothesis]]:
        rows, lengths = pad(sources)
        rows, lengths = rows.to(self.device), lengths.to(self.device)
        # one position is the begin token's
        room = self.max_len - 1
        most = [options.max_length or 2 * len(pieces) + 10 for pieces in sources]
        prefixes = [prefix[:room] for prefix in prefixes]
        with torch.inference_mode():
            encoded = [model.encode(rows, lengths) for model in self.models]
            return search(
                self.decoder,
                encoded if len(self.models) > 1 else encoded[0],
                options,
                begin=BEGIN,
                end=END,
                pad=PAD,
                max_lengths=[min(room, max(n, len(p))) for n, p in zip(most, prefixes, strict=True)],
                prefixes=prefixes,
                numbers=numbers,
                device=self.device,
            )

    def _texts(self, hypotheses: list[Hypothesis], empty: list[Translation], cut: bool) -> list[Translation]:
        decode = self.tokenizers.target.decode
        # whatever the pieces hold, an output is one line; and there are always as many as were asked for
        texts = [Translation(" ".join(decode(h.tokens).splitlines()), h.score, cut) for h in hypotheses]
        missing = Translation(texts[-1].text if texts else "", float("-inf"), cut)
        return texts + [missing] * (len(empty) - len(texts))


def _fitted(pieces: list[int], room: int, side: str) -> list[int]:
    """`pieces` as far as there is room for them; a warning tells of a cut."""
    if len(pieces) > room:
        log.warning("the %s of %d pieces was cut to the model's %d", side, len(pieces), room)
    return pieces[:room]


def _batches(lengths: list[int], budget: int) -> Iterator[list[int]]:
    """Rows in batches of like length, longest first, so that the first batch shows whether the memory suffices."""
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    batch: list[int] = []
    for row in order:
        widest = lengths[batch[0]] if batch else 0
        if batch and ((len(batch) + 1) * widest > budget or (lengths[row] == 0) != (widest == 0)):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _load_one(run: Run, precision: Precision, device: torch.device) -> tuple[TranslationModel, TokenizerPair]:
    config = translator_config(run)
    sizes = read_config(config["model"], str(run.path / "config.json"))
    weights = run.weights()
    # built empty, filled from the file: no time spent on random numbers that are thrown away
    model = build(sizes)
    load_weights(model, weights, str(run.path))
    pair = TokenizerPair.load(run.path)
    for side, tokenizer, size in (
        ("source", pair.source, sizes.source_vocab),
        ("target", pair.target, sizes.target_vocab),
    ):
        if tokenizer.vocab_size != size:
            raise UserError(
                f"{run.path} is damaged: its {side} tokenizer has {tokenizer.vocab_size:,} pieces, its model {size:,}; "
                "restore the run from a copy, or train again"
            )
    return in_precision(model.to(device).eval(), precision), pair


def in_precision(model: TranslationModel, precision: Precision) -> TranslationModel:
    """The model as it computes in this precision; ``auto`` is what a committed table says of device and width.

    Raises `UserError` where the processor, or this build of PyTorch, has no 8-bit products.
    """
    device = model.output.weight.device.type
    if precision == "auto":
        recurrent = any(isinstance(module, RecurrentLayer) for module in model.modules())
        precision = kernels.inference_precision(device, model.config.dim, recurrent=recurrent)
    if precision == "int8":
        if device != "cpu" or not quantization_supported():
            raise UserError("precision int8 needs a CPU and a PyTorch built for x86; use bf16 or fp32")
        return quantized(model)
    return in_bf16(model) if precision == "bf16" else model


def _vocabulary(tokenizers: TokenizerPair) -> list[str]:
    """What makes two runs read and write the same token numbers."""
    source, target = tokenizers.source, tokenizers.target
    return [*source.pieces(list(range(source.vocab_size))), "", *target.pieces(list(range(target.vocab_size)))]
