"""The peer of the rendering rows: Pillow draws the word black on white, cut to its letters. Nothing can be plainer."""

import random
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from benchmarks.render import serve
from jumok.data.fonts import Face

SIZE = 32


@lru_cache(maxsize=512)
def opened(path: str, number: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, SIZE, index=number)


class Plain:
    """Draws words with faces drawn by lot."""

    def __init__(self, found: list[Face]) -> None:
        self.files = [(str(face.path), face.number) for face in found]

    def __call__(self, word: str, numbers: tuple[int, ...]) -> Image.Image:
        font = opened(*random.Random(repr(numbers)).choice(self.files))
        left, top, right, bottom = (int(edge) for edge in font.getbbox(word))
        image = Image.new("RGB", (max(1, right - left), max(1, bottom - top)), "white")
        ImageDraw.Draw(image).text((-left, -top), word, font=font, fill="black")
        return image


if __name__ == "__main__":
    serve(Plain, "pillow")
