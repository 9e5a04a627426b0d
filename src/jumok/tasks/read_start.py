"""A reader that does not start from nothing: with another reader's weights, or with the body of a classifier."""

from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor

from jumok.data.charset import Charset
from jumok.data.tokenizer import SPECIALS
from jumok.models.classifiers import Model as ClassifierModel
from jumok.models.image_to_text import Model, started
from jumok.models.image_to_text_config import ImageToTextConfig
from jumok.models.resnet import ResNetConfig
from jumok.tasks.classify_predict import read_classifier
from jumok.tasks.model_options import check_same_sizes
from jumok.tasks.read_predict import read_reader
from jumok.tasks.runs import run_path, task_of
from jumok.training.run import Run
from jumok.training.weights import check_fit, weights_of


@dataclass(frozen=True)
class Given:
    """The run that a recipe's ``from`` names: its model, how it saw images, and a reader's character set."""

    name: str
    model: Model | ClassifierModel
    charset: Charset | None
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def read(cls, name: str) -> Self:
        """Raises `UserError` if it is the run of neither a reader nor a classifier."""
        if task_of(name) == "classify":
            model, before = read_classifier(name)
            return cls(name, model, None, before.mean, before.std)
        reader, charset, shape = read_reader(Run.open(run_path(name)))
        return cls(name, reader, charset, shape.mean, shape.std)

    @property
    def prefix(self) -> int | None:
        """How many learned tokens stand in front of the patches that its ViT sees; None where it has no ViT."""
        config = self.model.config
        if isinstance(config, ImageToTextConfig):
            return config.prefix if config.encoder in ("vit", "hybrid") else None
        return None if isinstance(config, ResNetConfig) else config.prefix

    def weights(self, fresh: Model, charset: Charset) -> tuple[dict[str, Tensor], str]:
        """The weights that `fresh` begins with, and a line that says what is new in it.

        Of a reader with another character set, the weights of the shared characters are kept, the others fresh. Raises
        `UserError` where the sizes do not fit.
        """
        if isinstance(self.model, ClassifierModel):
            given = weights_of(self.model)
            return started(given, self.model.config, fresh), f"starting from {self.name}: its body, what follows is new"
        assert self.charset is not None
        check_same_sizes(_sizes(self.model), _sizes(fresh), self.name)
        given, own = weights_of(self.model), weights_of(fresh)
        if self.charset.characters == charset.characters:
            return given, f"starting from {self.name}: its characters are these"
        before = {character: place for place, character in enumerate(self.charset.characters, start=len(SPECIALS))}
        pairs = [(place, place) for place in range(len(SPECIALS))]
        pairs += [
            (place, before[character])
            for place, character in enumerate(charset.characters, start=len(SPECIALS))
            if character in before
        ]
        new, old = ([pair[side] for pair in pairs] for side in (0, 1))
        for name in _vocabulary_names(fresh):
            rows = own[name].clone()
            rows[new] = given[name][old]
            given[name] = rows
        check_fit(own, given, self.name)
        shared = len(pairs) - len(SPECIALS)
        return given, f"starting from {self.name}: {shared:,} of {len(charset.characters):,} characters are known to it"


def _sizes(model: Model) -> dict[str, Any]:
    """What shapes the weights beside the characters: of an image the height, which a token is a column of."""
    return {**model.config.model_dump(exclude={"vocab_size"}), "image_size": model.config.size[0]}


def _vocabulary_names(model: Model) -> list[str]:
    """The weights that have a row for each token."""
    size = model.config.vocab_size
    known = {id(model.output.weight), id(model.output.bias)}
    return [
        name
        for name, parameter in model.named_parameters()
        if id(parameter) in known or (name.endswith("embedding.weight") and len(parameter) == size)
    ]
