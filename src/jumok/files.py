"""Files written whole or not at all."""

import hashlib
import os
import tempfile
from pathlib import Path

from jumok.errors import UserError


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


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
