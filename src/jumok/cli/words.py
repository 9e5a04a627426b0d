"""``jumok data words``: words drawn as they look in photos, to train a reader with."""

import os
from pathlib import Path
from typing import Annotated

import typer

from jumok.cli.console import Bar, say


def words(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write; made if missing.")],
    words: Annotated[
        Path, typer.Option(metavar="FILE", help="The words, one a line; .gz and hunspell's .dic are read too.")
    ],
    count: Annotated[int, typer.Option(min=1, help="How many pictures.")],
    fonts: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of TTF, OTF, TTC; the system's fonts if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed draws other pictures.")] = 1,
    vary: Annotated[
        bool, typer.Option("--vary", help="Change the case of words, and mix in numbers, prices and random strings.")
    ] = False,
    perspective: Annotated[float, typer.Option(min=0, max=1, help="Turned, slanted, seen from the side.")] = 1.0,
    curve: Annotated[float, typer.Option(min=0, max=1, help="How often words are set on a circle.")] = 1.0,
    layout: Annotated[float, typer.Option(min=0, max=1, help="Spacing, margins, neighbours in the crop.")] = 1.0,
    colours: Annotated[float, typer.Option(min=0, max=1, help="Colours, textures and light.")] = 1.0,
    decoration: Annotated[float, typer.Option(min=0, max=1, help="Shadows, outlines, raised letters.")] = 1.0,
    blur: Annotated[float, typer.Option(min=0, max=1, help="Out of focus, moved, of low resolution.")] = 1.0,
    noise: Annotated[float, typer.Option(min=0, max=1, help="The sensor's noise and JPEG's.")] = 1.0,
    vertical: Annotated[float, typer.Option(min=0, max=1, help="Share of words that are set downward.")] = 0.0,
    processes: Annotated[
        int | None, typer.Option(min=1, help="How many draw at once, all cores if not given; the result is the same.")
    ] = None,
) -> None:
    """Draw words of a list as they look in photos: DIR/images and DIR/labels.tsv, a line `file <tab> text` for each.

    1 is as hard as photos get and 0 is off: with all of them 0 it is black on white, straight and sharp.
    """
    from jumok.data.fonts import find_fonts
    from jumok.data.render import RenderOptions, WordRenderer
    from jumok.data.render_files import LABELS, choose_words, write_words
    from jumok.data.word_lists import read_word_list
    from jumok.files import make_room

    make_room(out)
    options = RenderOptions(
        perspective=perspective,
        curve=curve,
        layout=layout,
        colours=colours,
        decoration=decoration,
        blur=blur,
        noise=noise,
        vertical=vertical,
    )
    listed = read_word_list(words)
    renderer = WordRenderer(find_fonts(fonts), options)
    for path, reason in list(renderer.left_out.items())[:5]:
        say(f"notice: {path} is not used: {reason}")
    if len(renderer.left_out) > 5:
        say(f"notice: {len(renderer.left_out) - 5:,} more font files are not used")
    chosen = choose_words(listed, renderer, count, seed, vary)
    for reason in chosen.reasons[:5]:
        say(f"notice: {reason}")
    if len(chosen.reasons) > 5:
        say(f"notice: {len(chosen.reasons) - 5:,} more words are left out, {len(chosen.reasons):,} of {len(listed):,}")
    write_words(out, chosen.words, renderer, seed, processes or os.cpu_count() or 1, Bar)
    say(f"{out / LABELS}: {count:,} words in {len(renderer.families):,} families of fonts")
