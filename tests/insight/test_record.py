"""`record`: the right layers, the right weights, nothing left behind, never silently nothing."""

import pytest
import torch
from tests.models.small import MODELS
from torch import Tensor, nn

from jumok.errors import UserError
from jumok.insight.record import layer_names, record
from jumok.models.transformer import Transformer, TransformerConfig
from jumok.nn.attention import Attention, Tap
from jumok.nn.mask import Mask

NAMES = [
    *(f"encoder.blocks.{i}.attention" for i in range(3)),
    *(f"decoder.blocks.{i}.{part}" for i in range(2) for part in ("attention", "cross")),
]


def small() -> Transformer:
    sizes = {"dim": 16, "heads": 4, "depth": 3, "decoder_depth": 2, "hidden": 32}
    return Transformer(TransformerConfig(source_vocab=20, target_vocab=20, **sizes)).eval()


def batch() -> tuple[Tensor, Tensor, Tensor]:
    return torch.randint(4, 20, (2, 7)), torch.tensor([7, 4]), torch.randint(4, 20, (2, 5))


def sinks(model: nn.Module) -> list[object]:
    return [module.sink for module in model.modules() if isinstance(module, Tap)]


def test_every_layer_by_its_path_with_rows_that_sum_to_one() -> None:
    model, inputs = small(), batch()
    before = model(*inputs)
    with record(model) as maps:
        during = model(*inputs)
    torch.testing.assert_close(during, before)
    assert sorted(maps) == sorted(NAMES) == sorted(layer_names(model))
    for name, weights in maps.items():
        queries = 5 if name.startswith("decoder") else 7
        keys = 5 if name.startswith("decoder") and name.endswith("attention") else 7
        assert weights.shape == (2, 4, queries, keys)
        assert weights.dtype == torch.float32
        assert not weights.requires_grad
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, queries))
        if keys == 7:
            assert weights[1, :, :, 4:].abs().max() == 0, "padding was looked at"
    assert maps["decoder.blocks.1.attention"].triu(1).abs().max() == 0, "the future was looked at"
    assert set(sinks(model)) == {None}


def test_recorded_weights_are_the_formula_in_float64() -> None:
    attention = Attention(12, 3)
    x = torch.randn(2, 6, 12)
    with record(nn.ModuleDict({"self": attention})) as maps:
        attention(x, mask=Mask(torch.tensor([6, 3])))
    q, k, _ = (x.double() @ attention.qkv.weight.double().T + attention.qkv.bias.double()).chunk(3, -1)
    scores = q.unflatten(-1, (3, 4)).transpose(1, 2) @ k.unflatten(-1, (3, 4)).permute(0, 2, 3, 1) / 2
    scores[1, :, :, 3:] = -torch.inf
    torch.testing.assert_close(maps["self"].double(), scores.softmax(-1), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (0, [name for name in NAMES if ".0." in name]),
        (-1, ["encoder.blocks.2.attention", "decoder.blocks.1.attention", "decoder.blocks.1.cross"]),
        (2, ["encoder.blocks.2.attention"]),
        ("decoder", [name for name in NAMES if name.startswith("decoder")]),
        ("decoder.blocks.0.cross", ["decoder.blocks.0.cross"]),
        ("*.cross", ["decoder.blocks.0.cross", "decoder.blocks.1.cross"]),
        (["*.cross", "encoder.blocks.1"], ["encoder.blocks.1.attention", *(n for n in NAMES if "cross" in n)]),
    ],
)
def test_layers_are_chosen_by_index_name_and_pattern(layers: int | str | list[int | str], expected: list[str]) -> None:
    model = small()
    with record(model, layers=layers) as maps:
        model(*batch())
    assert sorted(maps) == sorted(expected)


def test_heads_are_chosen_in_the_order_given() -> None:
    model, inputs = small(), batch()
    with record(model, layers="*.cross") as every:
        model(*inputs)
    with record(model, layers="*.cross", heads=[2, -4]) as some:
        model(*inputs)
    for name, weights in some.items():
        torch.testing.assert_close(weights, every[name][:, [2, 0]])


@pytest.mark.parametrize("layers", [7, -4, "decoder.blocks.0.crosses", "encoder.block", "*.self", []])
def test_a_layer_that_does_not_exist_is_named_at_the_door(layers: int | str | list[str]) -> None:
    model = small()
    listed = r"encoder\.blocks\.0\.attention.*decoder\.blocks\.1\.cross"
    with pytest.raises(UserError, match=listed), record(model, layers):
        pytest.fail("the block was entered")
    assert set(sinks(model)) == {None}


def test_a_head_that_does_not_exist_and_a_model_without_attention() -> None:
    model = small()
    with pytest.raises(UserError, match="no head 4; its heads are 0 to 3"), record(model, heads=[0, 4]):
        model(*batch())
    assert set(sinks(model)) == {None}
    with pytest.raises(UserError, match="Linear has no attention"), record(nn.Linear(2, 2)):
        pass


