"""The groups of keys of an `embed` recipe that are its own: what is learnt from which files, model, training."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from jumok.config import Config
from jumok.data.tokenizer import TokenizerConfig
from jumok.models.sentence_encoder import CONFIGS, AnyConfig, DANConfig, TransformerEncoderConfig
from jumok.tasks.model_options import FromPreset, family
from jumok.training.options import TrainingOptions

Kind = Literal["contrastive", "translation", "dropout", "graded", "entailment"]
_CONTRAST = ("temperature", "learn_temperature", "margin")
_KEYS: dict[Kind, tuple[str, ...]] = {
    "contrastive": (*_CONTRAST, "symmetric"),
    "translation": _CONTRAST,
    "dropout": _CONTRAST,
    "graded": ("loss",),
    "entailment": (),
}


class Objective(Config):
    """One thing to learn, from one set of files; which keys count depends on `kind`."""

    kind: Kind = Field(
        description="contrastive: partners among the others of the batch; translation: the same across two aligned "
        "files, both ways; dropout: a sentence is its own partner (SimCSE); graded: people's grades; entailment: labels"
    )
    files: tuple[str, ...] = Field(strict=False, description="a file, or two aligned ones, below data.folder")
    share: float = Field(1.0, gt=0, description="how much of a batch it fills, beside the others' shares")
    weight: float = Field(1.0, gt=0, description="what its loss counts, beside the others'")
    temperature: float = Field(0.05, gt=0, description="contrastive, translation, dropout: cosines are divided by it")
    learn_temperature: bool = Field(False, description="contrastive, translation, dropout: it is where learning starts")
    margin: float = Field(
        0.0, ge=0, lt=1, description="contrastive, translation, dropout: what the partner has to be nearer by"
    )
    symmetric: bool = Field(True, description="contrastive: partners look for their anchors too")
    loss: Literal["cosine", "angle", "order"] = Field(
        "cosine", description="graded: the square error of the cosine, or of the angle; or only the order of grades"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key in {key for keys in _KEYS.values() for key in keys} - set(_KEYS[self.kind]):
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} means nothing to kind = {self.kind}; drop it")
        most = {"contrastive": (1, 2), "translation": (2,), "dropout": (1,), "graded": (1,), "entailment": (1,)}
        if len(self.files) not in most[self.kind]:
            needed = " or ".join(map(str, most[self.kind]))
            raise ValueError(f"kind = {self.kind} needs {needed} file{'s' * (needed != '1')}, not {len(self.files)}")
        return self


class SentenceData(Config):
    """Where the files of the objectives are, what is validated on, and what must never be learnt."""

    folder: str = Field(description="folder that all files are named from")
    val: tuple[str, ...] = Field(
        (), strict=False, description="files of graded pairs to validate on, never learnt from: STS-B's, KorSTS'"
    )
    retrieval: tuple[str, ...] = Field(
        (), strict=False, description="two aligned files, or one of pairs: does each sentence find its partner?"
    )
    held_out: tuple[str, ...] = Field(
        (), strict=False, description="files of graded pairs whose sentences are left out of the training, as val's are"
    )
    lowercase: bool = Field(False, description="all text is made small, in training and use")


class SentenceTokenizer(TokenizerConfig):
    """How sentences become subword pieces."""

    joint: ClassVar[bool] = True  # type: ignore[misc]


class TransformerOptions(FromPreset, TransformerEncoderConfig):
    """A preset and what is changed in it; the vocabulary size comes from the tokenizer."""

    vocab_size: ClassVar[int] = 4  # type: ignore[misc]
    labels: ClassVar[tuple[str, ...]] = ()  # type: ignore[misc]
    scales: ClassVar[int] = 0  # type: ignore[misc]
    preset_: Literal["base", "small", "bert"] = Field("small", alias="preset", description="sizes to start from")


class DANOptions(FromPreset, DANConfig):
    """A preset and what is changed in it; the vocabulary size comes from the tokenizer."""

    vocab_size: ClassVar[int] = 4  # type: ignore[misc]
    labels: ClassVar[tuple[str, ...]] = ()  # type: ignore[misc]
    scales: ClassVar[int] = 0  # type: ignore[misc]
    preset_: Literal["dan"] = Field("dan", alias="preset", description="sizes to start from")


ModelOptions = Annotated[
    Annotated[TransformerOptions, Tag("<transformer>")] | Annotated[DANOptions, Tag("<dan>")],
    Discriminator(family(CONFIGS, "transformer")),
]


def sized(options: TransformerOptions | DANOptions, **sizes: Any) -> AnyConfig:
    """The config of a model with this vocabulary, these labels and temperatures."""
    return CONFIGS[options.architecture](**options.model_dump(exclude={"preset_"}), **sizes)


class SentenceTraining(TrainingOptions):
    """Training on batches of pairs; what is rarely changed is fixed, to keep the keys few."""

    SIZE: ClassVar = "batch_pairs"
    UNIT: ClassVar = "sentences"

    accumulate: ClassVar[int] = 1  # type: ignore[misc]
    betas: ClassVar[tuple[float, float]] = (0.9, 0.98)  # type: ignore[misc]
    epsilon: ClassVar[float] = 1e-8  # type: ignore[misc]
    average: ClassVar[int] = 0  # type: ignore[misc]
    metric: str = Field(default="spearman", description="which score decides what is best, and early stopping")
    schedule: Literal["inverse_sqrt", "cosine", "constant"] = Field(
        default="cosine", description="learning rate after the warm-up"
    )
    warmup: int = Field(default=500, ge=0, description="steps over which the learning rate rises from 0")
    batch_pairs: int = Field(default=256, ge=1, description="pairs a batch, of all objectives together")
