"""What a user may say about training: one frozen group of keys, `training` in a recipe."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from jumok.config import Config
from jumok.errors import UserError


class TrainingOptions(Config):
    """How a model is trained: optimiser, schedule, limits, validation, what is kept; a subclass has a batch's size.

    `SIZE` is the key of that size; `UNIT` is what it, and the rate of training, is counted in.
    At least one of `steps`, `epochs`, `minutes` must be set; the first one reached ends the training.
    Raises `UserError` without a limit, and for a cosine schedule without a planned end (`steps` or `epochs`).
    """

    SIZE: ClassVar[str]
    UNIT: ClassVar[str]

    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="arithmetic; auto: by a committed table"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: the GPU if there is one")
    devices: int = Field(default=1, ge=1, description="processes on this machine, one a device (torchrun sets its own)")
    threads: int | None = Field(
        default=None, ge=1, description="threads a process; null: the cores shared by the processes"
    )
    accumulate: int = Field(default=1, ge=1, description="batches a process adds up before one step of the optimiser")
    optimizer: Literal["adamw", "muon"] = Field(
        default="adamw", description="muon: for the matrices of Transformer blocks, and AdamW for the others"
    )
    learning_rate: float = Field(default=5e-4, gt=0, description="the highest learning rate, reached after the warm-up")
    schedule: Literal["inverse_sqrt", "cosine", "constant"] = Field(
        default="inverse_sqrt", description="learning rate after the warm-up"
    )
    warmup: int = Field(default=4000, ge=0, description="steps over which the learning rate rises from 0")
    weight_decay: float = Field(default=0.0, ge=0, description="decay of weights, but not of norms, biases, positions")
    betas: tuple[float, float] = Field(
        default=(0.9, 0.98), strict=False, description="AdamW's decay of its two moments"
    )
    epsilon: float = Field(default=1e-9, gt=0, description="AdamW's constant in the denominator")
    clip: float = Field(default=1.0, ge=0, description="largest gradient norm, 0 = no clipping")
    steps: int | None = Field(default=None, ge=1, description="stop after so many steps")
    epochs: int | None = Field(default=None, ge=1, description="stop after so many passes over the data")
    minutes: float | None = Field(
        default=None, gt=0, description="stop after so many minutes, earlier sessions counted"
    )
    ema: float = Field(default=0.0, ge=0, lt=1, description="decay of the moving average of the weights, 0 = off")
    average: int = Field(
        default=0, ge=0, description="at the end try the mean of the last N validated weights, 0 = off"
    )
    validate_every: int = Field(default=0, ge=0, description="steps between validations, 0 = after each epoch")
    metric: str = Field(default="bleu", description="which score decides what is best, and early stopping")
    patience: int = Field(default=0, ge=0, description="stop after so many validations without a better score, 0 = off")
    save_every: int = Field(default=500, ge=0, description="steps between saved states, 0 = at each validation only")
    keep: int = Field(default=2, ge=1, description="how many saved states are kept")
    log_every: int = Field(default=20, ge=1, description="steps between lines of metrics.jsonl")
    tensorboard: bool = Field(default=True, description="also write TensorBoard files, under RUN/tensorboard")

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if self.steps is None and self.epochs is None and self.minutes is None:
            raise UserError("training has no end; set training.steps, training.epochs or training.minutes")
        if self.schedule == "cosine" and self.steps is None and self.epochs is None:
            raise UserError(
                "training.schedule = cosine falls to its planned end, so it needs training.steps or training.epochs"
                " (training.minutes alone cannot plan it; inverse_sqrt and constant can do without)"
            )
        return self

    @property
    def loaders(self) -> int | None:
        """Processes that load batches ahead; 0: the training process itself; None: as many as pay off here."""
        return 0


class TextTraining(TrainingOptions):
    """Training on token batches of sentences of like length."""

    SIZE: ClassVar = "batch_tokens"
    UNIT: ClassVar = "tokens"

    batch_tokens: int = Field(default=4096, ge=1, description="target tokens a batch, padding counted")


class ImageTraining(TrainingOptions):
    """Training on batches of so many images; what is rarely changed is fixed, to keep the keys few."""

    SIZE: ClassVar = "batch_images"
    UNIT: ClassVar = "images"

    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)  # type: ignore[misc]
    epsilon: ClassVar[float] = 1e-8  # type: ignore[misc]
    threads: ClassVar[int | None] = None  # type: ignore[misc]
    clip: ClassVar[float] = 1.0  # type: ignore[misc]
    average: ClassVar[int] = 0  # type: ignore[misc]
    patience: ClassVar[int] = 0  # type: ignore[misc]
    metric: str = Field(default="top1", description="which score decides what is best, and early stopping")
    schedule: Literal["inverse_sqrt", "cosine", "constant"] = Field(
        default="cosine", description="learning rate after the warm-up"
    )
    warmup: int = Field(default=500, ge=0, description="steps over which the learning rate rises from 0")
    weight_decay: float = Field(
        default=0.05, ge=0, description="decay of weights, but not of norms, biases, positions, tokens in front"
    )
    batch_images: int = Field(default=128, ge=1, description="images a batch")
    workers: int | None = Field(
        default=None, ge=0, description="processes that load images ahead; empty: none on a CPU, which has no core left"
    )

    @property
    def loaders(self) -> int | None:
        return self.workers
