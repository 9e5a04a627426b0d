"""Recurrent models: the papers' equations in a plain loop, what a decoder sees of the source, and the config."""

from dataclasses import replace
from typing import Any

import pydantic
import pytest
import torch
from tests.models.small import VOCAB, lengths, shake, targets, words
from tests.nn import by_hand
from torch import Tensor

from jumok.models.seq2seq import Seq2Seq, Seq2SeqConfig
from jumok.nn.alignment import Additive, Multiplicative
from jumok.nn.recurrent import reversed_rows
from jumok.nn.recurrent_text import ContextDecoder, LuongDecoder
from jumok.nn.state import Encoded

SUMMARIES = ["summary", "context"]


def config(**overrides: Any) -> Seq2SeqConfig:
    sizes: dict[str, Any] = {"source_vocab": VOCAB, "target_vocab": VOCAB, "dim": 6, "dropout": 0.0}
    return Seq2SeqConfig(**(sizes | overrides))


def random_model(**overrides: Any) -> Seq2Seq:
    model = Seq2Seq(config(**overrides)).eval().double()
    shake(model)
    return model


def batch() -> tuple[Tensor, Tensor, Tensor]:
    return words(4, 7), lengths(4, 7), targets(4, 5)


def after(model: Seq2Seq, encoded: Encoded, target: Tensor) -> Tensor:
    """Logits of a forced pass over what was encoded, by both ways, which agree."""
    whole: Tensor = model.output(model.decoder(encoded, target))
    state = model.begin(encoded, 1, 9)
    for i in range(target.shape[1]):
        logits, state = model.step(target[:, i : i + 1], state)
        torch.testing.assert_close(logits, whole[:, i])
    return whole


def scored(cross: Additive | Multiplicative, s: Tensor, h: Tensor) -> Tensor:
    if isinstance(cross, Additive):
        return cross.v @ torch.tanh(cross.query.weight @ s + cross.key.weight @ h + cross.key.bias)
    return s @ (cross.key.weight @ h)


# ---- the papers' decoders, one sentence and one token at a time


def read_on(model: Seq2Seq, states: list[list[Tensor]], y: Tensor, extra: Tensor) -> Tensor:
    """Move the states of all layers by one input, `extra` joining the first one's gates; the last layer's output."""
    for number, layer in enumerate(model.decoder.stack.each()):
        kernel, state = layer.kernel, states[number]
        inputs = kernel.weight_ih_l0 @ y + kernel.bias_ih_l0 + (extra if number == 0 else 0)
        recurrent = kernel.weight_hh_l0 @ state[0] + kernel.bias_hh_l0
        states[number] = by_hand.cell_step(model.config.cell, inputs, recurrent, state)
        y = states[number][0]
    return y


@pytest.mark.parametrize(("cell", "depth"), [("gru", 1), ("lstm", 2), ("gelu", 1)])
@torch.no_grad()
def test_bahdanaus_decoder_is_the_papers(cell: str, depth: int) -> None:
    """``c_i`` from ``s_{i-1}``; ``s_i = f(s_{i-1}, y_{i-1}, c_i)``; ``t_i = max(U s_i + V y_{i-1} + C c_i)``."""
    model = random_model(cell=cell, depth=depth, decoder="bahdanau", score="additive")
    decoder = model.decoder
    assert isinstance(decoder, ContextDecoder)
    assert isinstance(decoder.cross, Additive)
    source, sizes, target = batch()
    encoded, logits = model.encode(source, sizes), model(source, sizes, target)
    out = decoder.readout
    for row, n in enumerate(sizes.tolist()):
        annotations = encoded.features[row, :n]
        states = [list(encoded.final[layer, :, row]) for layer in range(depth)]
        for i, token in enumerate(target[row].tolist()):
            y = decoder.tokens.embedding.weight[token] * 6**0.5
            _, c = by_hand.attend(lambda h, s=states[-1][0]: scored(decoder.cross, s, h), annotations)
            s = read_on(model, states, y, decoder.feed.weight @ c)
            both = out.state.weight @ s + out.state.bias + out.token.weight @ y + out.context.weight @ c
            t = torch.stack([torch.maximum(both[2 * k], both[2 * k + 1]) for k in range(6)])
            torch.testing.assert_close(logits[row, i], decoder.output.weight @ t)


