"""A flat word seen by a camera: bent, sheared, turned and in perspective, all in one resampling of its mask."""

import math
from dataclasses import dataclass, replace
from random import Random

from PIL import Image

from jumok.data.render_letters import Box

Point = tuple[float, float]

_CELL = 16  # pixels of a bent image that are resampled as one quadrilateral


@dataclass(frozen=True)
class View:
    """How points of a plane are seen.

    With (x, y) relative to `middle` and, where `radius` is not infinite, bent around a circle of that radius below
    (above if negative), first

        (u, v) = L (x, y),   L = linear,
        (X, Y) = (u, v) / (1 + p u + q v),   (p, q) = vanish,

    and the image begins at `corner` of the plane of (X, Y); it is `size` large.
    """

    linear: tuple[float, float, float, float]
    vanish: Point
    radius: float
    middle: Point
    corner: Point = (0.0, 0.0)
    size: tuple[int, int] = (1, 1)

    def seen(self, x: float, y: float) -> Point:
        """(X, Y) of a point of the plane."""
        x, y = x - self.middle[0], y - self.middle[1]
        if math.isfinite(self.radius):
            angle, reach = x / self.radius, self.radius - y
            x, y = reach * math.sin(angle), self.radius - reach * math.cos(angle)
        a, b, c, d = self.linear
        u, v = a * x + b * y, c * x + d * y
        depth = 1 + self.vanish[0] * u + self.vanish[1] * v
        return u / depth, v / depth

    def coefficients(self) -> tuple[float, ...]:
        """(a .. h) of x = (a i + b j + c) / (g i + h j + 1), y = (d i + e j + f) / (g i + h j + 1), pixel (i, j).

        Here (x, y) is what is bent afterwards, or the point itself where nothing is bent.
        """
        a, b, c, d = self.linear
        det = a * d - b * c
        inverse = d / det, -b / det, -c / det, a / det
        (p, q), (left, top), (x, y) = self.vanish, self.corner, self.middle
        depth = 1 - p * left - q * top
        rows: list[float] = []
        for (across, down), centre in ((inverse[:2], x), (inverse[2:], y)):
            rows += [across - centre * p, down - centre * q, across * left + down * top + centre * depth]
        return tuple(value / depth for value in (*rows, -p, -q))

    def warp(self, mask: Image.Image) -> Image.Image:
        """`mask` as it is seen; 0 where it does not reach."""
        way = Image.Resampling.BILINEAR
        values = self.coefficients()
        if not math.isfinite(self.radius):
            return mask.transform(self.size, Image.Transform.PERSPECTIVE, values, way)
        width, height = self.size
        columns, rows = (max(2, round(side / _CELL)) for side in (width, height))
        xs = [round(width * i / columns) for i in range(columns + 1)]
        ys = [round(height * j / rows) for j in range(rows + 1)]
        grid = [[self._source(values, x, y) for y in ys] for x in xs]
        mesh = [
            (
                (xs[i], ys[j], xs[i + 1], ys[j + 1]),
                (*grid[i][j], *grid[i][j + 1], *grid[i + 1][j + 1], *grid[i + 1][j]),
            )
            for i in range(columns)
            for j in range(rows)
        ]
        return mask.transform(self.size, Image.Transform.MESH, mesh, way)

    def _source(self, values: tuple[float, ...], i: float, j: float) -> Point:
        a, b, c, d, e, f, g, h = values
        depth = g * i + h * j + 1
        x, y = (a * i + b * j + c) / depth - self.middle[0], (d * i + e * j + f) / depth - self.middle[1]
        side = math.copysign(1.0, self.radius)
        reach = side * math.hypot(x, self.radius - y)
        return (
            self.radius * math.atan2(side * x, side * (self.radius - y)) + self.middle[0],
            self.radius - reach + self.middle[1],
        )


def view(
    box: Box, scale: float, rng: Random, *, perspective: float, curve: float, turn: float, squeeze: float = 1.0
) -> View:
    """A view of `box`, `scale` times as large before it is turned; `perspective` and `curve` on 0-1.

    `turn` is an angle in radians that is added to the drawn one, `squeeze` a factor of the width.
    """
    left, top, right, bottom = box
    wide, high = max(right - left, 1.0), max(bottom - top, 1.0)
    steep = rng.random() < 0.35  # photographed from the side, rather than by someone who stood before it
    spread = perspective * (2.2 if steep else 0.8)
    angle = math.radians(rng.gauss(0, 5)) * spread + turn
    shear = rng.gauss(0, 0.1) * spread
    stretch = squeeze * math.exp(perspective * rng.gauss(0, 0.17))
    if steep:
        stretch *= 1 - perspective * rng.uniform(0, 0.5)
    a, b, c, d = scale * stretch, scale * shear, 0.0, scale
    cos, sin = math.cos(angle), math.sin(angle)
    linear = cos * a - sin * c, cos * b - sin * d, sin * a + cos * c, sin * b + cos * d
    # at the ends of the word the depth is 1 +- this
    ends = [max(-0.35, min(0.35, rng.gauss(0, 0.09) * spread)) for _ in range(2)]
    reach = 0.5 * scale * math.hypot(wide * stretch, high)
    vanish = ends[0] * cos / reach, ends[0] * sin / reach + 0.3 * ends[1] / reach
    radius = math.inf
    if rng.random() < 0.15 * curve:
        bend = rng.uniform(0.25, 1.3) * math.copysign(1.0, rng.random() - 0.4)
        radius = math.copysign(max(wide / abs(bend), 1.2 * high), bend)
    return View(linear, vanish, radius, ((left + right) / 2, (top + bottom) / 2))


def framed(seen: View, box: Box, margins: Box, widest: int) -> View:
    """`seen` with an image around `box` and `margins` in pixels, no wider or higher than `widest`."""
    left, top, right, bottom = box
    steps = 8 if math.isfinite(seen.radius) else 1
    edge = [left + (right - left) * i / steps for i in range(steps + 1)]
    points = [seen.seen(x, y) for x in edge for y in (top, bottom)]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    corner = min(xs) - margins[0], min(ys) - margins[1]
    width, height = max(xs) + margins[2] - corner[0], max(ys) + margins[3] - corner[1]
    shrink = min(1.0, widest / max(width, height))
    if shrink < 1:
        a, b, c, d = (value * shrink for value in seen.linear)
        p, q = (value / shrink for value in seen.vanish)
        seen = replace(seen, linear=(a, b, c, d), vanish=(p, q))
        corner, width, height = (corner[0] * shrink, corner[1] * shrink), width * shrink, height * shrink
    return replace(seen, corner=corner, size=(max(4, round(width)), max(4, round(height))))
