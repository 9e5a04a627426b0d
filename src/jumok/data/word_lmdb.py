"""Words in an LMDB as the field ships it: ``num-samples``, ``image-000000001``, ``label-000000001``; read only."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from jumok.data.image_file import BadImage
from jumok.errors import UserError

if TYPE_CHECKING:
    import lmdb

MISSING = "reading an LMDB needs the package lmdb: pip install 'jumok[lmdb]'"
_FILE = "data.mdb"
_one = Lock()  # a process may open an LMDB once; it stays open for a read only, so that forks and copies are no matter


@dataclass(frozen=True)
class StoredImage:
    """One image of an LMDB, by the folder and its key."""

    folder: Path
    key: str

    def __str__(self) -> str:
        return f"{self.folder}, {self.key}"

    def content(self) -> bytes:
        """The bytes of the image file. Raises `BadImage` where the LMDB holds none."""
        try:
            with _opened(self.folder) as transaction:
                found = transaction.get(self.key.encode())
                content = None if found is None else bytes(found)
        except UserError as error:
            raise BadImage(str(error)) from error
        if content is None:
            raise BadImage(f"the LMDB has no {self.key}")
        return content


def is_lmdb(folder: Path) -> bool:
    """Whether `folder` holds the file of an LMDB."""
    return (folder / _FILE).is_file()


def read_lmdb(folder: Path) -> tuple[list[StoredImage], list[str]]:
    """The images and labels of an LMDB, in the order of their numbers, which begin at 1.

    Raises `UserError` if the package is missing, the LMDB damaged or cut short, and where a label is missing or no
    UTF-8, naming its key.
    """
    texts: list[str] = []
    with _opened(folder) as transaction:
        count = transaction.get(b"num-samples")
        if count is None or not bytes(count).strip().isdigit():
            raise UserError(f"{folder} is an LMDB without num-samples, so no set of words; give another folder")
        keys = [f"{number:09d}" for number in range(1, int(bytes(count)) + 1)]
        for key in keys:
            label = transaction.get(f"label-{key}".encode())
            if label is None:
                raise UserError(
                    f"{folder}: there is no label-{key}, though num-samples is {len(keys):,}; fetch it again"
                )
            try:
                texts.append(bytes(label).decode())
            except UnicodeDecodeError as error:
                raise UserError(f"{folder}: label-{key} is not UTF-8 ({error.reason}); write it again") from None
    return [StoredImage(folder, f"image-{key}") for key in keys], texts


@contextmanager
def _opened(folder: Path) -> Iterator["lmdb.Transaction"]:
    """A transaction that reads. Raises `UserError` where the package is missing or the LMDB damaged."""
    try:
        import lmdb
    except ModuleNotFoundError as error:
        raise UserError(MISSING) from error
    try:
        with _one, lmdb.open(str(folder), readonly=True, lock=False, readahead=False, create=False) as environment:
            size, needed = (folder / _FILE).stat().st_size, environment.info()["last_pgno"] + 1
            needed *= environment.stat()["psize"]
            if size < needed:  # a page beyond the end of the file would kill the process
                raise UserError(
                    f"{folder / _FILE} was cut short: {size:,} of {needed:,} bytes; fetch or write it again"
                )
            with environment.begin() as transaction:
                yield transaction
    except (lmdb.Error, OSError) as error:
        raise UserError(f"{folder} is a damaged LMDB ({error}); fetch or write it again") from error
