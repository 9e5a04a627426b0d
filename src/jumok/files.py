"""Files and folders written whole or not at all."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from jumok.errors import UserError

T = TypeVar("T")


def atomic_write(path: Path, data: bytes | str) -> None:
    """Write `data` to `path` so that a reader, or a power cut, sees the old file or the new one, never a part.

    Raises `UserError` where the folder cannot be written (read-only, full disk, missing).
    """
    content = data.encode() if isinstance(data, str) else data
    path = Path(path)
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise UserError(f"cannot write {path}: {error.strerror}; free space or choose another folder") from error


def make_room(folder: Path) -> None:
    """Make the folders above `folder`. Raises `UserError` where it holds something already, or cannot be written."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        taken = folder.exists() and any(folder.iterdir())
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}; choose another folder") from error
    if taken:
        raise UserError(f"{folder} is not empty; choose another folder, or remove it first")


def write_folder(folder: Path, write: Callable[[Path], T]) -> T:
    """Let `write` fill a folder beside `folder`, then give it that name; returns what `write` does.

    Raises `UserError` where it cannot be written; what was written until then is removed.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)  # of a command that was killed
        partial.mkdir()
        written = write(partial)
        partial.replace(folder)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}; choose another folder") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return written


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
