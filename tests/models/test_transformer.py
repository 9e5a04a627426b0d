"""The Transformer as a whole: its sizes, its options, its two ways to the same logits."""

from typing import Any

import pydantic
import pytest
import torch
from tests.models.small import BEGIN, VOCAB, lengths, small_config, small_model, targets, words

from jumok.models.transformer import Transformer, TransformerConfig


def by_hand(vocab: int, dim: int, hidden: int, depth: int) -> int:
    """Parameters of the paper's model: one shared embedding, sinusoidal positions, biases everywhere but the output."""
    projection = dim * dim + dim
    attention = 4 * projection
    feed_forward = (dim * hidden + hidden) + (hidden * dim + dim)
    norm = 2 * dim
    encoder = depth * (attention + feed_forward + 2 * norm)
    decoder = depth * (2 * attention + feed_forward + 3 * norm)
    return vocab * dim + encoder + decoder


@pytest.mark.parametrize(
    ("preset", "dim", "hidden", "exact", "printed"),
    [("base", 512, 2048, 63_082_496, 65e6), ("big", 1024, 4096, 214_245_376, 213e6)],
)
def test_parameter_counts_of_table_3(preset: str, dim: int, hidden: int, exact: int, printed: float) -> None:
    with torch.device("meta"):
        model = Transformer(TransformerConfig.preset(preset, source_vocab=37_000, target_vocab=37_000))
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == by_hand(37_000, dim, hidden, 6) == exact
    assert count == pytest.approx(printed, rel=0.05)


def test_presets_are_table_3() -> None:
    base = TransformerConfig.preset("base", source_vocab=37_000, target_vocab=37_000)
    assert (base.depth, base.dim, base.hidden, base.heads, base.dropout) == (6, 512, 2048, 8, 0.1)
    big = TransformerConfig.preset("big", source_vocab=37_000, target_vocab=37_000)
    assert (big.depth, big.dim, big.hidden, big.heads, big.dropout) == (6, 1024, 4096, 16, 0.3)
    for config in (base, big):
        assert (config.norm, config.activation, config.positions, config.tied) == ("post", "relu", "sinusoidal", "all")


def test_every_preset_can_be_built_and_changed() -> None:
    assert set(TransformerConfig.PRESETS) >= {"base", "big", "small", "tiny"}
    for name in TransformerConfig.PRESETS:
        config = TransformerConfig.preset(name, source_vocab=VOCAB, target_vocab=VOCAB, depth=1, dim=40, heads=5)
        assert (config.depth, config.dim) == (1, 40)
        with torch.device("meta"):
            Transformer(config)


def test_one_embedding_where_tied() -> None:
    every = Transformer(small_config(tied="all"))
    assert every.encoder.tokens.embedding.weight is every.decoder.tokens.embedding.weight is every.output.weight
    target = Transformer(small_config(tied="target", source_vocab=17))
    assert target.encoder.tokens.embedding.weight.shape[0] == 17
    assert target.decoder.tokens.embedding.weight is target.output.weight
    none = Transformer(small_config(tied="none", source_vocab=17))
    assert none.decoder.tokens.embedding.weight is not none.output.weight


def test_embeddings_are_scaled() -> None:
    """Section 3.4: weights of standard deviation D^-0.5 times sqrt(D) make inputs of size one."""
    model = Transformer(TransformerConfig(source_vocab=997, target_vocab=997, dim=64, heads=4, depth=1, hidden=64))
    embedding = model.encoder.tokens.embedding
    tokens = torch.randint(997, (50, 40))
    torch.testing.assert_close(embedding(tokens), embedding.weight[tokens] * 8)
    assert float(embedding(tokens).detach().std()) == pytest.approx(1, abs=0.05)
    assert float(embedding.weight.detach().std()) == pytest.approx(1 / 8, rel=0.05)


def test_inputs_are_embedding_plus_position() -> None:
    model = small_model()
    tokens = words(3, 7)
    expected = model.encoder.tokens.embedding(tokens) + model.encoder.tokens.positions(torch.arange(7))
    torch.testing.assert_close(model.encoder.tokens(tokens), expected)


