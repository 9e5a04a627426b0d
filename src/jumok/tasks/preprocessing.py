"""How pixels became what a model saw in training, stored in the run: `preprocessing.json`."""

from pydantic import Field

from jumok.data.augment import Normalization
from jumok.data.stored import Stored


class PixelPreprocessing(Stored):
    """What the preprocessing of all models of images has; each job adds its own."""

    FILE = "preprocessing.json"

    channels: int = Field(ge=1, le=4, description="1 grey, 2 with alpha, 3 RGB, 4 RGBA")
    mean: tuple[float, ...] = Field(strict=False, description="of each channel, on 0-1")
    std: tuple[float, ...] = Field(strict=False, description="of each channel, on 0-1")

    @property
    def normalization(self) -> Normalization:
        return Normalization(self.mean, self.std)


class SquarePreprocessing(PixelPreprocessing):
    """The same of a model that sees the centre square of an image."""

    size: int = Field(ge=1, description="side of the centre square in pixels")
