"""Pictures of generated scenes, and the files of a captioned folder that is made of them."""

import json
import random
from pathlib import Path

import numpy as np
from PIL import Image

from jumok.data.image_file import Pixels
from jumok.data.scenes import Scene, Thing, captions, scenes
from jumok.data.shapes import OUTLINES, filled, restless
from jumok.files import atomic_write

RGB = {
    "red": (225, 45, 45),
    "green": (55, 185, 65),
    "blue": (60, 95, 235),
    "yellow": (240, 220, 55),
    "purple": (165, 65, 205),
    "white": (240, 240, 240),
}
RADII = {"small": (0.09, 0.11), "large": (0.18, 0.21)}  # shares of the picture's side
INNER, OUTER = (0.12, 0.14), (0.31, 0.36)  # of what is inside another thing, and of that
CAPTIONS = 5  # a picture

_DARK = (0, 70)
_TINT = 12.0
_TILT = 0.12
_GAP = (0.1, 0.18)  # between two things that do not touch
_TOUCH = (-0.02, -0.01)
_BLOTCHED = 0.12

Place = tuple[float, float]


def draw_scene(scene: Scene, size: int, rng: random.Random) -> Pixels:
    """A picture (size, size, 3) of `scene`, all that it leaves open drawn from `rng`."""
    picture = np.ones((size, size, 3)) * np.array([rng.uniform(*_DARK) for _ in range(3)])
    for thing, radius, (x, y) in _layout(scene, rng):
        colour = np.array([value + rng.uniform(-_TINT, _TINT) for value in RGB[thing.colour]])
        middle = (size * x, size * y)
        mask = filled(thing.shape, size, size * radius, middle, rng.uniform(-_TILT, _TILT))
        picture = mask * colour + (1 - mask) * picture
    return restless(picture, rng, _BLOTCHED)


def _layout(scene: Scene, rng: random.Random) -> list[tuple[Thing, float, Place]]:
    """Things with radius and place (x, y) as shares of the side, in the order in which they are drawn."""
    first, second = scene.first, scene.second
    near = rng.uniform(*(INNER if scene.relation == "inside" else RADII[first.size]))
    if scene.relation is None or second is None:
        return [(first, near, (_inside(near, near, rng), _inside(near, near, rng)))]
    far = rng.uniform(*(OUTER if scene.relation == "inside" else RADII[second.size]))
    if scene.relation == "inside":
        x, y = _inside(far, far, rng), _inside(far, far, rng)
        shift = 0.25 * (far - near)
        return [(second, far, (x, y)), (first, near, (x + rng.uniform(-shift, shift), y + rng.uniform(-shift, shift)))]
    sideways = scene.relation == "left"
    reach = _reach(first, sideways)[1] * near + _reach(second, sideways)[0] * far
    distance = reach + (rng.uniform(*_TOUCH) if scene.relation == "on" else rng.uniform(*_GAP))
    aside = 0.3 * (near + far) if scene.relation != "on" else 0.1 * far
    slip = rng.uniform(-aside, aside)
    along = _inside(near, distance + far, rng)  # of the first thing, where there is room for the second behind it
    across = _inside(max(near, far) + abs(slip) / 2, max(near, far) + abs(slip) / 2, rng)
    places = ((along, across - slip / 2), (along + distance, across + slip / 2))
    if scene.relation != "left":
        places = ((places[0][1], places[0][0]), (places[1][1], places[1][0]))
    return [(second, far, places[1]), (first, near, places[0])]


def _reach(thing: Thing, sideways: bool) -> tuple[float, float]:
    """How far the thing reaches from its middle, in radii: to the left and right, or up and down."""
    places = [point[0 if sideways else 1] for outline in OUTLINES[thing.shape] for point in outline]
    return -min(places), max(places)


def _inside(before: float, after: float, rng: random.Random) -> float:
    """A place with so much room on either side, as far as there is some."""
    return rng.uniform(min(before, 0.5), max(1 - after, min(before, 0.5)))


def write_scenes(folder: Path, train: int, val: int, size: int, seed: int = 1) -> None:
    """`train.jsonl`, `val.jsonl` and `images/*.png` as a user has them. Raises `OSError` if that fails."""
    (folder / "images").mkdir()
    for split, count in (("train", train), ("val", val)):
        rows = []
        for number, (scene, rng) in enumerate(scenes(count, seed, split)):
            name = f"images/{split}-{number:05d}.png"
            Image.fromarray(draw_scene(scene, size, rng)).save(folder / name)
            rows.append(json.dumps({"image": name, "captions": captions(scene, CAPTIONS, rng)}))
        atomic_write(folder / f"{split}.jsonl", "".join(f"{row}\n" for row in rows))
