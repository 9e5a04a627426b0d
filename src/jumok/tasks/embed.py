"""The job "text to vector", training side: its recipe, and the task that the training loop runs."""

import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from jumok.config import Config
from jumok.data.graded import read_graded
from jumok.data.sentences import Groups, read_groups
from jumok.data.tokenizer import BEGIN, Tokenizer
from jumok.errors import UserError
from jumok.files import sha256
from jumok.metrics.similarity import correlation
from jumok.models.sentence_encoder import SentenceEncoder
from jumok.nn import kernels
from jumok.nn.pair_loss import angular_loss, order_loss, ranking_loss, relation_features, similarity_loss
from jumok.nn.pooling import WeightedPool
from jumok.tasks.embed_check import check_files
from jumok.tasks.embed_data import (
    Example,
    Rows,
    SentenceBatch,
    Texts,
    collate,
    files_of,
    known_labels,
    mixed_batches,
    partners,
    read_sources,
    short_names,
)
from jumok.tasks.embed_evaluate import retrieve, similarities
from jumok.tasks.embed_options import (
    ModelOptions,
    Objective,
    SentenceData,
    SentenceTokenizer,
    SentenceTraining,
    TransformerOptions,
    sized,
)
from jumok.tasks.embed_predict import TOKENIZER, SentenceEmbedder
from jumok.tasks.embed_start import encoder_weights
from jumok.tasks.writing import parameter_groups
from jumok.training.processes import gathered
from jumok.training.task import Loss, Report, known_score
from jumok.training.weights import load_weights, weights_of

SCORES = {"val_loss": False, "spearman": True, "pearson": True, "retrieval": True}  # name: is higher better?


class EmbedRecipe(Config):
    """Everything that makes a sentence encoder: one YAML file, or ``key=value`` on the command line."""

    task: Literal["embed"] = Field("embed", description="the job")
    run: str = Field(description="the run directory to write")
    seed: int = Field(1, ge=0, description="seed of all that is random")
    from_: str | None = Field(
        None,
        alias="from",
        description="a run whose encoder and tokenizer to start from: of this job, or a translator's",
    )
    data: SentenceData = Field(description="the files")
    objectives: tuple[Objective, ...] = Field(
        strict=False, min_length=1, description="what is learnt; an epoch sees the first one's examples once"
    )
    tokenizer: SentenceTokenizer = Field(description="the subword model, trained on the training sentences")
    model: ModelOptions = Field(default_factory=lambda: TransformerOptions.model_validate({}), description="the model")
    training: SentenceTraining = Field(description="the training")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        known_score(self.training.metric, SCORES)
        if not self.data.val and self.training.metric in ("spearman", "pearson"):
            raise UserError(
                f"training.metric = {self.training.metric} needs graded pairs to validate on; name some in data.val, "
                "or set training.metric to retrieval (with data.retrieval)"
            )
        if self.training.metric == "retrieval" and not self.data.retrieval:
            raise UserError("training.metric = retrieval needs pairs to validate on; name them in data.retrieval")
        return self


