"""Jumok's side of the rendering rows: everything on, words set downward among them."""

from benchmarks.render import Draw, serve
from jumok.data.fonts import Face
from jumok.data.render import RenderOptions, WordRenderer


def make(found: list[Face]) -> Draw:
    return WordRenderer(sorted({face.path for face in found}), RenderOptions(vertical=0.1))


if __name__ == "__main__":
    serve(make, "jumok", "pillow")
