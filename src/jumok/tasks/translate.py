"""The job "text to text", training side: its recipe, and the task that the training loop runs."""

import math
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from torch import nn

from jumok.config import Config
from jumok.data.batching import TextBatch, collate, largest, token_batches
from jumok.data.report import check
from jumok.data.text import Corpus, TextData, held_out_splits, read_parallel
from jumok.data.tokenizer import Tokenizer, TokenizerConfig, TokenizerPair
from jumok.decoding.search import DecodingOptions, SearchOptions
from jumok.errors import UserError
from jumok.files import sha256
from jumok.metrics.text import bleu_chrf
from jumok.models.encoder_decoder import EncoderDecoder
from jumok.models.translators import TranslationModel, build
from jumok.nn import kernels
from jumok.tasks.model_options import check_same_sizes
from jumok.tasks.runs import run_path, translator_config
from jumok.tasks.translate_predict import Translator
from jumok.tasks.translator_options import ModelOptions, TransformerOptions, sized
from jumok.tasks.writing import parameter_groups, writing_loss
from jumok.training.options import TextTraining
from jumok.training.run import Run
from jumok.training.task import Loss, Report, known_score
from jumok.training.weights import load_weights

__all__ = ["TranslateRecipe", "TranslateTask", "Translator", "ValidationOptions"]

SCORES = {"val_loss": False, "ppl": False, "accuracy": True, "bleu": True, "chrf": True}  # name: is higher better?


class ValidationOptions(Config):
    """What is decoded, greedily, at each validation; the loss is always taken over all validation data."""

    lines: int | None = Field(None, ge=1, description="decode only the first so many lines; empty: all")


