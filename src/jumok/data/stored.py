"""What inference needs beside the weights, as one JSON file of a run directory each."""

import json
from pathlib import Path
from typing import ClassVar, Self

from jumok.config import Config, parse
from jumok.errors import UserError
from jumok.files import atomic_write


class Stored(Config):
    """Options that lie in a run as the file `FILE`."""

    FILE: ClassVar[str]

    def save(self, folder: Path) -> None:
        """Write `FILE` into `folder`."""
        atomic_write(folder / self.FILE, json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises `UserError` where the file is missing or damaged."""
        path = folder / cls.FILE
        try:
            return parse(cls, json.loads(path.read_text(encoding="utf-8")), str(path))
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is damaged ({error}); restore the run from a copy, or train again") from error
