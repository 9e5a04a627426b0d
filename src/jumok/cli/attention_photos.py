"""`jumok attention` of classifiers, captioners and readers: one photo or many, one model or two beside each other."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from jumok.cli import options
from jumok.cli.attention_asked import Asked
from jumok.cli.console import Bar, say
from jumok.errors import UserError

if TYPE_CHECKING:
    from torch import nn

    from jumok.insight.caption_viewer import CaptionView
    from jumok.insight.image_viewer import ImageView, Plate

ROOM = 60_000_000  # characters of a page of many photos


@dataclass(frozen=True)
class _Look:
    """How a model looks at a photo while it writes its own text, or a given one; a classifier writes none."""

    model: "nn.Module"
    see: Callable[[Path, str | None], "ImageView | CaptionView"]


@dataclass(frozen=True)
class _Looks:
    """How the photos are looked at: by one model or two, named as they stand over their pages."""

    names: list[str]
    looks: list[_Look]


@dataclass(frozen=True)
class _Photos:
    """The photos to look at, how their page is called, and the folder that their names start from."""

    title: str
    base: Path
    paths: list[Path]
    single: bool = False


def photos(asked: Asked, job: str, given: str | None) -> None:
    """Write the page of one photo, or of those of a folder or a file. Raises `UserError` if none can be looked at."""
    chosen = _photos(asked, given)
    if asked.target is not None and len(chosen.paths) > 1:
        raise UserError("--target is the text of one photo; leave it out with many")
    if asked.film is not None and not chosen.single:
        raise UserError("--film is of one photo; give an image in place of the folder")
    models = _looks(asked, job)
    if chosen.single and len(models.looks) == 1:
        (path,) = chosen.paths
        _one(asked, models.looks[0], path)
    else:
        _many(asked, models, chosen)


def _one(asked: Asked, look: _Look, photo: Path) -> None:
    from jumok.insight.caption_viewer import CaptionView, write_caption_page
    from jumok.insight.image_viewer import write_image_page

    view = look.see(photo, asked.target)
    written = view.caption if isinstance(view, CaptionView) else None  # at every step, so that the words are the same
    film = asked.filmed(look.model, lambda: look.see(photo, written))
    asked.keep([photo.stem], [[view]])
    if isinstance(view, CaptionView):
        figures = write_caption_page(asked.output, view, photo.name)
        typer.echo(view.caption)
    else:
        figures = write_image_page(asked.output, view, photo.name)
        for name, probability in view.predictions:
            typer.echo(f"{name}\t{probability:.4f}")
    asked.wrote(film, f", and its figures as PNG in {figures}")


def _many(asked: Asked, models: _Looks, chosen: _Photos) -> None:
    from jumok.insight.gallery import Gallery
    from jumok.tasks.classify_attention import Unseen

    paths = chosen.paths
    gallery, unreadable, cut = Gallery(models.names), 0, 0
    shown: list[tuple[Path, list[ImageView | CaptionView]]] = []
    plates: list[dict[str, Plate]] = [{} for _ in models.looks]  # those that all photos of a model share
    with Bar("looking", total=len(paths)) as bar:
        for number, path in enumerate(paths):
            try:
                views = [look.see(path, asked.target) for look in models.looks]
            except Unseen as error:
                if chosen.single:
                    raise
                unreadable += 1
                say(f"skipped {path}: {error.reason}")
                continue
            pages = [_page(view, chosen.title, drawn) for view, drawn in zip(views, plates, strict=True)]
            if shown and gallery.size + gallery.added(pages) > ROOM:
                cut = len(paths) - number
                break
            name = path.relative_to(chosen.base) if path.is_relative_to(chosen.base) else path
            gallery.add(str(name), pages)
            shown.append((path, views))
            bar.advance(1)
    if not shown:
        raise UserError(f"none of the {len(paths):,} photos can be looked at; see the reasons above")
    if unreadable:
        say(f"warning: {unreadable:,} of {len(paths):,} photos could not be looked at")
    if cut:
        say(f"a page holds {ROOM // 1_000_000} MB; cut the last {cut:,} photos, or choose some --layers and --heads")
    asked.keep([path.stem for path, _ in shown], [views for _, views in shown])
    gallery.write(asked.output, chosen.title)
    for path, views in shown:
        typer.echo("\t".join([str(path), *map(_said, views)]))
    asked.wrote(None)


def _page(view: "ImageView | CaptionView", title: str, drawn: "dict[str, Plate]") -> str:
    from jumok.insight.caption_viewer import CaptionView, caption_attention_page
    from jumok.insight.image_viewer import image_attention_page, image_plates, model_plates

    if isinstance(view, CaptionView):
        return caption_attention_page(view, title)
    if not drawn:
        drawn |= model_plates(view)
    return image_attention_page(view, image_plates(view, drawn), title)


def _said(view: "ImageView | CaptionView") -> str:
    from jumok.insight.caption_viewer import CaptionView

    return view.caption if isinstance(view, CaptionView) else view.predictions[0][0]


def _photos(asked: Asked, given: str | None) -> _Photos:
    """The photos that are named, at least one."""
    from jumok.cli.image_paths import image_paths

    if asked.file is None:
        if given is None:
            raise UserError("there is nothing to look at; give an image, a folder of images, or --file with one a line")
        path = Path(given)
        if path.is_dir():
            return _Photos(path.resolve().name, path, image_paths([path]))
        return _Photos(path.name, path.parent, [path], single=True)
    from jumok.data.text import read_lines

    # a path is what the file system knows, in whatever Unicode form
    lines = [line.strip() for line in read_lines(asked.file, "none").lines]
    paths = [asked.file.parent / line for line in lines if line]
    if not paths:
        raise UserError(f"{asked.file} holds no path of an image; write one a line")
    if len(paths) < len(lines):
        say(f"skipped {len(lines) - len(paths)} empty lines of {asked.file}")
    return _Photos(asked.file.name, asked.file.parent, paths)


def _looks(asked: Asked, job: str) -> _Looks:
    if job == "classify":
        return _classifiers(asked)
    return _Looks(asked.runs, [(_captioner if job == "caption" else _reader)(asked, run) for run in asked.runs])


def _classifiers(asked: Asked) -> _Looks:
    from jumok.models.resnet import ResNet
    from jumok.tasks.attention_models import check_attention
    from jumok.tasks.classify_attention import attention_view
    from jumok.tasks.classify_predict import Classifier

    models = {run: Classifier.load(run, device=asked.device) for run in asked.runs}
    check_attention(models[asked.run].model, asked.run)
    rival = models[asked.runs[-1]]
    # a ResNet has no page of its own: it joins the figures of the ViT
    resnet = rival if isinstance(rival.model, ResNet) else None

    def look_of(run: str) -> _Look:
        def see(photo: Path, _: str | None) -> "ImageView":
            return attention_view(models[run], photo, run=run, resnet=resnet, choice=asked.choice)

        return _Look(models[run].model, see)

    names = asked.runs[:1] if resnet is not None else asked.runs
    return _Looks(names, [look_of(run) for run in names])


def _captioner(asked: Asked, run: str) -> _Look:
    from jumok.tasks.caption_attention import attention_view
    from jumok.tasks.caption_predict import Captioner

    captioner = Captioner.load(run, device=asked.device)
    search = options.search_options(captioner.options, beam=asked.beam, n_best=1)

    def see(photo: Path, text: str | None) -> "CaptionView":
        return attention_view(captioner, photo, text, search, choice=asked.choice)

    return _Look(captioner.models[0], see)


def _reader(asked: Asked, run: str) -> _Look:
    from jumok.tasks.read_attention import attention_view
    from jumok.tasks.read_predict import Reader

    reader = Reader.load(run, device=asked.device)

    def see(crop: Path, text: str | None) -> "CaptionView":
        return attention_view(reader, crop, text, run=run, beam=asked.beam, choice=asked.choice)

    return _Look(reader.models[0], see)