class TranslateRecipe(Config):
    """Everything that makes a translator: one YAML file, or ``key=value`` on the command line."""

    task: Literal["translate"] = Field("translate", description="the job")
    run: str = Field(description="the run directory to write")
    seed: int = Field(1, ge=0, description="seed of all that is random")
    from_: str | None = Field(
        None, alias="from", description="a run whose weights and tokenizer to continue from, on this data"
    )
    data: TextData = Field(description="the parallel text")
    tokenizer: TokenizerConfig = Field(description="the subword model, trained on the training text")
    model: ModelOptions = Field(default_factory=lambda: TransformerOptions.model_validate({}), description="the model")
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="share of probability spread over the vocabulary")
    training: TextTraining = Field(description="the training")
    validation: ValidationOptions = Field(
        default_factory=lambda: ValidationOptions.model_validate({}), description="the validation"
    )
    decoding: DecodingOptions = Field(
        default_factory=lambda: DecodingOptions.model_validate({}), description="search of the finished run"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.data.max_length >= self.model.max_len:
            raise UserError(
                f"data.max_length = {self.data.max_length} leaves no room in model.max_len = {self.model.max_len} "
                "for the end token; lower the one or raise the other"
            )
        if self.model.tied == "all" and not self.tokenizer.joint:
            raise UserError("model.tied = all needs one vocabulary: set tokenizer.joint = true or model.tied = target")
        known_score(self.training.metric, SCORES)
        return self


class TranslateTask:
    """Data, model, loss and scores of `TranslateRecipe`, as the training loop asks for them.

    Reads and encodes the data once and passes the data report to `say`. `tokenizers` are those of the run that is
    resumed or continued; without them a new pair is trained on the training text.
    Raises `UserError` where the data cannot be used (see `jumok.data.text`).
    """

    def __init__(
        self, recipe: TranslateRecipe, tokenizers: TokenizerPair | None = None, say: Callable[[str], None] = print
    ) -> None:
        self.recipe = recipe
        data = recipe.data
        bleu_chrf(["a"], ["a"], data.target)  # what its BLEU needs may be missing: now, not after the first epoch
        self.train = self._read(data.train)
        self.val = self._read(data.val)
        if not any(self.val.sources):
            raise UserError(f"{self.val.files[0]} has no source that is not empty; there is nothing to validate on")
        self.tokenizers = tokenizers or TokenizerPair.train(self.train.sources, self.train.targets, recipe.tokenizer)
        pieces = self._encoded = (
            self.tokenizers.source.encode_many(self.train.sources),
            self.tokenizers.target.encode_many(self.train.targets),
        )
        lengths = [len(row) for row in pieces[0]], [len(row) for row in pieces[1]]
        held_out = [self.val, *(self._read(name) for name in self._tests())]
        self.report = check(self.train, held_out, lengths=lengths, max_length=data.max_length)
        self._pieces = lru_cache(maxsize=1)(self._epoch_pieces)
        sizes = self.tokenizers.source.vocab_size, self.tokenizers.target.vocab_size
        self.config = sized(recipe.model, *sizes)
        say("\n".join([self.report.text(), *self.tokenizers.notices, *self._validation_notices()]))

    def _validation_pieces(self) -> list[tuple[list[int], list[int]]]:
        encoded = (
            self.tokenizers.source.encode_many(self.val.sources),
            self.tokenizers.target.encode_many(self.val.targets),
        )
        return list(zip(*encoded, strict=True))

    def _validation_notices(self) -> list[str]:
        """What of the validation pairs cannot be scored as it stands."""
        most, pairs = self.config.max_len, self._validation_pieces()
        empty = sum(not source for source, _ in pairs)
        cut = sum(len(source) > most or len(target) > most - 1 for source, target in pairs)
        notices = []
        if empty:
            notices.append(
                f"notice: {empty:,} pairs of {self.val.name} have an empty source and are left out of val_loss"
            )
        if cut:
            notices.append(
                f"notice: {cut:,} pairs of {self.val.name} are longer than model.max_len = {most} and cut to it"
            )
        return notices

    def _tests(self) -> list[str]:
        data = self.recipe.data
        return [n for n in held_out_splits(data.folder, data.source, data.target) if n not in (data.train, data.val)]

    def _read(self, split: str) -> Corpus:
        data = self.recipe.data
        return read_parallel(Path(data.folder), split, data.source, data.target, data.normalize)

    def precision(self, device_type: str) -> str:
        return kernels.precision(device_type, self.config.dim)

    def build(self) -> nn.Module:
        return build(self.config)

    def batches(self, epoch: int) -> Sequence[list[int]]:
        budget, seed = self.recipe.training.batch_tokens, self.recipe.seed
        return token_batches(*self._lengths(epoch), budget=budget, seed=seed, epoch=epoch)

    def load(self, indices: list[int], epoch: int) -> TextBatch:
        sources, targets = self._pieces(epoch)
        return collate([sources[row] for row in indices], [targets[row] for row in indices], indices)

    def largest(self) -> list[int]:
        return largest(self.batches(0), *self._lengths(0))

    def _epoch_pieces(self, epoch: int) -> tuple[list[list[int]], list[list[int]]]:
        """Both sides of the kept pairs in pieces, sampled anew in each epoch where the recipe asks for it.

        A whole epoch at a time, because batches are made by length, and sampling changes it by a third.
        """
        keep, corpus, pair = self.report.keep, self.train, self.tokenizers
        if not self.recipe.tokenizer.sampling:
            return [self._encoded[0][row] for row in keep], [self._encoded[1][row] for row in keep]

        def sampled(side: str, tokenizer: Tokenizer, text: str, plain: list[int], row: int) -> list[int]:
            pieces = tokenizer.sample(text, zlib.crc32(f"{self.recipe.seed} {epoch} {row} {side}".encode()))
            # sampling cuts words finer; a pair that was kept is never lost or cut for it
            return pieces if len(pieces) <= self.recipe.data.max_length else plain

        return (
            [sampled("source", pair.source, corpus.sources[row], self._encoded[0][row], row) for row in keep],
            [sampled("target", pair.target, corpus.targets[row], self._encoded[1][row], row) for row in keep],
        )

    def _lengths(self, epoch: int) -> tuple[list[int], list[int]]:
        sources, targets = self._pieces(epoch)
        return [len(row) for row in sources], [len(row) for row in targets]

    def loss(self, model: nn.Module, batch: TextBatch) -> Loss:
        assert isinstance(model, EncoderDecoder)
        features = model.features(batch.source, batch.source_lengths, batch.target)
        smoothing = self.recipe.label_smoothing
        return writing_loss(features, model.output, batch.labels, batch.target_lengths, smoothing)

    def validate(self, model: nn.Module, report: Report) -> dict[str, float]:
        assert isinstance(model, EncoderDecoder)
        options = self.recipe.validation
        scores = self._validation_loss(model)
        decode = SearchOptions(**(self.recipe.decoding.model_dump() | {"beam": 1}))
        count = options.lines or len(self.val.sources)
        sources, references = self.val.sources[:count], self.val.targets[:count]
        translator = Translator(
            [model], self.tokenizers, decode, source=self.recipe.data.source, target=self.recipe.data.target
        )
        done = 0

        def advance(lines: int) -> None:
            nonlocal done
            done += lines
            report(f"decoded {done} of {len(sources)}")

        answers = translator.translate(sources, advance=advance)
        score = bleu_chrf([best[0].text for best in answers], references, self.recipe.data.target)
        return scores | {"bleu": score.bleu, "chrf": score.chrf}

    def _validation_loss(self, model: TranslationModel) -> dict[str, float]:
        pairs = [pair for pair in self._validation_pieces() if pair[0]]
        pairs = [(source[: self.config.max_len], target[: self.config.max_len - 1]) for source, target in pairs]
        lengths = [len(source) for source, _ in pairs], [len(target) for _, target in pairs]
        device = model.output.weight.device
        nll = correct = tokens = 0.0
        for rows in token_batches(*lengths, budget=self.recipe.training.batch_tokens, seed=0, epoch=0):
            batch = collate([pairs[row][0] for row in rows], [pairs[row][1] for row in rows], rows).to(device)
            loss = self.loss(model, batch)
            nll += float(loss.metrics["nll"])
            correct += float(loss.metrics["accuracy"])
            tokens += float(loss.weight)
        return {"val_loss": nll / tokens, "ppl": math.exp(min(nll / tokens, 700.0)), "accuracy": correct / tokens}

    def higher_is_better(self, metric: str) -> bool:
        return known_score(metric, SCORES)

    def groups(self, model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        return parameter_groups(model, weight_decay)

    def snapshot(self, folder: Path) -> None:
        self.tokenizers.save(folder)

    def describe(self) -> dict[str, Any]:
        return {
            "task": "translate",
            "recipe": self.recipe.model_dump(mode="json", by_alias=True),
            "model": self.config.model_dump(mode="json"),
            "data": {
                "files": {path.name: sha256(path) for corpus in (self.train, self.val) for path in corpus.files},
                "train": len(self.report.keep),
                "dropped": len(self.train.sources) - len(self.report.keep),
                "val": len(self.val.sources),
            },
        }

    def start(self, model: nn.Module) -> None:
        if self.recipe.from_ is not None:
            run = Run.open(run_path(self.recipe.from_))
            self.check_start(translator_config(run))
            load_weights(model, run.weights(), str(run.path))

    def check_start(self, config: dict[str, Any]) -> None:
        """Raises `UserError` if the weights of the translator with this ``config.json`` cannot start this one."""
        mine = self.config.model_dump(mode="json")
        family = config["model"].get("architecture", "transformer")
        if family != mine["architecture"]:
            raise UserError(
                f"the run {self.recipe.from_} has model.architecture = {family} (here {mine['architecture']}); "
                "set the same to continue from it"
            )
        check_same_sizes(config["model"], mine, str(self.recipe.from_))
