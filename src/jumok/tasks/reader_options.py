"""Which models read words, and how a recipe's ``model`` keys make one."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Discriminator, Field, Tag, field_validator

from jumok.config import parse
from jumok.data.charset import LETTERS, Charset
from jumok.models.image_to_text_config import ImageToTextConfig
from jumok.tasks.model_options import FromPreset

_SHARED = ("image_size", "max_len", "dim", "heads", "depth", "decoder_depth", "hidden", "dropout")
_CONVOLUTIONS = ("widths", "blocks")
_PATCHES = ("encoder", "patch")


def _presets(names: tuple[str, ...], keys: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Of each preset the sizes that a recipe may change; which other parts it has is the preset's matter."""
    presets = ImageToTextConfig.PRESETS
    return {name: {key: value for key, value in presets[name].items() if key in keys} for name in names}


class ReaderOptions(FromPreset):
    """What readers have in common: a preset, which decides what reads off the text, and the sizes changed in it."""

    preset_: str
    image_size: tuple[int, int] = Field((32, 128), description="pixels: height, and the largest width")
    max_len: int = Field(64, ge=2, description="..-transformer: longest text in characters, its end counted")
    dim: int = Field(256, ge=2, description="width of the Transformer")
    heads: int = Field(4, ge=1, description="attention heads")
    depth: int = Field(3, ge=1, description="Transformer blocks of the encoder")
    decoder_depth: int = Field(2, ge=1, description="..-transformer: Transformer blocks of the decoder")
    hidden: int = Field(1024, ge=1, description="inner width of the feed-forward")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout on embeddings, sublayers and features")

    @field_validator("image_size", "widths", "blocks", mode="before", check_fields=False)
    @classmethod
    def _tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value  # YAML and JSON have no tuples

    @property
    def writes_at_once(self) -> bool:
        """Whether the text is read off with CTC, not written character by character."""
        return bool(ImageToTextConfig.PRESETS[self.preset_]["decoder"] == "ctc")

    def sized(self, channels: int, charset: Charset, prefix: int | None = None) -> ImageToTextConfig:
        """The config of a model for these characters, and of a ViT with `prefix` learned tokens before the patches.

        Raises `UserError` for sizes that do not go together.
        """
        values = self.model_dump(exclude={"preset_"}) | ({} if prefix is None else {"prefix": prefix})
        if self.writes_at_once:  # these are of the other decoder
            values = {key: value for key, value in values.items() if key not in ("max_len", "decoder_depth")}
            values["parts"] = None if (letters := charset.letters()) is None else (LETTERS, len(letters[0]))
        preset = ImageToTextConfig.PRESETS[self.preset_]
        return parse(
            ImageToTextConfig, preset | values | {"channels": channels, "vocab_size": charset.vocab_size}, "model"
        )


class ColumnReader(ReaderOptions):
    """Convolutions, a token for each column of what they see, a Transformer: crops of any width."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = _presets(
        ("reader", "reader-transformer"), (*_SHARED, *_CONVOLUTIONS)
    )

    preset_: Literal["reader", "reader-transformer"] = Field(
        "reader",
        alias="preset",
        description="reader: CTC, all at once; reader-transformer: character by character; "
        "reader-vit, reader-vit-transformer: the same two behind a ViT",
    )
    widths: tuple[int, ...] = Field((32, 64, 128, 256), description="channels of each stage of convolutions")
    blocks: tuple[int, ...] = Field((1, 1, 1, 1), description="residual blocks of each stage, two convolutions each")


class PatchReader(ReaderOptions):
    """A ViT over the crop, which is stretched to one width: its positions are learnt, each its own."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = _presets(
        ("reader-vit", "reader-vit-transformer"), (*_SHARED, *_PATCHES)
    )

    preset_: Literal["reader-vit", "reader-vit-transformer"] = Field(
        "reader-vit",
        alias="preset",
        description="reader-vit: CTC, all at once; reader-vit-transformer: character by character",
    )
    encoder: Literal["vit", "hybrid"] = Field("vit", description="what sees: a ViT, or one with a convolutional stem")
    patch: int = Field(4, ge=1, description="height and width of a patch in pixels")


def _family(values: Any) -> str:
    """By the preset; tags in angle brackets are left out of the keys in messages."""
    given = values.model_dump(by_alias=True) if isinstance(values, BaseModel) else values
    preset = given.get("preset") if isinstance(given, dict) else None
    return "<vit>" if isinstance(preset, str) and preset in PatchReader.PRESETS else "<columns>"


ModelOptions = Annotated[
    Annotated[ColumnReader, Tag("<columns>")] | Annotated[PatchReader, Tag("<vit>")], Discriminator(_family)
]
