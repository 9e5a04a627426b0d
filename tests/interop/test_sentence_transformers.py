"""What leaves as a BERT gives the same vectors in sentence-transformers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jumok.data.tokenizer import Tokenizer, TokenizerConfig
from jumok.errors import UserError
from jumok.interop.sentence_transformers import save
from jumok.models.sentence_encoder import CONFIGS, DANConfig, SentenceEncoder, TransformerEncoderConfig
from jumok.tasks.embed_predict import SentenceEmbedder

LINES = [f"A man number {i} is Riding  a horse, no. {i * 7}. 안녕 하세요" for i in range(60)]
ODD = ["A MAN\t sleeps", "cafe\u0301 É ", "x " * 60, "<b> {} [x] 12,3%", "낱말\u3000하나", "?"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(LINES, TokenizerConfig(size=320))


def encoder(tokenizer: Tokenizer, **changes: Any) -> SentenceEncoder:
    sizes: dict[str, Any] = {"dim": 32, "heads": 4, "depth": 2, "hidden": 48, "max_len": 24}
    config = TransformerEncoderConfig.preset("bert", vocab_size=tokenizer.vocab_size, **sizes | changes)
    torch.manual_seed(1)
    model = SentenceEncoder(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.mark.parametrize(
    ("changes", "lowercase"),
    [
        ({"pool": "sqrt"}, True),
        ({"pool": "mean", "projection": 24, "activation": "relu"}, False),
        ({"pool": "class", "positions": "sinusoidal", "labels": ("a", "b")}, True),
        ({"pool": "weighted", "projection": 12, "scales": 2}, True),
    ],
)
def test_the_vectors_are_equal(tokenizer: Tokenizer, tmp_path: Path, changes: dict[str, Any], lowercase: bool) -> None:
    from sentence_transformers import SentenceTransformer

    model = encoder(tokenizer, **changes)
    save(model, tokenizer, tmp_path / "out", lowercase=lowercase)
    theirs = SentenceTransformer(str(tmp_path / "out"), device="cpu")
    lines = [*LINES[:7], *ODD]
    ours = SentenceEmbedder(model, tokenizer, lowercase=lowercase)(lines)
    np.testing.assert_allclose(theirs.encode(lines), ours, atol=1e-5)
    similarity = theirs.similarity(ours[:1], ours[1:2])
    assert float(similarity) == pytest.approx(float(ours[0] @ ours[1]), abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "lowercase"), [({"pool": "weighted"}, True), ({"pool": "mean", "projection": 24, "scales": 1}, False)]
)
def test_a_dan_leaves_as_a_table(
    tokenizer: Tokenizer, tmp_path: Path, changes: dict[str, Any], lowercase: bool
) -> None:
    from sentence_transformers import SentenceTransformer

    torch.manual_seed(1)
    model = SentenceEncoder(DANConfig(vocab_size=tokenizer.vocab_size, dim=32, depth=0, max_len=24, **changes)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    save(model, tokenizer, tmp_path / "out", lowercase=lowercase)
    theirs = SentenceTransformer(str(tmp_path / "out"), device="cpu")
    lines = [*LINES[:7], *ODD]
    ours = SentenceEmbedder(model, tokenizer, lowercase=lowercase)(lines)
    np.testing.assert_allclose(theirs.encode(lines), ours, atol=1e-5)
    np.testing.assert_allclose(theirs.encode([""]), [np.zeros(ours.shape[1])], atol=1e-6)


@pytest.mark.parametrize(
    ("family", "changes", "part"),
    [
        ("transformer", {"norm": "pre"}, "norm = pre"),
        ("transformer", {"positions": "rotary"}, "positions = rotary"),
        ("transformer", {"embedding_norm": False}, "embedding_norm = false"),
        ("dan", {"depth": 2}, "depth = 2 of a DAN"),
        ("dan", {"depth": 0, "pool": "sqrt"}, "pool = sqrt of a DAN"),
    ],
)
def test_what_bert_has_no_place_for_is_named(
    tokenizer: Tokenizer, tmp_path: Path, family: str, changes: dict[str, Any], part: str
) -> None:
    values: dict[str, Any] = {"vocab_size": tokenizer.vocab_size, "dim": 32, "hidden": 32}
    if family == "transformer":
        values |= {"heads": 4, "depth": 1, "embedding_norm": True, "activation": "gelu", "positions": "learned"}
    model = SentenceEncoder(CONFIGS[family](**values | changes))
    with pytest.raises(UserError, match=f"has no place for {part}"):
        save(model, tokenizer, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_left_alone(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty"):
        save(encoder(tokenizer), tokenizer, tmp_path)
    save(encoder(tokenizer), tokenizer, tmp_path / "new" / "out")
    modules = json.loads((tmp_path / "new" / "out" / "modules.json").read_text())
    assert [module["path"] for module in modules] == ["", "1_Pooling", "2_Normalize"]
