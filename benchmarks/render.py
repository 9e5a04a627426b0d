"""The work of the rendering rows: random words drawn by several processes, new ones in every turn."""

import multiprocessing
import random
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks import worker
from jumok.data.fonts import Face, find_fonts, read_faces

Draw = Callable[[str, tuple[int, ...]], Any]
"""The picture of a word that belongs to these numbers."""

PORTION = 50  # words that a process is given at a time

_this_process: list[Draw] = []  # what it draws with, sent to it once


def faces(script: str, files: int) -> list[Face]:
    """The faces in so many font files of this system, drawn by lot among those that have the letters of a script."""
    wanted = "aegzQ" if script == "latin" else "가힣뷁"
    paths = find_fonts()
    random.Random(1).shuffle(paths)
    found: list[Face] = []
    for path in paths:
        if len({face.path for face in found}) == files:
            break
        found += [face for face in read_faces([path])[0] if face.draws(wanted)]
    return found


def random_word(script: str, numbers: tuple[int, ...]) -> str:
    """2 to 12 small letters, the first one large or all, or 1 to 6 of all 11,172 syllables."""
    rng = random.Random(repr(numbers))
    if script == "hangul":
        return "".join(chr(rng.randrange(ord("가"), ord("힣") + 1)) for _ in range(rng.randint(1, 6)))
    word = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 12)))
    return rng.choice([word, word.title(), word.upper()])


def serve(make: Callable[[list[Face]], Draw], *packages: str) -> None:
    """Draw `words` words at each "go", in as many processes as were asked for, each with what `make` makes of faces."""
    asked = worker.settings()
    script, found = asked["script"], faces(asked["script"], asked["fonts"])
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(asked["processes"], context, initializer=_start, initargs=(make(found),))
    turns = 0

    def turn() -> tuple[float, dict[str, Any]]:
        nonlocal turns
        turns += 1
        starts: Iterable[int] = range(0, asked["words"], PORTION)
        ends = [min(start + PORTION, asked["words"]) for start in starts]
        drawn = sum(pool.map(_some, [script] * len(ends), [turns] * len(ends), starts, ends))
        return float(drawn), {"fonts": len({face.path for face in found})}

    turn()  # fonts are opened, letters are drawn and kept, as after the first seconds of a training
    worker.ready(*packages)
    worker.serve(turn)


def _start(draw: Draw) -> None:
    _this_process.append(draw)


def _some(script: str, turn: int, start: int, end: int) -> int:
    (draw,) = _this_process
    for number in range(start, end):
        draw(random_word(script, (turn, number)), (turn, number))
    return end - start
