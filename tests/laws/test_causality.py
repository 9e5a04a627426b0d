"""What may not be seen is not seen: exact zeros in the gradient, for every option of the model."""

from typing import Any

import pytest
import torch
from tests.models.small import MODELS, NEW, lengths, small_model, targets, words
from tests.models.small_images import WRITERS, images
from torch import Tensor, nn

from jumok.models.translators import TranslationModel
from jumok.nn.attention import Tap

BATCH, KEYS, QUERIES = 5, 7, 6
OPTIONS: list[dict[str, Any]] = [
    {"norm": norm, "positions": positions}
    for norm in ("post", "pre")
    for positions in ("sinusoidal", "learned", "rotary", "none")
]


class Inputs:
    """Catches what a `TokenInput` gives, as leaves that collect gradients."""

    def __init__(self, tokens: nn.Module) -> None:
        self.leaf = torch.empty(0)
        tokens.register_forward_hook(self._catch)

    def _catch(self, module: nn.Module, args: Any, out: Tensor) -> Tensor:
        self.leaf = out.detach().requires_grad_()
        return self.leaf


def look(model: TranslationModel, training: bool) -> tuple[Tensor, Inputs, Inputs, Tensor]:
    model.train(training)
    source, target = Inputs(model.encoder.tokens), Inputs(model.decoder.tokens)
    sizes = lengths(BATCH, KEYS)
    return model(words(BATCH, KEYS), sizes, targets(BATCH, QUERIES)), source, target, sizes


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_later_target_tokens_have_no_gradient_into_earlier_logits(options: dict[str, Any], training: bool) -> None:
    check_later_tokens(small_model(**options, dropout=0.1 if training else 0.0), training)


@pytest.mark.parametrize("name", NEW)
def test_no_model_sees_later_target_tokens(name: str) -> None:
    check_later_tokens(MODELS[name](), False)


@pytest.mark.parametrize("name", WRITERS)
def test_no_writer_sees_later_target_tokens(name: str) -> None:
    model = WRITERS[name]()
    target = Inputs(model.decoder.tokens)
    check_none_of_later_tokens(model(images(BATCH), targets(BATCH, QUERIES)), target)


@pytest.mark.parametrize("name", WRITERS)
def test_images_of_no_writer_see_each_other(name: str) -> None:
    model, given = WRITERS[name](), images(BATCH).requires_grad_()
    logits = model(given, targets(BATCH, QUERIES))
    (gradient,) = torch.autograd.grad((logits[2] * torch.randn(31)).sum(), given)
    assert bool((gradient[torch.arange(BATCH) != 2] == 0).all())
    assert bool(gradient[2].any())


def check_later_tokens(model: TranslationModel, training: bool) -> None:
    logits, _, target, _ = look(model, training)
    check_none_of_later_tokens(logits, target)


def check_none_of_later_tokens(logits: Tensor, target: Inputs) -> None:
    for i in range(QUERIES):
        # a sum would be nothing after a norm whose outputs sum to a constant
        (gradient,) = torch.autograd.grad((logits[:, i] * torch.randn(31)).sum(), target.leaf, retain_graph=True)
        assert bool((gradient[:, i + 1 :] == 0).all())
        assert bool((gradient[:, : i + 1] != 0).flatten(2).any(-1).all())


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_source_padding_gets_no_gradient(options: dict[str, Any], training: bool) -> None:
    check_padding(small_model(**options, dropout=0.1 if training else 0.0), training)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", NEW)
def test_no_model_sees_source_padding(name: str, training: bool) -> None:
    check_padding(MODELS[name](dropout=0.1 if training else 0.0), training)


def check_padding(model: TranslationModel, training: bool) -> None:
    logits, source, _, sizes = look(model, training)
    (gradient,) = torch.autograd.grad((logits * torch.randn(31)).sum(), source.leaf)
    real = torch.arange(KEYS) < sizes[:, None]
    assert bool((gradient[~real] == 0).all())
    assert bool((gradient[real] != 0).any(-1).all())


@pytest.mark.parametrize("attention_dropout", [0.0, 0.3])
def test_also_where_attention_is_in_the_open(attention_dropout: float) -> None:
    model = small_model(attention_dropout=attention_dropout)
    for module in model.modules():
        if isinstance(module, Tap):
            module.sink = lambda weights: None
    logits, source, target, sizes = look(model, training=True)
    (later,) = torch.autograd.grad((logits[:, 2] * torch.randn(31)).sum(), target.leaf, retain_graph=True)
    assert bool((later[:, 3:] == 0).all())
    (gradient,) = torch.autograd.grad((logits * torch.randn(31)).sum(), source.leaf)
    assert bool((gradient[torch.arange(KEYS) >= sizes[:, None]] == 0).all())


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_sentences_do_not_see_each_other(options: dict[str, Any]) -> None:
    check_neighbours(small_model(**options))


@pytest.mark.parametrize("name", NEW)
def test_sentences_of_no_model_see_each_other(name: str) -> None:
    check_neighbours(MODELS[name]())


def check_neighbours(model: TranslationModel) -> None:
    logits, source, target, _ = look(model, training=False)
    for leaf in (source.leaf, target.leaf):
        (gradient,) = torch.autograd.grad((logits[2] * torch.randn(31)).sum(), leaf, retain_graph=True)
        assert bool((gradient[torch.arange(BATCH) != 2] == 0).all())


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@torch.no_grad()
def test_changing_later_tokens_changes_no_earlier_logits(options: dict[str, Any]) -> None:
    model = small_model(**options)
    source, sizes, target = words(BATCH, KEYS), lengths(BATCH, KEYS), targets(BATCH, QUERIES)
    before = model(source, sizes, target)
    for i in range(1, QUERIES):
        changed = torch.cat([target[:, :i], words(BATCH, QUERIES - i)], dim=1)
        torch.testing.assert_close(model(source, sizes, changed)[:, :i], before[:, :i], rtol=1e-5, atol=1e-5)