def test_nothing_recorded_raises_but_does_not_hide_an_error() -> None:
    model = small()
    with pytest.raises(RuntimeError, match="nothing was recorded"), record(model):
        pass
    with pytest.raises(KeyError, match="mine"), record(model):
        raise KeyError("mine")
    assert set(sinks(model)) == {None}


def test_a_layer_is_recorded_by_one_block_at_a_time() -> None:
    model, inputs = small(), batch()
    with record(model, layers="encoder") as outer:
        with pytest.raises(RuntimeError, match=r"encoder\.blocks\.0\.attention.*being recorded already"), record(model):
            pytest.fail("the block was entered")
        with record(model, layers="decoder") as other:
            model(*inputs)
    assert len(outer) == 3
    assert len(other) == 4


def test_a_second_pass_raises_and_leaves_the_first() -> None:
    model = small()
    with record(model) as maps:
        model(*batch())
        first = maps["encoder.blocks.0.attention"]
        with pytest.raises(RuntimeError, match="ran twice"):
            model(*batch())
        assert maps["encoder.blocks.0.attention"] is first


def test_steps_of_a_recurrent_decoder_are_joined() -> None:
    tap = Tap()
    rows = torch.rand(3, 1, 4, 6).softmax(-1)
    with record(nn.ModuleDict({"attention": nn.ModuleDict({"tap": tap})})) as maps:
        for step in range(4):
            tap(rows[:, :, step : step + 1])
        with pytest.raises(RuntimeError, match="ran twice"):
            tap(rows)
        with pytest.raises(RuntimeError, match="ran twice"):
            tap(rows[:, :, :1, :5])
    torch.testing.assert_close(maps["attention"], rows)


@pytest.mark.parametrize("name", ["luong", "luong-unfed", "luong-concat", "bahdanau"])
@torch.no_grad()
def test_a_recurrent_decoders_steps_are_one_map(name: str) -> None:
    model, (source, sizes, target) = MODELS[name](), batch()
    before = model(source, sizes, target)
    with record(model) as maps:
        during = model(source, sizes, target)
    assert torch.equal(before, during)
    assert list(maps) == ["decoder.cross"] == layer_names(model)
    weights = maps["decoder.cross"]
    assert weights.shape == (2, 1, 5, 7)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 1, 5))
    assert not weights[1, :, :, 4:].any(), "padding was looked at"
    # row after row is what a step sees
    state = model.begin(model.encode(source, sizes), 1, 9)
    for i in range(5):
        with record(model) as step:
            _, state = model.step(target[:, i : i + 1], state)
        torch.testing.assert_close(step["decoder.cross"], weights[:, :, i : i + 1])


@torch.no_grad()
def test_a_convolutional_decoder_attends_in_every_block() -> None:
    model, inputs = MODELS["convs2s"](), batch()
    with record(model) as maps:
        model(*inputs)
    assert list(maps) == [f"decoder.blocks.{i}.cross" for i in range(3)] == layer_names(model)
    for weights in maps.values():
        assert weights.shape == (2, 1, 5, 7)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 1, 5))
        assert not weights[1, :, :, 4:].any(), "padding was looked at"
    with record(model, layers=-1) as last:
        model(*inputs)
    assert list(last) == ["decoder.blocks.2.cross"]


@pytest.mark.parametrize("name", ["summary", "cho"])
def test_a_model_without_attention_says_so(name: str) -> None:
    with pytest.raises(UserError, match="Seq2Seq has no attention"), record(MODELS[name]()):
        pass


@pytest.mark.parametrize("wrap", ["module", "_forward_module", "_orig_mod"])
def test_names_are_those_of_the_unwrapped_model(wrap: str) -> None:
    model = small()
    outer = nn.Module()
    outer.add_module("_forward_module", nn.Module())
    outer.get_submodule("_forward_module").add_module(wrap, model)
    assert layer_names(outer) == layer_names(model)


def test_maps_are_copies_that_outlive_inference_mode() -> None:
    tap, weights = Tap(), torch.rand(1, 2, 3, 4)
    with torch.inference_mode(), record(nn.ModuleDict({"a": nn.ModuleDict({"tap": tap})})) as maps:
        seen = weights.clone()
        tap(seen)
        seen.zero_()
    torch.testing.assert_close(maps["a"], weights)
    assert not maps["a"].is_inference()


def test_recording_in_training_sees_the_weights_before_dropout() -> None:
    attention = Attention(8, 2, dropout=0.5).train()
    with record(nn.ModuleDict({"a": attention})) as maps:
        attention(torch.randn(2, 9, 8)).sum().backward()
    torch.testing.assert_close(maps["a"].sum(-1), torch.ones(2, 2, 9))
    assert attention.qkv.weight.grad is not None
