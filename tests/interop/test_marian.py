"""A Marian folder holds the same function: equal logits, greedy output, and beams; and every bit of it comes back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoTokenizer, MarianConfig, MarianMTModel

from jumok.data.batching import collate, pad
from jumok.data.tokenizer import BEGIN, END, PAD, Tokenizer, TokenizerConfig, TokenizerPair
from jumok.decoding.search import SearchOptions, search
from jumok.errors import UserError
from jumok.interop import marian
from jumok.models.transformer import Transformer, TransformerConfig

SIZES: dict[str, Any] = {
    "source_vocab": 101,
    "target_vocab": 101,
    "dim": 42,
    "heads": 3,
    "depth": 2,
    "hidden": 53,
    "max_len": 61,
}


def small(**changes: Any) -> Transformer:
    """Odd sizes, and no weight at a special value: norms and biases are random too."""
    model = Transformer(TransformerConfig(**(SIZES | changes))).eval()
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.data += 0.3 * torch.randn_like(parameter)
    return model


def theirs(folder: Path) -> MarianMTModel:
    return MarianMTModel.from_pretrained(folder).eval()


def sentences(model: Transformer | None = None, count: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Source rows of unequal length (the longest 7), their lengths, and outputs of 5 that start with BEGIN."""
    source_vocab = model.config.source_vocab if model else 101
    target_vocab = model.config.target_vocab if model else 101
    lengths = [7, *torch.randint(1, 8, (count - 1,)).tolist()]
    source, lengths_ = pad([torch.randint(4, source_vocab, (n,)).tolist() for n in lengths])
    target = torch.randint(4, target_vocab, (count, 5))
    target[:, 0] = BEGIN
    return source, lengths_, target


def mask_of(source: Tensor, lengths: Tensor) -> Tensor:
    return (torch.arange(source.shape[1]) < lengths[:, None]).long()


@torch.no_grad()
def difference(ours: Transformer, other: MarianMTModel) -> float:
    source, lengths, target = sentences(ours)
    expected = other(input_ids=source, attention_mask=mask_of(source, lengths), decoder_input_ids=target).logits
    return float((ours(source, lengths, target) - expected).abs().max())


CASES: dict[str, dict[str, Any]] = {
    "all": {},
    "gelu": {"activation": "gelu", "decoder_depth": 3},
    "target": {"tied": "target", "source_vocab": 37},
    "none": {"tied": "none", "source_vocab": 131},
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_written_model_has_equal_logits(tmp_path: Path, changes: dict[str, Any]) -> None:
    ours = small(**changes)
    marian.write(ours, None, tmp_path / "new" / "folder")
    assert difference(ours, theirs(tmp_path / "new" / "folder")) < 1e-5


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_write_then_read_gives_the_same_bits(tmp_path: Path, changes: dict[str, Any]) -> None:
    ours = small(dropout=0.2, attention_dropout=0.05, **changes)
    marian.write(ours, None, tmp_path)
    back = marian.read(tmp_path)
    assert back.config == ours.config
    assert not back.training
    expected, found = ours.state_dict(), back.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert (back.output.weight is back.decoder.tokens.embedding.weight) == (ours.config.tied != "none")
    assert marian.special_tokens(tmp_path) == (BEGIN, END, PAD)


def marian_config(**changes: Any) -> MarianConfig:
    """As published models have it: padding last, and what the decoder starts from."""
    values = {
        "vocab_size": 101,
        "d_model": 42,
        "encoder_layers": 2,
        "decoder_layers": 1,
        "encoder_attention_heads": 3,
        "decoder_attention_heads": 3,
        "encoder_ffn_dim": 53,
        "decoder_ffn_dim": 53,
        "activation_function": "relu",
        "scale_embedding": True,
        "max_position_embeddings": 61,
        "pad_token_id": 100,
        "eos_token_id": 0,
        "forced_eos_token_id": 0,
        "decoder_start_token_id": 100,
    }
    return MarianConfig(**(values | changes))


UNTIED = {"tie_word_embeddings": False}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": 101, "vocab_size": 131},
        {
            "share_encoder_decoder_embeddings": False,
            "decoder_vocab_size": 101,
            "vocab_size": 131,
            "tie_word_embeddings": False,
        },
    ],
    ids=["shared", "unequal", "untied"],
)
def test_a_folder_of_transformers_has_equal_logits(tmp_path: Path, changes: dict[str, Any]) -> None:
    other = MarianMTModel(marian_config(**changes)).eval()
    for parameter in other.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    # a change in place of the positions would go unsaved; they are what the formula says
    for positions in (other.model.encoder.embed_positions, other.model.decoder.embed_positions):
        positions.weight.data.copy_(positions.create_weight())
    other.save_pretrained(tmp_path)
    ours = marian.read(tmp_path)
    assert difference(ours, other) < 1e-5
    assert marian.special_tokens(tmp_path) == (100, 0, 100)


