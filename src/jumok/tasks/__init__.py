"""One job a file; and `load_run`, which opens any trained run for use."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jumok.tasks.translate_predict import Translator


def load_run(path: str | Path) -> "Translator":
    """The predictor of a run, for use from Python. Raises `UserError` as `Translator.load` does."""
    from jumok.tasks.translate_predict import Translator

    return Translator.load(path)
