"""Generated data for readers: words as they stand on signs, drawn from the fonts that there are."""

from collections.abc import Sequence
from pathlib import Path

from jumok.data.fonts import find_fonts
from jumok.data.render import RenderOptions, WordRenderer
from jumok.data.render_files import LABELS, write_words
from jumok.data.word_lists import WordSource
from jumok.errors import UserError
from jumok.files import atomic_write

_WORDS = """
    access airport arrivals auto bakery bank bar bargain beach bike boat book books bottle bread bridge bus butcher
    cafe camera camping car cash castle caution centre checkout cheese church cinema city clean closed clothes club
    coffee cold college concert corner cream credit crossing customs dance danger dentist departures desk dinner
    direction doctor door down drinks drive dry east electric elevator emergency empty engine enter entrance exit
    express factory farm fashion fast ferry film fire first fish flowers food forest free fresh fruit fuel full
    furniture games garage garden gas gate gift glass gold grand green grill guest hair hall harbour health high home
    hospital hot hotel hours house ice info inn island jewels juice keep kitchen knock lake large laundry left library
    lift light limit line local lost lounge lunch mail main manager market maximum meals meat meeting menu metro milk
    mirror mobile money motel motor museum music new news night north office oil open opera optician orange organic
    outlet paint palace paper parcel park parking passage passport pay pharmacy phone photo piano pier pizza plants
    platform please police pool post press price private public pull pump push quality queue quiet radio rail ramp
    reception red rent repair rest restaurant right ring river road room royal safety sale salon sauna school seafood
    seats second service shoes shop shower silence silver single sky slow smoking snack soup south spa special speed
    sport spring stadium stairs station steak stop store street studio summer super sweet swim table tailor tax taxi
    tea temple tennis terminal theatre ticket time toilet tools total tour tower town toys track traffic train tram
    travel university up vacancy valley video view village voice waiting walk warning water way welcome west wheel
    white wine winter wood work yellow yoga zone zoo
"""
WORDS = tuple(_WORDS.split())
CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MOST_FONTS = 16  # files: what a small model can learn, and soon opened

# clearly to be read, yet no two alike
EASY = RenderOptions.model_validate(
    {"perspective": 0.3, "curve": 0.2, "layout": 0.2, "colours": 0.5, "decoration": 0.2, "blur": 0.2, "noise": 0.3}
)


def write_signs(folder: Path, train: int, val: int, seed: int = 1) -> None:
    """`train.tsv`, `val.tsv` (file, tab, text) and their images, as a user has them.

    Raises `UserError` where there is no font with Latin letters.
    """
    renderer = WordRenderer(spread(find_fonts(), MOST_FONTS), EASY)
    reason = renderer.missing(CHARACTERS)
    if reason:
        raise UserError(f"{reason}; install fonts-dejavu, or another font with Latin letters and digits")
    source = WordSource(WORDS, CHARACTERS)
    for number, (split, count) in enumerate((("train", train), ("val", val))):
        words = [source.word((seed, number, index)) for index in range(count)]
        write_words(folder / split, words, renderer, 2 * seed + number)
        lines = (folder / split / LABELS).read_text(encoding="utf-8").splitlines(keepends=True)
        atomic_write(folder / f"{split}.tsv", "".join(f"{split}/{line}" for line in lines))
        (folder / split / LABELS).unlink()


def spread(paths: Sequence[Path], most: int) -> list[Path]:
    """At most so many of `paths`, from all over their order."""
    count = min(most, len(paths))
    return [paths[place * len(paths) // count] for place in range(count)]
