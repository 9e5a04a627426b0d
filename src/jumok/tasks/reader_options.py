"""Which models read words, and how a recipe's ``model`` keys make one."""

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from jumok.config import parse
from jumok.models.image_to_text_config import ImageToTextConfig
from jumok.tasks.model_options import FromPreset

PRESETS = ("reader", "reader-transformer")
SIZES = (
    "image_size", "max_len", "widths", "blocks", "dim", "heads", "depth", "decoder_depth", "hidden", "dropout",
)  # fmt: skip


class ReaderOptions(FromPreset):
    """A preset and the sizes that are changed in it; which parts it has is the preset's matter."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        name: {key: value for key, value in ImageToTextConfig.PRESETS[name].items() if key in SIZES} for name in PRESETS
    }

    preset_: Literal["reader", "reader-transformer"] = Field(
        "reader", alias="preset", description="reader: CTC, all at once; reader-transformer: character by character"
    )
    image_size: tuple[int, int] = Field((32, 128), description="pixels: height, and the largest width")
    max_len: int = Field(64, ge=2, description="reader-transformer: longest text in characters, its end counted")
    widths: tuple[int, ...] = Field((32, 64, 128, 256), description="channels of each stage of convolutions")
    blocks: tuple[int, ...] = Field((1, 1, 1, 1), description="residual blocks of each stage, two convolutions each")
    dim: int = Field(256, ge=2, description="width of the Transformer")
    heads: int = Field(4, ge=1, description="attention heads")
    depth: int = Field(3, ge=1, description="Transformer blocks of the encoder")
    decoder_depth: int = Field(2, ge=1, description="reader-transformer: Transformer blocks of the decoder")
    hidden: int = Field(1024, ge=1, description="inner width of the feed-forward")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout on embeddings, sublayers and features")

    @field_validator("image_size", "widths", "blocks", mode="before")
    @classmethod
    def _tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value  # YAML and JSON have no tuples

    @property
    def writes_at_once(self) -> bool:
        """Whether the text is read off with CTC, not written character by character."""
        return bool(ImageToTextConfig.PRESETS[self.preset_]["decoder"] == "ctc")

    def sized(self, channels: int, vocab_size: int) -> ImageToTextConfig:
        """The config of a model for so many tokens. Raises `UserError` for sizes that do not go together."""
        values = self.model_dump(exclude={"preset_"})
        if self.writes_at_once:  # these are of the other decoder
            values = {key: value for key, value in values.items() if key not in ("max_len", "decoder_depth")}
        preset = ImageToTextConfig.PRESETS[self.preset_]
        return parse(ImageToTextConfig, preset | values | {"channels": channels, "vocab_size": vocab_size}, "model")
