"""The ``model`` keys of a `translate` recipe: which family of model, a preset of it, and what is changed in that."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from jumok.errors import UserError
from jumok.models.convs2s import ConvS2SConfig
from jumok.models.encoder_decoder import EncoderDecoderConfig
from jumok.models.seq2seq import Seq2SeqConfig
from jumok.models.transformer import TransformerConfig
from jumok.models.translators import CONFIGS, TranslatorConfig


class TransformerOptions(TransformerConfig):
    """A preset and what is changed in it; the vocabulary sizes come from the tokenizer."""

    source_vocab: ClassVar[int] = 4  # type: ignore[misc]
    target_vocab: ClassVar[int] = 4  # type: ignore[misc]
    preset_: Literal["base", "big", "small", "tiny"] = Field("base", alias="preset", description="sizes to start from")

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, values: Any) -> Any:
        return _with_preset(cls, values)


class Seq2SeqOptions(Seq2SeqConfig):
    """A preset and what is changed in it; the vocabulary sizes come from the tokenizer."""

    source_vocab: ClassVar[int] = 4  # type: ignore[misc]
    target_vocab: ClassVar[int] = 4  # type: ignore[misc]
    preset_: Literal["small", "sutskever", "cho", "bahdanau", "luong"] = Field(
        "small", alias="preset", description="a paper's model, or sizes for small data, to start from"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, values: Any) -> Any:
        return _with_preset(cls, values)


class ConvS2SOptions(ConvS2SConfig):
    """A preset and what is changed in it; the vocabulary sizes come from the tokenizer."""

    source_vocab: ClassVar[int] = 4  # type: ignore[misc]
    target_vocab: ClassVar[int] = 4  # type: ignore[misc]
    preset_: Literal["small", "convs2s", "bytenet"] = Field(
        "small", alias="preset", description="a paper's model, or sizes for small data, to start from"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, values: Any) -> Any:
        return _with_preset(cls, values)


def _family(values: Any) -> str:
    # what is no group of keys is refused by name, as the default family
    given = values.model_dump() if isinstance(values, BaseModel) else values if isinstance(values, dict) else {}
    family = given.get("architecture", "transformer")
    if not isinstance(family, str) or family not in CONFIGS:
        raise UserError(f"model.architecture = {family!r} is not one of {', '.join(CONFIGS)}")
    return f"<{family}>"


# tags in angle brackets are left out of the keys that messages name
ModelOptions = Annotated[
    Annotated[TransformerOptions, Tag("<transformer>")]
    | Annotated[Seq2SeqOptions, Tag("<seq2seq>")]
    | Annotated[ConvS2SOptions, Tag("<convs2s>")],
    Discriminator(_family),
]


def sized(options: TransformerOptions | Seq2SeqOptions | ConvS2SOptions, source: int, target: int) -> TranslatorConfig:
    """The config of a model with vocabularies of these sizes."""
    values = options.model_dump(exclude={"preset_"})
    return CONFIGS[options.architecture](source_vocab=source, target_vocab=target, **values)


def _with_preset(options: type[EncoderDecoderConfig], values: Any) -> Any:
    name = values.get("preset", options.model_fields["preset_"].default) if isinstance(values, dict) else None
    sizes = options.PRESETS.get(name) if isinstance(name, str) else None
    return values if sizes is None else sizes | values
