"""What the verbs that are asked about images share: the files that are meant, and an answer for each."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from jumok.cli.console import Bar, say
from jumok.errors import UserError


class Answer(Protocol):
    """What is said of one image; `reason` why there is nothing to say."""

    @property
    def path(self) -> object: ...

    @property
    def reason(self) -> str | None: ...


A = TypeVar("A", bound=Answer)


def image_paths(named: Sequence[Path]) -> list[Path]:
    """The image files that are named, and those below the folders that are. Raises `UserError` where there is none."""
    from jumok.data.images import image_files

    files: list[Path] = []
    for path in named:
        if not path.exists():
            raise UserError(f"there is no {path}; give image files, or folders of them")
        found = image_files(path) if path.is_dir() else [path]
        if not found:
            raise UserError(f"{path} holds no images; give another folder")
        files += found
    return files


def print_answers(doing: str, total: int, answers: Iterable[A], line: Callable[[A], str]) -> None:
    """Print the `line` of each answer as it comes; images that cannot be read are named and counted on stderr.

    Raises `UserError` if none of all can be read.
    """
    unreadable = 0
    with Bar(doing, total=total) as bar:
        for answer in answers:
            if answer.reason is not None:
                unreadable += 1
                say(f"skipped {answer.path}: {answer.reason}")
            else:
                print(line(answer))
            bar.advance(1)
    if unreadable == total:
        raise UserError(f"none of the {total:,} files is an image that can be read; see the reasons above")
    if unreadable:
        say(f"warning: {unreadable:,} of {total:,} files could not be read")
