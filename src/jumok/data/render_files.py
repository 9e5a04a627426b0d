"""Drawn words as files: a folder of PNG and its labels, drawn by several processes, the same by any number of them."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random

from PIL import Image

from jumok.data.render import WordRenderer
from jumok.data.word_lists import WordSource
from jumok.errors import UserError
from jumok.files import atomic_write, make_room, write_folder
from jumok.progress import Counter, Silent

LABELS = "labels.tsv"

_CHUNK = 250  # words that a process is given at once
_FOLDER = 1000  # images in a folder
_ALONE = 2000  # words that are drawn sooner than another process has started


@dataclass(frozen=True)
class Chosen:
    """The words to draw, and why others of the list are not."""

    words: list[str]
    reasons: list[str]


def choose_words(listed: Sequence[str], renderer: WordRenderer, count: int, seed: int, vary: bool) -> Chosen:
    """`count` words of `listed`, each as often as the others; with `vary` see `WordSource`, whose list it then is.

    A word that no font can draw is left out. Raises `UserError` where no word is left.
    """
    able: list[str] = []
    reasons: list[str] = []
    for word in dict.fromkeys(listed):
        reason = renderer.missing(word)
        (reasons if reason else able).append(reason or word)
    if not able:
        raise UserError(f"none of the words can be drawn: {reasons[0]}" if reasons else "there are no words to draw")
    if vary:
        forms = {
            form for char in {*"0123456789.,:;!?-/#$%"}.union(*able) for form in (char, char.lower(), char.upper())
        }
        characters = sorted(form for form in forms if len(form) == 1 and not renderer.missing(form))
        source = WordSource(able, "".join(characters))
        return Chosen([_drawable(source, renderer, seed, index) for index in range(count)], reasons)
    order = list(able)
    Random(f"{seed} order of words").shuffle(order)
    return Chosen([order[index % len(order)] for index in range(count)], reasons)


def write_words(
    folder: Path,
    words: Sequence[str],
    renderer: WordRenderer,
    seed: int = 1,
    processes: int = 1,
    counter: Counter = Silent,
) -> None:
    """Each of `words` as a picture in `folder`, and `labels.tsv` with a line ``file <tab> word`` for each.

    The picture of word i belongs to the numbers (seed, i), so it depends neither on the other words nor on
    `processes`. The folder appears when all of it is written. Raises `UserError` where it holds something already or
    cannot be written.
    """
    make_room(folder)
    write_folder(folder, lambda place: _write(place, words, renderer, seed, processes, counter))


def _write(
    place: Path, words: Sequence[str], renderer: WordRenderer, seed: int, processes: int, counter: Counter
) -> None:
    names = [_name(index) for index in range(len(words))]
    for name in dict.fromkeys(str(Path(name).parent) for name in names):
        (place / name).mkdir(parents=True)
    starts = range(0, len(words), _CHUNK)
    chunks = [words[start : start + _CHUNK] for start in starts]
    draw = partial(_draw, place, renderer, seed)
    with counter("drawing words", len(words)) as bar:
        for done in _spread(draw, starts, chunks, processes if len(words) > _ALONE else 1):
            bar.advance(done)
    atomic_write(place / LABELS, "".join(f"{name}\t{word}\n" for name, word in zip(names, words, strict=True)))


def _spread(draw: "partial[int]", starts: range, chunks: list[Sequence[str]], processes: int) -> Iterator[int]:
    if processes == 1:
        yield from map(draw, starts, chunks)
        return
    # started anew rather than forked: threads of torch or of a test may be running
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_set, initargs=(draw,)) as pool:
        try:
            yield from pool.map(_draw_here, starts, chunks)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


_here: "list[partial[int]]" = []  # of a process that draws: sent once, for a renderer with many fonts is large


def _set(draw: "partial[int]") -> None:
    _here[:] = [draw]


def _draw_here(start: int, words: Sequence[str]) -> int:
    return _here[0](start, words)


def _draw(place: Path, renderer: WordRenderer, seed: int, start: int, words: Sequence[str]) -> int:
    """Write the pictures of `words`, the first of which has the number `start`; returns their count."""
    for index, word in enumerate(words, start=start):
        # hardly smaller when pressed harder, and much slower
        Image.fromarray(renderer(word, (seed, index))).save(place / _name(index), compress_level=1)
    return len(words)


def _name(index: int) -> str:
    return f"images/{index // _FOLDER:03d}/{index:06d}.png"


def _drawable(source: WordSource, renderer: WordRenderer, seed: int, index: int) -> str:
    """The first word of the stream (seed, index, ..) that a font can draw."""
    for attempt in range(100):
        word = source.word((seed, index, attempt))
        if not renderer.missing(word):
            return word
    return source.words[index % len(source.words)]