@torch.no_grad()
def test_chos_decoder_has_one_context() -> None:
    """The same with ``c``, the encoder's last state, at every step."""
    model = random_model(cell="gru", decoder="context", directions=1)
    decoder = model.decoder
    assert isinstance(decoder, ContextDecoder)
    source, sizes, target = batch()
    final, logits = model.encode(source, sizes).final, model(source, sizes, target)
    out = decoder.readout
    for row in range(4):
        c = final[0, 0, row]
        states = [[c]]
        for i, token in enumerate(target[row].tolist()):
            y = decoder.tokens.embedding.weight[token] * 6**0.5
            s = read_on(model, states, y, decoder.feed.weight @ c)
            both = out.state.weight @ s + out.state.bias + out.token.weight @ y + out.context.weight @ c
            torch.testing.assert_close(logits[row, i], decoder.output.weight @ both.view(6, 2).max(1).values)


@pytest.mark.parametrize("feeding", [True, False])
@pytest.mark.parametrize(("cell", "score", "depth"), [("lstm", "general", 2), ("gru", "concat", 1)])
@torch.no_grad()
def test_luongs_decoder_is_the_papers(cell: str, score: str, depth: int, feeding: bool) -> None:
    """``h_t`` from ``[y; h~_{t-1}]``; ``c_t`` from ``h_t``; ``h~_t = tanh(W_c [c_t; h_t])``."""
    model = random_model(cell=cell, decoder="luong", score=score, depth=depth, input_feeding=feeding)
    decoder = model.decoder
    assert isinstance(decoder, LuongDecoder)
    source, sizes, target = batch()
    encoded, logits = model.encode(source, sizes), model(source, sizes, target)
    for row, n in enumerate(sizes.tolist()):
        annotations = encoded.features[row, :n]
        states = [list(encoded.final[layer, :, row]) for layer in range(depth)]
        fed = torch.zeros(6, dtype=torch.float64)
        for i, token in enumerate(target[row].tolist()):
            y = decoder.tokens.embedding.weight[token] * 6**0.5
            h = read_on(model, states, y, torch.zeros(()) if decoder.feed is None else decoder.feed.weight @ fed)
            _, c = by_hand.attend(lambda k, s=h: scored(decoder.cross, s, k), annotations)
            fed = torch.tanh(decoder.combine.weight @ torch.cat([c, h]))
            torch.testing.assert_close(logits[row, i], decoder.output.weight @ fed)


@torch.no_grad()
def test_sutskevers_decoder_is_a_language_model_that_starts_from_the_source() -> None:
    model = random_model(cell="lstm", decoder="summary", depth=2)
    source, sizes, target = batch()
    x = model.decoder.tokens.embedding(target)
    y, _ = model.decoder.stack(x, None, model.encode(source, sizes).final)
    torch.testing.assert_close(model(source, sizes, target), y @ model.output.weight.T)


# ---- what a decoder sees of the source


@pytest.mark.parametrize("decoder", SUMMARIES)
@torch.no_grad()
def test_a_summary_is_all_that_is_seen(decoder: str) -> None:
    """Other features change nothing, another final state does."""
    model = random_model(decoder=decoder, directions=1)
    source, sizes, target = batch()
    encoded = model.encode(source, sizes)
    before = after(model, encoded, target)
    other = replace(encoded, features=torch.randn_like(encoded.features))
    assert torch.equal(after(model, other, target), before)
    moved = after(model, replace(encoded, final=torch.randn_like(encoded.final)), target)
    assert bool((moved - before).abs().amax((1, 2)).min() > 1e-6)


@pytest.mark.parametrize("decoder", ["bahdanau", "luong"])
@torch.no_grad()
def test_an_attention_sees_every_annotation(decoder: str) -> None:
    model = random_model(decoder=decoder)
    source, sizes, target = batch()
    encoded = model.encode(source, sizes)
    before = after(model, encoded, target)
    for row, n in enumerate(sizes.tolist()):
        features = encoded.features.clone()
        features[row, torch.randint(n, ())] += 1
        moved = (after(model, replace(encoded, features=features), target) - before).abs().amax(2)
        assert bool((moved[row] > 1e-9).all())
        assert not moved[torch.arange(4) != row].any()


@pytest.mark.parametrize("feeding", [True, False])
@torch.no_grad()
def test_input_feeding_tells_the_state_what_was_attended_to(feeding: bool) -> None:
    """Without it the recurrence is a language model's: what the source says never reaches its state."""
    model = random_model(decoder="luong", input_feeding=feeding)
    source, sizes, target = batch()
    encoded = model.encode(source, sizes)
    other = replace(encoded, features=torch.randn_like(encoded.features))
    states = [model.begin(each, 1, 9) for each in (encoded, other)]
    for i in range(3):
        for number in (0, 1):
            _, states[number] = model.step(target[:, i : i + 1], states[number])
        moved = bool((states[0].hidden != states[1].hidden).any())
        assert moved == (feeding and i > 0)


