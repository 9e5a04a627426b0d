"""Convolutional models: what a position sees, how they start, and the config."""

from typing import Any

import pydantic
import pytest
import torch
from tests.models.small import BEGIN, VOCAB, lengths, small_translator, targets, words

from jumok.models.convs2s import ConvS2S, ConvS2SConfig
from jumok.models.translators import TranslationModel
from jumok.nn.convolution import MultiStepAttention, TemporalConvolution


def config(**overrides: Any) -> ConvS2SConfig:
    sizes: dict[str, Any] = {"source_vocab": VOCAB, "target_vocab": VOCAB, "dim": 6, "depth": 2, "dropout": 0.0}
    return ConvS2SConfig(**(sizes | overrides))


def convolutions(model: torch.nn.Module) -> list[TemporalConvolution]:
    return [module for module in model.modules() if isinstance(module, TemporalConvolution)]


def changed(model: TranslationModel, place: int, length: int) -> list[int]:
    """The positions whose features of a source change with its token at `place`."""
    source, sizes = words(1, length), torch.tensor([length])
    other = source.clone()
    other[0, place] = 4 + (source[0, place] - 3) % (VOCAB - 4)
    moved = model.encode(source, sizes).features != model.encode(other, sizes).features
    return moved[0].any(-1).nonzero()[:, 0].tolist()


@pytest.mark.parametrize(
    ("options", "reach"),
    [({"depth": 1}, 1), ({"depth": 3}, 3), ({"depth": 2, "kernel": 5}, 4), ({"depth": 3, "dilation": 2}, 1 + 2 + 4)],
    ids=str,
)
@torch.no_grad()
def test_a_stack_sees_as_far_as_its_kernels_reach(options: dict[str, Any], reach: int) -> None:
    """``(kernel - 1) / 2`` to each side for each block, times its dilation."""
    model = small_translator("convs2s", **options)
    assert changed(model, 10, 21) == list(range(10 - reach, 10 + reach + 1))


def test_dilation_doubles_up_to_sixteen_and_starts_again() -> None:
    model = ConvS2S(config(depth=7, dilation=2))
    assert [each.window for each in convolutions(model.decoder)] == [2 * d for d in (1, 2, 4, 8, 16, 1, 2)]
    assert {each.window for each in convolutions(ConvS2S(config(depth=7)))} == {2}


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "none"])
@pytest.mark.parametrize("gate", ["glu", "relu"])
@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (5, 2)])
@torch.no_grad()
def test_every_option_has_two_ways_to_the_same_logits(positions: str, gate: str, kernel: int, dilation: int) -> None:
    model = small_translator("convs2s", positions=positions, gate=gate, kernel=kernel, dilation=dilation)
    source, sizes, target = words(3, 7), lengths(3, 7), targets(3, 6)
    logits = model(source, sizes, target)
    torch.testing.assert_close(logits, model.output(model.features(source, sizes, target)))
    state = model.begin(model.encode(source, sizes), 1, 9)
    for i in range(6):
        stepped, state = model.step(target[:, i : i + 1], state)
        torch.testing.assert_close(stepped, logits[:, i], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_values_are_outputs_plus_embeddings() -> None:
    """``z_j + e_j``: what an attention looks for, and what it brings back, differ."""
    model = small_translator("convs2s")
    source, sizes = words(3, 7), lengths(3, 7)
    encoded = model.encode(source, sizes)
    assert encoded.values is not None
    torch.testing.assert_close(encoded.values - encoded.features, model.encoder.tokens(source), rtol=1e-4, atol=1e-5)


def test_an_attention_in_every_layer() -> None:
    model = ConvS2S(config(depth=5))
    assert sum(isinstance(module, MultiStepAttention) for module in model.decoder.modules()) == 5
    assert not any(isinstance(module, MultiStepAttention) for module in model.encoder.modules())


@torch.no_grad()
def test_learned_positions_end() -> None:
    model = small_translator("convs2s", positions="learned", max_len=9)
    sizes = torch.tensor([9, 3])
    encoded = model.encode(words(2, 9), sizes)
    with pytest.raises(ValueError, match="past"):
        model(words(2, 9), sizes, targets(2, 10))
    with pytest.raises(ValueError, match="10 positions"):
        model.begin(encoded, 3, 10)
    state = model.begin(encoded, 3, 9)
    for _ in range(9):
        _, state = model.step(torch.full((6, 1), BEGIN), state)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"kernel": 4}, "kernel = 4"),
        ({"dim": 7}, "even dim, not 7"),
        ({"source_vocab": 11}, "tied = all"),
        ({"gate": "swish"}, "gate"),
        ({"positions": "rotary"}, "positions"),
        ({"dilation": 0}, "dilation"),
        ({"heads": 8}, "heads"),
    ],
    ids=str,
)
def test_wrong_options_are_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=named):
        config(**wrong)


@pytest.mark.parametrize("name", ConvS2SConfig.PRESETS)
def test_every_preset_can_be_built_and_changed(name: str) -> None:
    small = ConvS2SConfig.preset(name, source_vocab=VOCAB, target_vocab=VOCAB, dim=10, depth=2, max_len=30)
    assert (small.dim, small.depth) == (10, 2)
    assert ConvS2S(small).eval()(words(4, 7), lengths(4, 7), targets(4, 5)).shape == (4, 5, VOCAB)


def test_one_embedding_where_tied() -> None:
    every = ConvS2S(config(tied="all"))
    assert every.encoder.tokens.embedding.weight is every.decoder.tokens.embedding.weight is every.output.weight
    target = ConvS2S(config(tied="target", source_vocab=17))
    assert target.encoder.tokens.embedding.weight.shape[0] == 17
    assert target.decoder.tokens.embedding.weight is target.output.weight
    none = ConvS2S(config(tied="none", source_vocab=17))
    assert none.decoder.tokens.embedding.weight is not none.output.weight
