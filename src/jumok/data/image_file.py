"""One image file as pixels: whatever Pillow reads, upright, in 8 bits, with the channels that were asked for."""

import math
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np

from jumok.errors import UserError

MISSING = "images need Pillow and kornia: pip install 'jumok[images]'"

try:
    from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
except ModuleNotFoundError as error:
    raise UserError(MISSING) from error

Pixels = np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
"""(H, W, C), 0-255."""

MAX_PIXELS = 80_000_000  # below the number at which Pillow itself begins to warn
ABSENT = "there is no such file"  # the reason of a `BadImage` whose file is not there
_TOO_LARGE = f"more than {MAX_PIXELS:,} pixels; it was not opened, shrink it first"

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

_OPAQUE = {1: "L", 3: "RGB"}
_TRANSPARENT = {"LA", "La", "PA", "RGBA", "RGBa"}

# An image between Pillow's limit and twice that only makes it warn; here it is refused by its size, in one way.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class BadImage(Exception):
    """A file that cannot be used as an image; the message is the reason, without the path."""


def decode(path: Path | bytes, channels: int = 3, shorter: int | None = None) -> tuple[Pixels, tuple[int, int]]:
    """The picture in `path`, or in a file's bytes, as (H, W, channels), and the (width, height) it says it has.

    It is turned as its EXIF data say; of an animation the first frame is taken. Transparent pixels are laid over
    white where `channels` (1 grey, 3 RGB) has no place for alpha. 16-bit and floating-point images are scaled to
    0-255, not cut. With `shorter`, a larger image is shrunk, antialiased, to so many pixels on its shorter side
    (JPEG already while it is decoded, which is quicker).

    Raises `BadImage` for what is empty, damaged, no image, or larger than `MAX_PIXELS`, which is never decoded.
    """
    try:
        # the format of the ending is tried first, which saves looking at the file with every other one
        ending = path.suffix.lower() if isinstance(path, Path) else ""
        likely = [name for name in (Image.registered_extensions().get(ending),) if name]
        with Image.open(BytesIO(path) if isinstance(path, bytes) else path, formats=[*likely, *Image.ID]) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise BadImage(f"it has {width:,} x {height:,}, {_TOO_LARGE}")
            if shorter is not None:
                scale = shorter / min(width, height)
                image.draft(None, (math.ceil(width * scale), math.ceil(height * scale)))
            # read before loading: afterwards Pillow forgets the tag of some formats
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
            image.load()
            upright = ImageOps.exif_transpose(image) if turned else image
            plain = _converted(upright, channels)
    except BadImage:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage(f"it has {_TOO_LARGE}") from None
    except Exception as error:  # on damaged files the readers of Pillow raise nearly everything
        raise BadImage(_reason(path, error)) from error
    if shorter is not None:
        plain = shrink(plain, shorter)
    pixels = np.array(plain)
    return pixels if pixels.ndim == 3 else pixels[:, :, None], (width, height)


def is_image(path: Path) -> bool:
    """Whether the ending of `path` is that of an image."""
    return path.suffix.lower() in Image.registered_extensions()


def shrink(image: Image.Image, shorter: int) -> Image.Image:
    """`image` with its shorter side at most `shorter`, the aspect kept."""
    scale = shorter / min(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def centre(pixels: Pixels, size: int) -> Pixels:
    """The centre (size, size, C) of an image whose shorter side has been brought to `size`: what evaluation sees."""
    height, width, _ = pixels.shape
    if (height, width) == (size, size):
        return pixels
    side = min(height, width)
    top, left = (height - side) / 2, (width - side) / 2
    return resized(pixels, (left, top, left + side, top + side), size)


def resized(pixels: Pixels, box: tuple[float, float, float, float], size: int) -> Pixels:
    """The region `box` (left, top, right, bottom) as (size, size, C), antialiased."""
    channels = pixels.shape[2]
    image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels, MODES[channels])
    result = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box))
    return result if channels > 1 else result[:, :, None]


def _converted(image: Image.Image, channels: int) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    elif image.mode == "1":
        image = image.convert("L")
    if image.mode == "P":  # a palette may have one transparent colour, or an alpha for each
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif "transparency" in image.info and image.mode in ("L", "RGB"):
        image = image.convert("LA" if image.mode == "L" else "RGBA")
    if image.mode in _TRANSPARENT and channels in _OPAQUE:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode not in ("L", "LA", "RGB", "RGBA"):  # CMYK, YCbCr, HSV and the like
        image = image.convert("RGB")
    return image if image.mode == MODES[channels] else image.convert(MODES[channels])


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of more bits, as 8: 16-bit values by 257; wider ones by the least of the usual white points that fits."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    if image.mode.startswith("I;16"):
        white = 65535.0
    else:
        whites = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
        white = next((white for white in whites if values.max() <= white), values.max())
    return Image.fromarray(np.rint(255 * np.clip(values / white, 0, 1)).astype(np.uint8))


def _reason(path: Path | bytes, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return ABSENT
    try:
        if not (len(path) if isinstance(path, bytes) else path.stat().st_size):
            return "the file is empty"
    except OSError:
        pass
    if isinstance(error, UnidentifiedImageError):
        return "no image that Pillow can read"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
