"""The ``model`` keys of a `translate` recipe: which family of model, a preset of it, and what is changed in that."""

from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from jumok.models.convs2s import ConvS2SConfig
from jumok.models.seq2seq import Seq2SeqConfig
from jumok.models.transformer import TransformerConfig
from jumok.models.translators import CONFIGS, TranslatorConfig
from jumok.tasks.model_options import FromPreset, family


class TransformerOptions(FromPreset, TransformerConfig):
    """A preset and what is changed in it; the vocabulary sizes come from the tokenizer."""

    source_vocab: ClassVar[int] = 4  # type: ignore[misc]
    target_vocab: ClassVar[int] = 4  # type: ignore[misc]
    preset_: Literal["base", "big", "small", "tiny"] = Field("base", alias="preset", description="sizes to start from")


class Seq2SeqOptions(FromPreset, Seq2SeqConfig):
    """A preset and what is changed in it; the vocabulary sizes come from the tokenizer."""

    source_vocab: ClassVar[int] = 4  # type: ignore[misc]
    target_vocab: ClassVar[int] = 4  # type: ignore[misc]
    preset_: Literal["small", "sutskever", "cho", "bahdanau", "luong"] = Field(
        "small", alias="preset", description="a paper's model, or sizes for small data, to start from"
    )


class ConvS2SOptions(FromPreset, ConvS2SConfig):
    """A preset and what is changed in it; the vocabulary sizes come from the tokenizer."""

    source_vocab: ClassVar[int] = 4  # type: ignore[misc]
    target_vocab: ClassVar[int] = 4  # type: ignore[misc]
    preset_: Literal["small", "convs2s", "bytenet"] = Field(
        "small", alias="preset", description="a paper's model, or sizes for small data, to start from"
    )


ModelOptions = Annotated[
    Annotated[TransformerOptions, Tag("<transformer>")]
    | Annotated[Seq2SeqOptions, Tag("<seq2seq>")]
    | Annotated[ConvS2SOptions, Tag("<convs2s>")],
    Discriminator(family(CONFIGS, "transformer")),
]


def sized(options: TransformerOptions | Seq2SeqOptions | ConvS2SOptions, source: int, target: int) -> TranslatorConfig:
    """The config of a model with vocabularies of these sizes."""
    values = options.model_dump(exclude={"preset_"})
    return CONFIGS[options.architecture](source_vocab=source, target_vocab=target, **values)
