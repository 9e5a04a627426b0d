"""Jumok (주목): train, see and run attention models.

Importing the package is cheap: torch is loaded by the first thing that needs it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jumok.tasks.caption_predict import Captioner
    from jumok.tasks.classify_predict import Classifier
    from jumok.tasks.embed_predict import SentenceEmbedder
    from jumok.tasks.read_predict import Reader
    from jumok.tasks.translate_predict import Translator

__version__ = "0.1.0"


def load(path: str) -> "Translator | Classifier | Captioner | Reader | SentenceEmbedder":
    """The predictor of a trained run: ``jumok.load("runs/de-en")(["Ein Mann schläft."])``, or of a list of images.

    ``path`` is a run directory, or ``demo`` for the run that ships with the package.
    Raises `UserError` if it is not a run, is damaged, or is of a newer format.
    """
    from jumok.tasks import load_run

    return load_run(path)
