"""The job "text to vector", using side: `SentenceEmbedder`, all that is needed of a trained run."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch

from jumok.data.batching import pad
from jumok.data.text import normalized
from jumok.data.tokenizer import BEGIN, Tokenizer
from jumok.errors import UserError
from jumok.insight.record import record
from jumok.metrics.similarity import Vectors
from jumok.models.sentence_encoder import SentenceEncoder, TransformerEncoderConfig, read_config
from jumok.tasks.inference import ImagePrecision, evaluating, in_image_precision, side_by_side, torch_device
from jumok.tasks.runs import embedder_config, run_path
from jumok.training.run import Run
from jumok.training.weights import load_weights

TOKENIZER = "tokenizer.json"
BATCH_TOKENS = 2048  # stays in the cache of a CPU's core, and gives each core its share: 1.2 times as fast as 8192
log = logging.getLogger("jumok")


@dataclass(frozen=True)
class Embedded:
    """Vectors (N, D), float32, of length 1 (0 of a line without text), and how many lines were longer than the model.

    These were cut, or read in `windows`.
    """

    vectors: Vectors
    long: int


class SentenceEmbedder:
    """Vectors of sentences from a trained run: ``SentenceEmbedder.load("runs/sentences")(["A man sleeps."])``.

    The product of two vectors is the cosine of their angle. The same sentence gives the same vector alone and in any
    batch, but for rounding.
    """

    def __init__(self, model: SentenceEncoder, tokenizer: Tokenizer, *, lowercase: bool = False) -> None:
        self.model, self.tokenizer, self.lowercase = model, tokenizer, lowercase
        self.device = next(model.parameters()).device

    @classmethod
    def load(cls, path: str | Path, *, precision: ImagePrecision = "fp32", device: str = "auto") -> Self:
        """The encoder of the run at `path`. Raises `UserError` if it is none, damaged, or of another task."""
        place = torch_device(device)
        run = Run.open(run_path(path))
        model, tokenizer = read_encoder(run)
        model = in_image_precision(model.to(place).eval(), precision, model.config.dim)
        return cls(model, tokenizer, lowercase=bool(embedder_config(run)["recipe"]["data"].get("lowercase", False)))

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return self.model.config.width

    def __call__(self, lines: Sequence[str]) -> Vectors:
        """The vectors (N, D) of the lines. Lines longer than the model are cut, with a warning in the log."""
        found = self.embed(lines)
        if found.long:
            room = self.model.config.room
            log.warning("%d of %d lines were longer than the model's %d pieces and cut", found.long, len(lines), room)
        return found.vectors

    def embed(
        self,
        lines: Sequence[str],
        *,
        windows: bool = False,
        batch_tokens: int = BATCH_TOKENS,
        advance: Callable[[int], None] | None = None,
    ) -> Embedded:
        """A vector for each line, in their order; an empty line has the zero vector.

        Args:
            windows: read a line longer than the model piece by piece, and take the mean, each window counting as much
                as it has pieces; else it is cut.
            batch_tokens: pieces read together, padding counted; a GPU is faster with more.
            advance: called with how many more lines are done.
        """
        if isinstance(lines, str):
            raise TypeError("embed takes a list of lines; write [line] for a single one")
        room = self.model.config.room
        pieces = self.tokenizer.encode_many([self.normal(line) for line in lines])
        long = sum(len(row) > room for row in pieces)
        # (line, pieces) of everything that is read at once
        parts = [
            (line, row[start : start + room])
            for line, row in enumerate(pieces)
            for start in range(0, max(len(row), 1) if windows else 1, room)
        ]
        sums = np.zeros((len(lines), self.width), dtype=np.float64)
        batches = list(_batches([len(row) for _, row in parts], batch_tokens))

        def vectors(batch: list[int]) -> Vectors:
            return self._vectors([parts[row][1] for row in batch])

        with evaluating(self.model):
            for batch, found in side_by_side(vectors, batches, self.device):
                for row, vector in zip(batch, found, strict=True):
                    sums[parts[row][0]] += vector * len(parts[row][1])
                if advance is not None:
                    advance(len(batch))
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        return Embedded((sums / np.where(lengths == 0, 1, lengths)).astype(np.float32), long)

    def normal(self, line: str) -> str:
        """A line as the model reads it: NFC, runs of spaces made one, small letters where it was trained so."""
        try:
            line.encode()
        except UnicodeEncodeError as error:
            raise UserError(f"the text {line[:40]!r} holds bytes that are not UTF-8; convert it first") from error
        text = " ".join(normalized(line).split())
        return text.lower() if self.lowercase else text

    def tokens(self, line: str) -> tuple[list[int], list[str]]:
        """The numbers of the tokens that the model reads of a line, and how they are written."""
        pieces = self.tokenizer.encode(self.normal(line))[: self.model.config.room]
        read = [BEGIN, *pieces] if self.model.config.pool == "class" else pieces
        return read, self.tokenizer.pieces(read)

    def looks(self, tokens: Sequence[int]) -> tuple[Vectors, dict[str, torch.Tensor]]:
        """Features (N, D) of every token before they are pooled, and the attention (H, N, N) of each layer."""
        rows, lengths = pad([list(tokens)])
        with evaluating(self.model), torch.inference_mode():
            if not isinstance(self.model.config, TransformerEncoderConfig):
                return self.model.encode(rows.to(self.device), lengths.to(self.device)).features[0].float().numpy(), {}
            with record(self.model) as maps:
                encoded = self.model.encode(rows.to(self.device), lengths.to(self.device))
        features: Vectors = encoded.features[0].float().cpu().numpy()
        return features, {name: weights[0] for name, weights in maps.items()}

    def _vectors(self, rows: Sequence[list[int]]) -> Vectors:
        if self.model.config.pool == "class":
            rows = [[BEGIN, *row] for row in rows]
        tokens, lengths = pad(rows)
        with torch.inference_mode():
            vectors: Vectors = self.model(tokens.to(self.device), lengths.to(self.device)).cpu().numpy()
        return vectors


def _batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Rows in batches of like length, longest first, so that the first batch shows whether the memory suffices."""
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    batch: list[int] = []
    for row in order:
        if batch and (len(batch) + 1) * (lengths[batch[0]] + 1) > budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def read_encoder(run: Run) -> tuple[SentenceEncoder, Tokenizer]:
    """The model of a run and its tokenizer. Raises `UserError` if it is none, damaged, or of another task."""
    config = read_config(embedder_config(run)["model"], str(run.path / "config.json"))
    model = SentenceEncoder(config)
    load_weights(model, run.weights(), str(run.path))
    tokenizer = Tokenizer.load(run.path / TOKENIZER)
    if tokenizer.vocab_size != config.vocab_size:
        raise UserError(
            f"{run.path} is damaged: its tokenizer has {tokenizer.vocab_size:,} pieces, its model "
            f"{config.vocab_size:,}; restore the run from a copy, or train again"
        )
    return model, tokenizer
