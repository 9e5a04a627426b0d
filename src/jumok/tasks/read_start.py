"""A reader that does not start from nothing: with another reader's weights, or with the body of a classifier."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from jumok.data.charset import Charset
from jumok.data.tokenizer import SPECIALS
from jumok.models.classifiers import Model as ClassifierModel
from jumok.models.image_to_text import ImageToFrames, Model, at_size, started
from jumok.models.image_to_text_config import ImageToTextConfig
from jumok.models.resnet import ResNetConfig
from jumok.nn.composed import ComposedLinear
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
        fresh = _knowing_parts(fresh, self.model.output)
        assert isinstance(self.model.config, ImageToTextConfig)
        given, own = at_size(_plain(self.model), self.model.config, fresh.config), _plain(fresh)
        note = f"starting from {self.name}: its characters are these"
        if self.charset.characters != charset.characters:
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
            shared = len(pairs) - len(SPECIALS)
            note = f"starting from {self.name}: {shared:,} of {len(charset.characters):,} characters are known to it"
        check_fit(own, given, self.name)
        return _made_of_parts(given, fresh.output), note


def _sizes(model: Model) -> dict[str, Any]:
    """What shapes the weights beside the characters and the size of images."""
    return model.config.model_dump(exclude={"vocab_size", "parts", "image_size"})


def _plain(model: Model) -> dict[str, Tensor]:
    """The weights of a model whose output layer is one linear layer, if it is composed too."""
    weights = weights_of(model)
    if isinstance(model.output, ComposedLinear):
        weights = {name: tensor for name, tensor in weights.items() if not name.startswith("output.")}
        weights |= {"output.weight": model.output.weight.detach(), "output.bias": model.output.bias.detach()}
    return weights


def _knowing_parts(fresh: Model, given: nn.Module) -> Model:
    """`fresh` with the parts of characters as the output layer `given` knows them, if both are composed."""
    if not (isinstance(fresh.output, ComposedLinear) and isinstance(given, ComposedLinear)):
        return fresh
    knowing = deepcopy(fresh)
    assert isinstance(knowing.output, ComposedLinear)
    with torch.no_grad():
        knowing.output.parts.weight.copy_(given.parts.weight)
    return knowing


def _made_of_parts(weights: dict[str, Tensor], fresh: nn.Module) -> dict[str, Tensor]:
    """Weights with one linear layer, for a model that ends in `fresh`: the same logits."""
    if not isinstance(fresh, ComposedLinear):
        return weights
    layer = deepcopy(fresh)
    with torch.no_grad():
        layer.own.copy_(weights["output.weight"] - layer.sums)
        layer.bias.copy_(weights["output.bias"])
    composed = {f"output.{name}": tensor for name, tensor in weights_of(layer).items()}
    return {name: tensor for name, tensor in weights.items() if not name.startswith("output.")} | composed


def _vocabulary_names(model: Model) -> list[str]:
    """The weights that have a row for each token, as `_plain` names them."""
    if isinstance(model, ImageToFrames):
        return ["output.weight", "output.bias"]
    size, known = model.config.vocab_size, id(model.output.weight)
    return [
        name
        for name, parameter in model.named_parameters()
        if id(parameter) == known or (name.endswith("embedding.weight") and len(parameter) == size)
    ]
