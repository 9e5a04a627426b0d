"""Sentence encoders: vectors of length 1 that no neighbour and no padding changes."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from jumok.models.sentence_encoder import (
    CONFIGS,
    DANConfig,
    SentenceEncoder,
    TransformerEncoderConfig,
    read_config,
)
from jumok.models.transformer import Transformer, TransformerConfig

SMALL: dict[str, Any] = {"vocab_size": 40, "dim": 16, "max_len": 12, "dropout": 0.1}
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *(
        ("transformer", {"heads": 2, "depth": 2, "hidden": 24, "pool": pool})
        for pool in ("sqrt", "mean", "class", "weighted")
    ),
    ("transformer", {"heads": 2, "depth": 1, "hidden": 24, "norm": "pre", "positions": "rotary", "projection": 5}),
    ("transformer", {"heads": 2, "depth": 1, "hidden": 24, "positions": "learned", "embedding_norm": True}),
    ("dan", {"hidden": 20, "pool": "sqrt", "word_dropout": 0.3}),
    ("dan", {"hidden": 20, "depth": 0, "pool": "weighted"}),
]


def build(family: str, values: dict[str, Any]) -> SentenceEncoder:
    torch.manual_seed(3)
    return SentenceEncoder(CONFIGS[family](**SMALL | values)).eval()


@pytest.mark.parametrize(("family", "values"), VARIANTS)
def test_neither_neighbours_nor_padding_change_a_vector(family: str, values: dict[str, Any]) -> None:
    model = build(family, values)
    tokens, lengths = torch.randint(4, 40, (4, 9)), torch.tensor([9, 3, 1, 6])
    together = model(tokens, lengths)
    assert together.shape == (4, model.config.width)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(4))
    for row, length in enumerate(lengths.tolist()):
        alone = model(tokens[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=1e-4)
    tokens[1, 3:] = 7
    torch.testing.assert_close(model(tokens, lengths)[1], together[1], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("family", "values"), VARIANTS)
def test_a_sentence_without_tokens_is_the_zero_vector(family: str, values: dict[str, Any]) -> None:
    found = build(family, values)(torch.zeros(2, 3, dtype=torch.int64), torch.tensor([0, 0]))
    assert torch.equal(found, torch.zeros_like(found))


def test_the_encoder_is_the_translator_s() -> None:
    translator = Transformer(TransformerConfig.preset("tiny", source_vocab=50, target_vocab=50))
    encoder = SentenceEncoder(TransformerEncoderConfig(vocab_size=50, dim=128, heads=4, depth=2, hidden=512))
    assert type(encoder.encoder) is type(translator.encoder)
    mine, theirs = encoder.encoder.state_dict(), translator.encoder.state_dict()
    assert {name: t.shape for name, t in mine.items()} == {name: t.shape for name, t in theirs.items()}


def test_presets_have_the_sizes_that_they_are_named_for() -> None:
    def count(config: Any) -> int:
        with torch.device("meta"):
            return sum(p.numel() for p in SentenceEncoder(config).parameters())

    block = 4 * (384 * 384 + 384) + 2 * 384 * 1536 + 1536 + 384 + 4 * 384
    bert = TransformerEncoderConfig.preset("bert", vocab_size=8000, max_len=128)
    assert count(bert) == 8000 * 384 + 128 * 384 + 2 * 384 + 6 * block
    dan = DANConfig.preset("dan", vocab_size=1000)
    assert count(dan) == 1000 * 512 + 2 * (512 * 512 + 512)


def test_a_dan_forgets_words_in_training_alone() -> None:
    model = build("dan", {"hidden": 20, "word_dropout": 0.5, "dropout": 0.0})
    tokens, lengths = torch.randint(4, 40, (1, 9)), torch.tensor([9])
    assert torch.equal(model(tokens, lengths), model(tokens, lengths))
    model.train()
    assert not torch.equal(model(tokens, lengths), model(tokens, lengths))


@pytest.mark.parametrize(
    ("family", "values", "message"),
    [
        ("transformer", {"heads": 3}, "not a multiple of heads"),
        ("dan", {"pool": "class"}, "needs a Transformer"),
    ],
)
def test_what_does_not_fit_is_named(family: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CONFIGS[family](**SMALL | values)


def test_a_stored_config_comes_back() -> None:
    for family, values in VARIANTS:
        config = CONFIGS[family](**SMALL | values | {"labels": ("A", "B"), "scales": 2})
        assert read_config(config.model_dump(mode="json"), "here") == config