class EmbedTask:
    """Data, model, losses and scores of `EmbedRecipe`, as the training loop asks for them.

    Reads and encodes the data once and passes the data report to `say`. `tokenizer` is that of the run that is resumed
    or started from; without it a new one is trained on the training sentences.
    Raises `UserError` where the data cannot be used (`jumok.data.sentences`, `jumok.data.graded`).
    """

    def __init__(
        self, recipe: EmbedRecipe, tokenizer: Tokenizer | None = None, say: Callable[[str], None] = print
    ) -> None:
        self.recipe, data = recipe, recipe.data
        self.val = [read_graded(path) for path in files_of(data, data.val)]
        for pairs in self.val:
            _ = pairs.grades  # without them there is nothing to validate on: now, not after the first epoch
        self.retrieval = self._retrieval()
        self.labels = known_labels(data, recipe.objectives)
        report, texts = check_files(data, recipe.objectives), Texts()
        self.sources = read_sources(data, recipe.objectives, texts, self._held_out(), self.labels)
        self.texts = texts.all
        self.examples = [example for source in self.sources for example in source.examples]
        self._firsts = [sum(len(other.examples) for other in self.sources[:i]) for i in range(len(self.sources))]
        self.tokenizer = tokenizer or Tokenizer.train(self.texts, recipe.tokenizer)
        scales = sum(objective.learn_temperature for objective in recipe.objectives)
        self.config = sized(recipe.model, vocab_size=self.tokenizer.vocab_size, labels=self.labels, scales=scales)
        self.pieces = self.tokenizer.encode_many(self.texts)
        say("\n".join([report.text(), *self._notices()]))

    def _retrieval(self) -> Groups | None:
        names = self.recipe.data.retrieval
        return read_groups(files_of(self.recipe.data, names)) if names else None

    def _held_out(self) -> set[str]:
        """What must never be learnt: the sentences of the validation, and of the files that are named as held out."""
        data = self.recipe.data
        others = [read_graded(path) for path in files_of(data, data.held_out)]
        texts = {text for pairs in [*self.val, *others] for text in (*pairs.lefts, *pairs.rights)}
        if self.retrieval is not None:
            texts |= {text for group in self.retrieval.groups for text in group.texts}
        return {text.lower() for text in texts} if data.lowercase else texts

    def _notices(self) -> list[str]:
        long = sum(len(row) > self.config.room for row in self.pieces)
        cut = f"notice: {long:,} sentences are longer than model.max_len = {self.config.max_len} and cut"
        return ([cut] if long else []) + ([self.tokenizer.notice] if self.tokenizer.notice else [])

    def precision(self, device_type: str) -> str:
        return kernels.precision(device_type, self.config.dim)

    def build(self) -> SentenceEncoder:
        model = SentenceEncoder(self.config)
        starts = [o.temperature for o in self.recipe.objectives if o.learn_temperature]
        if model.log_scales is not None:
            model.log_scales.data.copy_(-torch.tensor(starts).log())
        if isinstance(model.pool, WeightedPool):
            model.pool.start(self._frequencies())
        return model

    def _frequencies(self) -> Tensor:
        """How often each piece stands in the training sentences, as a share of all pieces."""
        counts = Counter(piece for row in self.pieces for piece in row)
        found = torch.zeros(self.config.vocab_size)
        found[list(counts)] = torch.tensor(list(counts.values()), dtype=torch.float32)
        return found / found.sum().clamp(min=1)

    def batches(self, epoch: int) -> Sequence[list[int]]:
        sizes = [len(source.examples) for source in self.sources]
        shares = [source.objective.share for source in self.sources]
        return mixed_batches(sizes, shares, self.recipe.training.batch_pairs, self.recipe.seed, epoch)

    def load(self, indices: list[int], epoch: int) -> SentenceBatch:
        sentences: list[list[int]] = []
        rows = []
        ends = [*self._firsts[1:], len(self.examples)]
        for first, end in zip(self._firsts, ends, strict=True):
            mine = [index for index in indices if first <= index < end]
            rows.append(self._rows(mine, epoch, sentences))
        return collate(sentences, rows)

    def _rows(self, indices: list[int], epoch: int, sentences: list[list[int]]) -> Rows:
        """One objective's examples, whose sentences are added to `sentences`."""
        examples = [self.examples[index] for index in indices]
        pairs = [partners(e, self.recipe.seed, epoch, i) for e, i in zip(examples, indices, strict=True)]
        sides = [left for left, _ in pairs], [right for _, right in pairs], [n for e in examples for n in e.negatives]
        places: list[Tensor] = []
        for side, numbers in enumerate(sides):
            places.append(torch.arange(len(sentences), len(sentences) + len(numbers)))
            sentences += [self._read(number, epoch, side) for number in numbers]
        texts = tuple(torch.tensor(numbers, dtype=torch.int64) for numbers in sides)
        return Rows(
            places[0],
            places[1],
            places[2],
            (texts[0], texts[1], texts[2]),
            torch.tensor([example.grade for example in examples], dtype=torch.float32),
            torch.tensor([example.label for example in examples], dtype=torch.int64),
        )

    def _read(self, number: int, epoch: int, side: int) -> list[int]:
        """A sentence in pieces, cut anew in each epoch where the recipe asks for it."""
        pieces = self.pieces[number]
        if self.recipe.tokenizer.sampling:
            seed = zlib.crc32(f"{self.recipe.seed} {epoch} {number} {side}".encode())
            pieces = self.tokenizer.sample(self.texts[number], seed)
        pieces = pieces[: self.config.room]
        return [BEGIN, *pieces] if self.config.pool == "class" else pieces

    def largest(self) -> list[int]:
        def memory(batch: list[int]) -> int:
            return sum(len(self.pieces[number]) for index in batch for number in self._numbers(self.examples[index]))

        return max(self.batches(0), key=memory)

    @staticmethod
    def _numbers(example: Example) -> tuple[int, ...]:
        return (*example.texts[:2], *example.negatives)

    def loss(self, model: nn.Module, batch: SentenceBatch) -> Loss:
        """The objectives' losses, each summed over its pairs and weighed, to be divided by all pairs."""
        assert isinstance(model, SentenceEncoder)
        vectors = torch.cat([model.pooled(tokens, lengths) for tokens, lengths in batch.chunks])[batch.order]
        total, weight, learnt = vectors.new_zeros(()), 0.0, 0
        metrics: dict[str, Tensor | float] = {}
        with torch.autocast(vectors.device.type, enabled=False):
            for source, rows in zip(self.sources, batch.rows, strict=True):
                objective = source.objective
                scale: Tensor | float = 1 / objective.temperature
                if objective.learn_temperature:
                    assert model.log_scales is not None
                    # no hotter than 1, no colder than 1/100 (Radford et al. 2021, section 2.5)
                    scale = model.log_scales[learnt].exp().clamp(1, 100)
                    learnt += 1
                loss = objective.weight * _objective_loss(objective, model, vectors, rows, scale)
                total, weight = total + loss, weight + len(rows.left)
                name = f"{objective.kind}_loss"
                metrics[name] = metrics.get(name, 0.0) + loss.detach()
        return Loss(total, weight, metrics)

    def validate(self, model: nn.Module, report: Report) -> dict[str, float]:
        assert isinstance(model, SentenceEncoder)
        embedder = SentenceEmbedder(model, self.tokenizer, lowercase=self.recipe.data.lowercase)
        scores: dict[str, float] = {}
        found = []
        for pairs, name in zip(self.val, short_names([pairs.path for pairs in self.val]), strict=True):
            report(f"comparing {len(pairs):,} pairs of {name}")
            ours, _ = similarities(embedder, pairs.lefts, pairs.rights)
            one = correlation(ours.tolist(), pairs.grades)
            found.append((one, float(((ours - pairs.grades) ** 2).mean())))
            if len(self.val) > 1:
                scores[f"spearman_{name}"] = one.spearman
        if found:
            scores["spearman"] = sum(one.spearman for one, _ in found) / len(found)
            scores["pearson"] = sum(one.pearson for one, _ in found) / len(found)
            scores["val_loss"] = sum(error for _, error in found) / len(found)
        if self.retrieval is not None:
            report(f"looking for {len(self.retrieval):,} partners")
            scores["retrieval"] = retrieve(embedder, self.retrieval).both
        return scores

    def higher_is_better(self, metric: str) -> bool:
        return known_score(metric, SCORES)

    def groups(self, model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        return parameter_groups(model, weight_decay)

    def snapshot(self, folder: Path) -> None:
        self.tokenizer.save(folder / TOKENIZER)

    def describe(self) -> dict[str, Any]:
        files = {path: sha256(path) for source in self.sources for path in source.files}
        files |= {pairs.path: sha256(pairs.path) for pairs in self.val}
        folder = Path(self.recipe.data.folder)
        return {
            "task": "embed",
            "recipe": self.recipe.model_dump(mode="json", by_alias=True),
            "model": self.config.model_dump(mode="json"),
            "data": {
                "files": {str(path.relative_to(folder)): digest for path, digest in files.items()},
                "examples": {
                    f"{place} {source.objective.kind}": len(source.examples)
                    for place, source in enumerate(self.sources, start=1)
                },
                "sentences": len(self.texts),
                "val": sum(len(pairs) for pairs in self.val),
            },
        }

    def start(self, model: nn.Module) -> None:
        if self.recipe.from_ is not None:
            assert isinstance(model, SentenceEncoder)
            given = encoder_weights(self.recipe.from_, self.config)
            load_weights(model, weights_of(model) | given, self.recipe.from_)


def _objective_loss(
    objective: Objective, model: SentenceEncoder, vectors: Tensor, rows: Rows, scale: Tensor | float
) -> Tensor:
    """The loss of one objective, summed over its pairs, of which there may be none in this process."""
    left, right, negatives = vectors[rows.left], vectors[rows.right], vectors[rows.negatives]
    if objective.kind == "entailment":
        assert model.classifier is not None
        return F.cross_entropy(model.classifier(relation_features(left, right)), rows.labels, reduction="sum")
    left, right, negatives = (F.normalize(part, dim=-1) for part in (left, right, negatives))
    if objective.kind == "graded":
        kinds = {"cosine": similarity_loss, "angle": angular_loss, "order": order_loss}
        return kinds[objective.loss]((left * right).sum(1), rows.grades)
    both = objective.kind == "translation" or (objective.kind == "contrastive" and objective.symmetric)
    texts = [gathered(part)[0] for part in rows.texts]
    everywhere, first = gathered(right)
    keys, key_texts = torch.cat([everywhere, gathered(negatives)[0]]), torch.cat([texts[1], texts[2]])
    places = torch.arange(first, first + len(left), device=left.device)

    def contrast(queries: Tensor, keys: Tensor, mine: Tensor, partners: Tensor, theirs: Tensor) -> Tensor:
        # who says the very same as the query, or as its partner, is no negative
        blocked = (theirs == mine[:, None]) | (theirs == partners[:, None])
        return ranking_loss(queries, keys, places, scale, margin=objective.margin, blocked=blocked)

    loss = contrast(left, keys, rows.texts[0], rows.texts[1], key_texts)
    if both:
        lefts, _ = gathered(left)
        loss = (loss + contrast(right, lefts, rows.texts[1], rows.texts[0], texts[0])) / 2
    return loss