@pytest.mark.parametrize("decoder", ["summary", "context", "bahdanau", "luong"])
@torch.no_grad()
def test_reading_backwards_is_reading_the_reversed_source(decoder: str) -> None:
    """And its features stand in the source's own order."""
    backwards = random_model(decoder=decoder, directions=1, depth=2, reverse_source=True)
    forwards = random_model(decoder=decoder, directions=1, depth=2)
    forwards.load_state_dict(backwards.state_dict())
    source, sizes, target = batch()
    turned = reversed_rows(source, sizes)
    one, other = backwards.encode(source, sizes), forwards.encode(turned, sizes)
    torch.testing.assert_close(one.features, reversed_rows(other.features, sizes))
    torch.testing.assert_close(one.final, other.final)
    torch.testing.assert_close(backwards(source, sizes, target), forwards(turned, sizes, target))


@torch.no_grad()
def test_the_final_state_of_a_source_is_its_own() -> None:
    """Not that of its padding."""
    model = random_model(directions=2, depth=2)
    source, sizes, _ = batch()
    final = model.encode(source, sizes).final
    assert final.shape == (2, 2, 4, 6)
    for row, n in enumerate(sizes.tolist()):
        alone = model.encode(source[row : row + 1, :n], sizes[row : row + 1]).final
        torch.testing.assert_close(final[:, :, row], alone[:, :, 0])


def test_a_recurrent_decoder_needs_a_final_state() -> None:
    model = random_model()
    source, sizes, _ = batch()
    with pytest.raises(ValueError, match="final state"):
        model.begin(replace(model.encode(source, sizes), final=None), 1, 9)


# ---- the config


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"dim": 7, "directions": 2}, r"dim = 7 .* directions = 2"),
        ({"directions": 2, "reverse_source": True}, r"reverse_source .* directions = 1"),
        ({"source_vocab": 11}, "tied = all"),
        ({"directions": 3}, "directions"),
        ({"cell": "elman"}, "cell"),
        ({"decoder": "transformer"}, "decoder"),
        ({"score": "cosine"}, "score"),
        ({"heads": 8}, "heads"),
    ],
    ids=str,
)
def test_wrong_options_are_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=named):
        config(**wrong)


def test_odd_widths_in_one_direction_and_two_vocabularies_are_fine() -> None:
    model = random_model(dim=7, directions=1, tied="target", source_vocab=11)
    assert model(torch.randint(11, (3, 5)), torch.tensor([5, 2, 3]), targets(3, 4)).shape == (3, 4, VOCAB)


def test_presets_are_the_papers() -> None:
    made = {name: Seq2SeqConfig.preset(name, source_vocab=VOCAB, target_vocab=VOCAB) for name in Seq2SeqConfig.PRESETS}
    sutskever, cho, bahdanau, luong = (made[name] for name in ("sutskever", "cho", "bahdanau", "luong"))
    assert (sutskever.cell, sutskever.depth, sutskever.decoder) == ("lstm", 4, "summary")
    assert [name for name, each in made.items() if each.reverse_source] == ["sutskever"]
    assert (cho.cell, cho.decoder, cho.directions) == ("gru", "context", 1)
    assert (bahdanau.cell, bahdanau.decoder, bahdanau.score, bahdanau.directions) == ("gru", "bahdanau", "additive", 2)
    assert (luong.cell, luong.depth, luong.decoder, luong.input_feeding) == ("lstm", 4, "luong", True)
    assert {each.dim for each in (sutskever, cho, bahdanau, luong)} == {1000}


@pytest.mark.parametrize("name", Seq2SeqConfig.PRESETS)
def test_every_preset_can_be_built_and_changed(name: str) -> None:
    small = Seq2SeqConfig.preset(name, source_vocab=VOCAB, target_vocab=VOCAB, dim=10, depth=2)
    assert (small.dim, small.depth) == (10, 2)
    assert Seq2Seq(small).eval()(*batch()).shape == (4, 5, VOCAB)


def test_one_embedding_where_tied() -> None:
    every = random_model(tied="all")
    assert every.encoder.tokens.embedding.weight is every.decoder.tokens.embedding.weight is every.output.weight
    target = random_model(tied="target", source_vocab=17)
    assert target.encoder.tokens.embedding.weight.shape[0] == 17
    assert target.decoder.tokens.embedding.weight is target.output.weight
    none = random_model(tied="none", source_vocab=17)
    assert none.decoder.tokens.embedding.weight is not none.output.weight