@pytest.mark.parametrize("tied", ["all", "target", "none"])
@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("activation", ["relu", "gelu", "swiglu"])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
@torch.no_grad()
def test_every_option_has_two_ways_to_the_same_logits(tied: str, norm: str, activation: str, positions: str) -> None:
    model = small_model(tied=tied, norm=norm, activation=activation, positions=positions, depth=1, decoder_depth=2)
    source, sizes, target = words(5, 7), lengths(5, 7), targets(5, 4)
    logits = model(source, sizes, target)
    assert logits.shape == (5, 4, VOCAB)
    torch.testing.assert_close(logits, model.output(model.features(source, sizes, target)))
    state = model.begin(model.encode(source, sizes), 1, 9)
    for i in range(4):
        stepped, state = model.step(target[:, i : i + 1], state)
        torch.testing.assert_close(stepped, logits[:, i], rtol=1e-4, atol=1e-4)


def test_depths_may_differ() -> None:
    model = small_model(depth=3, decoder_depth=1)
    assert (len(model.encoder.blocks), len(model.decoder.blocks)) == (3, 1)
    assert len(small_model(depth=3).decoder.blocks) == 3


def test_vocabularies_may_differ_unless_all_is_tied() -> None:
    model = small_model(tied="target", source_vocab=11)
    assert model(torch.randint(11, (3, 5)), torch.tensor([5, 2, 3]), targets(3, 4)).shape == (3, 4, VOCAB)
    with pytest.raises(pydantic.ValidationError, match="joint"):
        small_config(tied="all", source_vocab=11)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dim": 20, "heads": 3},
        {"dropout": 1.0},
        {"depth": 0},
        {"norm": "middle"},
        {"positions": "absolute"},
        {"width": 7},
        {"dim": "18"},
        {"decoder_depth": 0},
        {"dim": 15, "heads": 3},
        {"dim": 15, "heads": 3, "positions": "rotary"},
    ],
    ids=str,
)
def test_wrong_sizes_are_refused_when_configured(wrong: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        small_config(**wrong)


def test_learned_positions_end() -> None:
    model = small_model(positions="learned", max_len=9)
    sizes = torch.tensor([9, 3])
    model(words(2, 9), sizes, targets(2, 9))
    with pytest.raises(ValueError, match="past"):
        model(words(2, 9), sizes, targets(2, 10))
    with pytest.raises(ValueError, match="past"):
        model.encode(words(2, 10), sizes)
    encoded = model.encode(words(2, 9), sizes)
    with pytest.raises(ValueError, match="10 positions are asked for; 9 were learned"):
        model.begin(encoded, 3, 10)
    state = model.begin(encoded, 3, 9)
    for _ in range(9):
        _, state = model.step(torch.full((6, 1), BEGIN), state)


def test_two_sources_of_numbers_are_the_seed_alone() -> None:
    torch.manual_seed(5)
    one = Transformer(small_config())
    torch.manual_seed(5)
    other = Transformer(small_config())
    for (name, p), (_, q) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        assert torch.equal(p, q), name


def test_weights_survive_a_state_dict() -> None:
    for positions in ("sinusoidal", "learned", "rotary"):
        one, other = small_model(positions=positions), small_model(positions=positions)
        source, sizes, target = words(3, 7), lengths(3, 7), targets(3, 5)
        assert not torch.allclose(one(source, sizes, target), other(source, sizes, target))
        other.load_state_dict(one.state_dict())
        assert torch.equal(one(source, sizes, target), other(source, sizes, target))


def test_in_bf16_the_logits_stay_close() -> None:
    model = small_model()
    source, sizes, target = words(5, 7), lengths(5, 7), targets(5, 6)
    exact = model(source, sizes, target)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(source, sizes, target)
    pure = model.to(torch.bfloat16)(source, sizes, target)
    for rough in (mixed.float(), pure.float()):
        assert bool((rough - exact).norm() < 0.05 * exact.norm())