def half_taught() -> Transformer:
    """A model that has begun to learn to reverse and end: outputs of many lengths, not all of them right."""
    model = Transformer(TransformerConfig(**(SIZES | {"dropout": 0.0, "source_vocab": 29, "target_vocab": 29})))
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    rows = [torch.randint(4, 29, (int(n),)).tolist() for n in torch.randint(1, 9, (128,))]
    batch = collate(rows, [row[::-1] for row in rows], range(len(rows)))
    for _ in range(70):
        logits = model(batch.source, batch.source_lengths, batch.target)
        loss = F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten(), ignore_index=PAD)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def test_equal_output_greedy_and_with_beams(tmp_path: Path) -> None:
    model = half_taught()
    marian.write(model, None, tmp_path)
    other = theirs(tmp_path)
    rows = [torch.randint(4, 29, (int(n),)).tolist() for n in torch.randint(1, 9, (40,))]
    source, lengths = pad(rows)
    mask, room = mask_of(source, lengths), [40] * len(rows)
    for beam in (1, 4):
        options = SearchOptions(beam=beam, length_penalty=0.0)
        encoded = model.encode(source, lengths)
        found = search(model, encoded, options, begin=BEGIN, end=END, pad=PAD, max_lengths=room)
        # two more places: BEGIN and END
        rule = {"num_beams": beam, "max_length": 42, "length_penalty": 0.0}
        generated = [row.tolist() for row in other.generate(input_ids=source, attention_mask=mask, **rule)]
        assert sum(END in row for row in generated) >= len(rows) // 2, "the model should have learnt to end"
        expected = [row[1 : row.index(END)] if END in row else row[1:41] for row in generated]
        assert len({tuple(row) for row in expected}) > len(rows) // 4, "outputs should differ"
        # one that is cut off is no hypothesis of ours
        ended = [i for i, row in enumerate(generated) if END in row]
        other_than = [i for i in ended if found[i][0].tokens != expected[i]]
        if beam == 1:
            assert not other_than
        # generate may stop before a likelier output is finished; ours never returns a less likely one
        assert len(other_than) <= len(ended) // 4
        for i in other_than:
            target, labels = torch.tensor([[BEGIN, *expected[i]]]), torch.tensor([*expected[i], END])
            log_p = model(source[i : i + 1], lengths[i : i + 1], target)[0].log_softmax(-1)
            assert found[i][0].log_probability > float(log_p.gather(1, labels[:, None]).sum().detach())


TEXT = ["ein Mann schläft .", "eine Frau liest ein Buch .", "두 사람이 걷는다 .", "ein Hund läuft 12 km ."] * 5


@pytest.mark.parametrize("joint", [True, False], ids=["joint", "separate"])
def test_the_tokenizer_loads_with_transformers(tmp_path: Path, joint: bool) -> None:
    config = TokenizerConfig(kind="bpe", size=330, joint=joint)
    pair = TokenizerPair.train(TEXT, [line.upper() for line in TEXT], config)
    vocabularies = {"source_vocab": pair.source.vocab_size, "target_vocab": pair.target.vocab_size}
    marian.write(small(**vocabularies, tied="all" if joint else "target"), pair, tmp_path)
    for ours, folder in ((pair.source, tmp_path), (pair.target, tmp_path if joint else tmp_path / "target")):
        loaded = AutoTokenizer.from_pretrained(folder)
        assert (loaded.pad_token_id, loaded.bos_token_id, loaded.eos_token_id) == (PAD, BEGIN, END)
        for line in [*TEXT[:4], "Zwölf Bücher (neu)!", "모르는 글자 ☃"]:
            pieces = ours.encode(line)
            assert loaded(line).input_ids == pieces
            assert loaded.decode([*pieces, END, PAD], skip_special_tokens=True) == line
        assert Tokenizer.load(folder / "tokenizer.json").encode(TEXT[0]) == ours.encode(TEXT[0])


def test_a_model_without_a_place_in_marian_is_refused(tmp_path: Path) -> None:
    pair = TokenizerPair.train(TEXT, TEXT, TokenizerConfig(kind="bpe", size=330))
    model = small(norm="pre", activation="swiglu", positions="learned")
    with pytest.raises(UserError) as caught:
        marian.write(model, pair, tmp_path / "none")
    for part in ("norm = pre", "activation = swiglu", "positions = learned", "pieces"):
        assert part in str(caught.value)
    assert not (tmp_path / "none").exists()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="taken"):
        marian.write(small(), None, tmp_path / "taken")


def test_what_our_model_lacks_is_named_together(tmp_path: Path) -> None:
    other = MarianMTModel(
        marian_config(activation_function="swish", scale_embedding=False, decoder_ffn_dim=54, decoder_attention_heads=6)
    )
    other.final_logits_bias += 0.5
    other.save_pretrained(tmp_path)
    with pytest.raises(UserError) as caught:
        marian.read(tmp_path)
    for part in ("swish", "scale_embedding", "3 heads", "53", "final_logits_bias"):
        assert part in str(caught.value)


def edit_config(**changes: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


def edit_weights(change: Callable[[dict[str, Tensor]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return edit


FC1 = "model.encoder.layers.0.fc1.weight"
DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "config.json"),
    "no JSON": (lambda folder: (folder / "config.json").write_text("{"), "config.json"),
    "another model": (edit_config(model_type="bart"), "bart"),
    "a wrong type": (edit_config(d_model="wide"), "d_model"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors"),
    "truncated": (lambda folder: (folder / "model.safetensors").write_bytes(b"\0" * 7), "model.safetensors"),
    "other sizes": (edit_config(encoder_ffn_dim=54, decoder_ffn_dim=54), "fc1"),
    "more layers": (edit_config(encoder_layers=3), "missing.*layers.2"),
    "a lost tensor": (edit_weights(lambda tensors: tensors.pop(FC1)), "missing.*fc1"),
    "a foreign tensor": (edit_weights(lambda tensors: tensors.update(adapter=torch.ones(1))), "surplus.*adapter"),
}


@pytest.mark.parametrize(("damage", "named"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_folder_is_one_message(tmp_path: Path, damage: Callable[[Path], None], named: str) -> None:
    marian.write(small(), None, tmp_path)
    damage(tmp_path)
    with pytest.raises(UserError, match=named):
        marian.read(tmp_path)
