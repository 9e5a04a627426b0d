"""ViT (Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words") and DeiT (Touvron et al. 2021): images to classes.

Feed-forwards start from Glorot's uniform and patches from variance 1 / fan-in, as ViT's authors have it; tokens,
learned positions and heads from a normal of standard deviation 0.02, cut at 2, as DeiT's. Attention starts as
`Attention.start_mimetic` has it, which small data need.
"""

from typing import ClassVar, Generic, Literal, NamedTuple, TypeVar

from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from jumok.models.image_classifier import ImageClassifierConfig, ImageConfig, class_head
from jumok.nn.image import (
    ConvolutionalStem,
    GridPositions,
    ImageEncoder,
    PatchEmbedding,
    PatchInput,
    grid_positions,
)
from jumok.nn.state import Encoded
from jumok.nn.transformer import EncoderBlock


class PatchTransformerConfig(ImageConfig):
    """The body that ViT and DeiT have in common; the defaults are those of ViT-S/16."""

    PRESETS: ClassVar = {
        # B and L: Dosovitskiy 2021, Table 1; Ti and S: Touvron 2021, Table 1
        "ti": {"dim": 192, "heads": 3, "depth": 12, "hidden": 768},
        "s": {"dim": 384, "heads": 6, "depth": 12, "hidden": 1536},
        "b": {"dim": 768, "heads": 12, "depth": 12, "hidden": 3072},
        "l": {"dim": 1024, "heads": 16, "depth": 24, "hidden": 4096},
        # for small sets of small images
        "small": {"image_size": 32, "patch": 4, "dim": 192, "heads": 4, "depth": 8, "hidden": 384},
    }

    patch: int = Field(16, ge=1, description="height and width of a patch in pixels, P")
    dim: int = Field(384, ge=1, description="width of the model, D")
    heads: int = Field(6, ge=1, description="attention heads")
    depth: int = Field(12, ge=1, description="encoder blocks, L")
    hidden: int = Field(1536, ge=1, description="inner width of the feed-forward")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout on the patch input and on sublayers")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="dropout on attention weights")
    patch_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the patches that a training step leaves out: less work, and a regulariser",
    )
    stochastic_depth: float = Field(
        0.0, ge=0, lt=1, description="chance that a sample skips a sublayer of the last block; lower blocks less"
    )
    positions: GridPositions = Field("learned", description="how positions enter: learned, sinusoidal (2-D) or none")
    stem: Literal["patches", "convolutional", "deep"] = Field(
        "patches", description="what makes patches vectors: a linear map, convolutions (the hybrid), or twice as many"
    )
    norm_epsilon: float = Field(1e-6, gt=0, description="epsilon of the layer norms")
    checkpointing: bool = Field(False, description="compute blocks again for the gradient: less memory, more time")

    @model_validator(mode="after")
    def _check(self) -> "PatchTransformerConfig":
        if self.dim % self.heads:
            raise ValueError(f"dim = {self.dim} is not a multiple of heads = {self.heads}")
        if min(self.size) < self.patch:
            raise ValueError(f"image_size = {self.image_size} is smaller than patch = {self.patch}")
        if any(side % self.patch for side in self.size):
            raise ValueError(f"image_size = {self.image_size} is not a multiple of patch = {self.patch}")
        if self.positions == "sinusoidal" and self.dim % 4:
            raise ValueError(f"positions = sinusoidal needs a dim that is a multiple of 4, not {self.dim}")
        if self.stem != "patches" and (self.patch < 2 or self.patch & (self.patch - 1)):
            raise ValueError(f"stem = {self.stem} needs a patch that is a power of 2, not {self.patch}")
        return self

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width of an image in patches."""
        return self.size[0] // self.patch, self.size[1] // self.patch


class ViTConfig(PatchTransformerConfig, ImageClassifierConfig):
    """Sizes of a ViT."""

    architecture: Literal["vit"] = Field("vit", description="the family: vit, deit or resnet")
    pool: Literal["class", "mean"] = Field(
        "class", description="what the head reads: the class token, or without one the mean of the patches"
    )
    distillation_token: bool = Field(
        False, description="a second token that no head reads, as in published DeiT models without their teacher's head"
    )

    @model_validator(mode="after")
    def _check_tokens(self) -> "ViTConfig":
        if self.distillation_token and self.pool == "mean":
            raise ValueError("distillation_token = true goes with pool = class")
        return self

    @property
    def prefix(self) -> int:
        """How many learned tokens stand before the patches."""
        return 0 if self.pool == "mean" else 1 + self.distillation_token


class DeiTConfig(PatchTransformerConfig, ImageClassifierConfig):
    """Sizes of a DeiT with its distillation token."""

    architecture: Literal["deit"] = Field("deit", description="the family: vit, deit or resnet")

    @property
    def prefix(self) -> int:
        """The class token and the distillation token."""
        return 2


def _patches(config: PatchTransformerConfig) -> PatchEmbedding | ConvolutionalStem:
    sizes = config.channels, config.dim, config.patch
    return PatchEmbedding(*sizes) if config.stem == "patches" else ConvolutionalStem(*sizes, deep=config.stem == "deep")


def image_encoder(config: PatchTransformerConfig, prefix: int) -> ImageEncoder:
    """Patches through the encoder of the house, pre-norm and with GELU; `prefix` learned tokens in front of them."""
    tokens = PatchInput(
        _patches(config),
        grid_positions(config.positions, prefix, config.grid, config.dim),
        prefix=prefix,
        dim=config.dim,
        size=config.size,
        dropout=config.dropout,
        patch_dropout=config.patch_dropout,
    )
    blocks = [
        EncoderBlock(
            config.dim,
            config.heads,
            config.hidden,
            dropout=config.dropout,
            attention_dropout=config.attention_dropout,
            # linear decay of survival (Huang et al. 2016, eq. 4)
            stochastic_depth=config.stochastic_depth * block / config.depth,
            norm="pre",
            norm_epsilon=config.norm_epsilon,
            activation="gelu",
        )
        for block in range(1, config.depth + 1)
    ]
    for block in blocks:
        block.attention.start_mimetic()
    last = nn.LayerNorm(config.dim, config.norm_epsilon)
    return ImageEncoder(tokens, blocks, last, grid=config.grid, checkpointing=config.checkpointing)


C_co = TypeVar("C_co", bound=PatchTransformerConfig, covariant=True)


class PatchTransformer(nn.Module, Generic[C_co]):
    """The image encoder and what is known of its layers: what ViT and DeiT put their heads on."""

    def __init__(self, config: C_co, prefix: int) -> None:
        super().__init__()
        self.config = config
        self.encoder = image_encoder(config, prefix)

    def encode(self, images: Float[Tensor, "B C H W"]) -> Encoded:
        """Features of the tokens in front, then of each patch; raises ValueError for another size than built for."""
        encoded: Encoded = self.encoder(images)
        return encoded

    def layers(self) -> dict[str, int]:
        """Each parameter's depth: 0 for the patch input, ``i + 1`` for block i, ``depth + 1`` for the norm and heads.

        For rates that decay from layer to layer when a trained body is tuned (Clark et al. 2020, ELECTRA).
        """
        return {name: self._layer(name) for name, _ in self.named_parameters()}

    def _layer(self, name: str) -> int:
        if name.startswith("encoder.tokens."):
            return 0
        if name.startswith("encoder.blocks."):
            return int(name.split(".")[2]) + 1
        return self.config.depth + 1


class ViT(PatchTransformer[ViTConfig]):
    """``y = z_L^0 W`` with ``z_L`` the encoder's normalised output (eq. 2-4): class logits."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config, config.prefix)
        self.head = class_head(config.dim, config.classes)

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B classes"]:
        # where the head reads the class token, the last block need not work for the others
        features = self.encoder(images, self.config.prefix or None).features
        pooled = features[:, 0] if self.config.pool == "class" else features.mean(1)
        logits: Tensor = self.head(pooled)
        return logits


class Pair(NamedTuple):
    """DeiT's two opinions: logits of the class token, and of the distillation token."""

    classes: Float[Tensor, "B classes"]
    distilled: Float[Tensor, "B classes"]


class DeiT(PatchTransformer[DeiTConfig]):
    """ViT with a distillation token whose own head learns from a teacher (Touvron 2021, section 4)."""

    def __init__(self, config: DeiTConfig) -> None:
        super().__init__(config, config.prefix)
        self.head = class_head(config.dim, config.classes)
        self.distilled_head = class_head(config.dim, config.classes)

    def forward(self, images: Float[Tensor, "B C H W"]) -> Pair:
        features = self.encoder(images, self.config.prefix).features
        return Pair(self.head(features[:, 0]), self.distilled_head(features[:, 1]))
