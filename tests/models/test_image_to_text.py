"""Models that write what an image shows: the papers' sizes, the formulas, what they share, what they start from."""

import json
from typing import Any

import pydantic
import pytest
import torch
from tests.decoding.run import run
from tests.models.small import BEGIN, END, VOCAB, shake, small_translator, targets
from tests.models.small_images import BLOCKS, READERS, RESNET, SIZE, VIT, WRITERS, images, small_model, small_writer

from jumok.decoding.protocol import Ensemble
from jumok.errors import UserError
from jumok.insight.record import record
from jumok.models import classifiers
from jumok.models.classifiers import ClassifierConfig
from jumok.models.image_to_text import ImageToText, build, read_config, started
from jumok.models.image_to_text_config import ImageToTextConfig
from jumok.models.resnet import ResNetConfig
from jumok.models.vit import DeiTConfig, ViTConfig
from jumok.nn.quantized import quantized, supported
from jumok.nn.recurrent_image import LookingDecoder
from jumok.nn.text import TextDecoder
from jumok.training.weights import load_weights, weights_of

MODELS = WRITERS | {f"{name}-ctc": reader for name, reader in READERS.items()}
RESNET18 = 11_689_512 - (512 * 1000 + 1000)  # as published, without its head


def forward(model: torch.nn.Module, given: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = model(given, target) if isinstance(model, ImageToText) else model(given)
    return logits


def encoder_block(dim: int, hidden: int) -> int:
    return 4 * (dim * dim + dim) + 2 * dim * hidden + hidden + dim + 4 * dim


def decoder_block(dim: int, hidden: int) -> int:
    return encoder_block(dim, hidden) + 4 * (dim * dim + dim) + 2 * dim


def text_decoder(dim: int, hidden: int, depth: int, vocab: int) -> int:
    """Its embedding is its output too."""
    return vocab * dim + depth * decoder_block(dim, hidden) + 2 * dim


def test_parameters_of_the_presets_by_hand() -> None:
    vocab, dim, memory = 1000, 512, 512
    lstm = 4 * (2 * dim * dim + 2 * dim) + 4 * dim * memory  # and the context's part of its gates
    attention = dim * dim + memory * dim + dim + dim
    start, gate, deep_output = 2 * (memory * dim + dim), dim + 1, dim * dim + dim + memory * dim
    projected = 512 * dim + dim
    vit_s = 16 * 16 * 3 * 384 + 384 + 384 + 197 * 384 + 12 * encoder_block(384, 1536) + 2 * 384
    text = 2 * 9 * (32 * 32 + 64 * 64 + 128 * 128 + 256 * 256)  # two convolutions a block, the first from half as wide
    text += 9 * (3 * 32 - 64 * 32 - 128 * 64 - 256 * 128) + 32 * 32 + 32 * 64 + 64 * 128 + 128 * 256
    text += 2 * 32 + 2 * 3 * (32 + 64 + 128 + 256)
    columns = 2 * 256 * 256 + 256
    expected = {
        "show-attend-tell": RESNET18 + 2 * vocab * dim + lstm + attention + start + gate + deep_output,
        "cnn-transformer": RESNET18 + projected + 3 * encoder_block(512, 2048) + 2 * 512,
        "vit-transformer": vit_s + text_decoder(384, 1536, 4, vocab),
        "reader": text + columns + 3 * encoder_block(256, 1024) + 2 * 256 + vocab * 257,
        "reader-transformer": text + columns + 3 * encoder_block(256, 1024) + 2 * 256,
    }
    vit = 4 * 4 * 3 * 192 + 192 + 8 * 32 * 192 + 6 * encoder_block(192, 768) + 2 * 192
    expected["reader-vit"] = vit + vocab * 193
    expected["reader-vit-transformer"] = vit + text_decoder(192, 768, 2, vocab)
    expected["cnn-transformer"] += text_decoder(512, 2048, 3, vocab)
    expected["reader-transformer"] += text_decoder(256, 1024, 2, vocab)
    assert expected.keys() == ImageToTextConfig.PRESETS.keys()
    for name, count in expected.items():
        with torch.device("meta"):
            model = build(ImageToTextConfig.preset(name, vocab_size=vocab))
        assert sum(parameter.numel() for parameter in model.parameters()) == count, name


@pytest.mark.parametrize("preset", list(ImageToTextConfig.PRESETS))
def test_every_preset_can_be_changed(preset: str) -> None:
    smaller: dict[str, Any] = {"dim": 24, "image_size": 32, "channels": 1, "dropout": 0.0}
    values = ImageToTextConfig.PRESETS[preset]
    smaller |= {"hidden": 40, "heads": 3} if "heads" in values else {}
    smaller |= {"widths": tuple(width // 16 for width in values["widths"])} if "widths" in values else {}
    model = build(ImageToTextConfig.preset(preset, vocab_size=VOCAB, **smaller)).eval()
    assert forward(model, torch.randn(2, 1, 32, 32), targets(2, 5)).shape[::2] == (2, VOCAB)


def test_the_decoder_is_the_translators() -> None:
    translator = small_translator("transformer")
    for name, writer in WRITERS.items():
        decoder = writer().decoder
        if not isinstance(decoder, LookingDecoder):
            assert type(decoder) is TextDecoder is type(translator.decoder), name


@torch.no_grad()
def test_show_attend_and_tell_is_the_papers_formula() -> None:
    """Equations 1 to 8 and sections 3.1.2, 4.2 and 4.2.1, one image at a time, in float64."""
    model = WRITERS["show-attend-tell"]().double()
    decoder = model.decoder
    assert isinstance(decoder, LookingDecoder)
    given, target = images(3).double(), targets(3, 6)
    logits = model(given, target)
    lstm, first = decoder.stack.each()[0].kernel, decoder.start.linear
    dim = model.config.dim
    for row in range(3):
        a = model.encode(given[row : row + 1]).features[0]
        start = torch.tanh(first.weight @ a.mean(0) + first.bias)
        h, c = start[:dim], start[dim:]
        for step, word in enumerate(target[row].tolist()):
            e = decoder.tokens.embedding.weight[word] * dim**0.5
            energy = torch.tanh(
                decoder.cross.query.weight @ h + a @ decoder.cross.key.weight.T + decoder.cross.key.bias
            )
            alpha = (energy @ decoder.cross.v).softmax(0)
            beta = torch.sigmoid(decoder.gate.weight @ h + decoder.gate.bias)
            z = beta * (alpha @ a)
            gates = lstm.weight_ih_l0 @ e + lstm.bias_ih_l0 + lstm.weight_hh_l0 @ h + lstm.bias_hh_l0
            i, f, g, o = (gates + decoder.feed.weight @ z).chunk(4)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            readout = e + decoder.readout.state(h) + decoder.readout.context(z)
            torch.testing.assert_close(logits[row, step], decoder.output.weight @ readout)


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_stored_config_and_its_weights_are_the_model(name: str) -> None:
    model, given, target = MODELS[name](), images(), targets(3, 5)
    config = read_config(json.loads(json.dumps(model.config.model_dump(mode="json"))), "config.json")
    assert config == model.config
    again = build(config).eval()
    assert type(again) is type(model)
    assert not torch.allclose(forward(again, given, target), forward(model, given, target))
    again.load_state_dict(model.state_dict())
    assert torch.equal(forward(again, given, target), forward(model, given, target))


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_in_bf16_the_logits_stay_close(name: str) -> None:
    model, given, target = MODELS[name](), images(5), targets(5, 6)
    exact = forward(model, given, target)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = forward(model, given, target)
    pure = forward(model.to(torch.bfloat16), given, target)
    for rough in (mixed.float(), pure.float()):
        assert bool((rough - exact).norm() < 0.1 * exact.norm())


@pytest.mark.skipif(not supported(), reason="this build of PyTorch has no x86 integer kernels")
@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_in_8_bits_the_logits_stay_close(name: str) -> None:
    model, given, target = MODELS[name](), images(5), targets(5, 6)
    exact = forward(model, given, target)
    assert bool((forward(quantized(model), given, target).float() - exact).norm() < 0.15 * exact.norm())


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_the_grid_is_what_the_config_says(name: str) -> None:
    model = MODELS[name]()
    height, width = SIZE
    free = model.config.encoder in ("resnet", "resnet-transformer")
    wider = width + int(torch.randint(12, ())) if free else width
    given = images(2, height, wider)
    encoded = model.encode(given)
    assert encoded.grid == model.config.grid(height, wider)
    assert encoded.features.shape[1] == encoded.prefix + encoded.grid[0] * encoded.grid[1]
    assert encoded.mask.lengths is None
    if not isinstance(model, ImageToText):
        assert model(given).shape[1] == model.config.frames(wider) == encoded.grid[1]
        places = encoded.features[:, encoded.prefix :].unflatten(1, encoded.grid)
        torch.testing.assert_close(model(given), model.output(places.mean(1)))


@torch.no_grad()
def test_cells_are_read_from_images_of_any_size() -> None:
    model = WRITERS["cnn-transformer"]()
    assert model(images(2, 31, 17), targets(2, 4)).shape == (2, 4, VOCAB)
    with pytest.raises(ValueError, match="5 rows of cells is given; its columns were to have 2"):
        WRITERS["columns"]()(images(2, 30, 17), targets(2, 4))
    with pytest.raises(ValueError, match="built for 12 x 18"):
        WRITERS["vit-transformer"]()(images(2, 18, 12), targets(2, 4))


@torch.no_grad()
def test_places_are_told_apart() -> None:
    """Features of one grey image differ from place to place: each knows where it stands."""
    for name in ("cnn-transformer", "columns", "vit-transformer"):
        model = WRITERS[name]()
        features = model.encode(torch.full((1, 2, *SIZE), 0.3)).features[0]
        distances = torch.cdist(features, features) + torch.eye(len(features))
        assert bool((distances > 1e-3).all())


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_attention_over_the_image_is_recorded(name: str) -> None:
    model, given, target = MODELS[name](), images(), targets(3, 5)
    if name == "resnet-ctc":
        with pytest.raises(UserError, match="no attention"), record(model):
            pass
        return
    with record(model) as maps:
        logits = forward(model, given, target)
    torch.testing.assert_close(forward(model, given, target), logits, rtol=1e-4, atol=1e-4)
    encoded = model.encode(given)
    for weights in maps.values():
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    cross = {layer: weights for layer, weights in maps.items() if layer.endswith("cross")}
    if isinstance(model, ImageToText):
        lstm = isinstance(model.decoder, LookingDecoder)
        assert list(cross) == (["decoder.cross"] if lstm else [f"decoder.blocks.{n}.cross" for n in range(2)])
        for weights in cross.values():
            assert weights.shape == (3, 1 if lstm else 5, 5, encoded.features.shape[1])
    else:
        assert maps.keys()
        assert not cross


@torch.no_grad()
def test_an_ensemble_of_unlike_captioners_is_the_mean_of_probabilities() -> None:
    members = [WRITERS[name]() for name in ("show-attend-tell", "cnn-transformer", "vit-transformer")]
    vocabulary, given = [str(token) for token in range(VOCAB)], images(2)
    ensemble = Ensemble(members, [vocabulary] * 3)
    found = run(ensemble, [4, 4], [model.encode(given) for model in members], beam=3, n_best=3)
    for row, hypotheses in enumerate(found):
        for h in hypotheses:
            target, labels = torch.tensor([[BEGIN, *h.tokens]]), torch.tensor([*h.tokens, END])
            each = torch.stack([model(given[row : row + 1], target)[0].softmax(-1) for model in members])
            log_p = each.mean(0).gather(1, labels[:, None]).log().sum()
            assert h.log_probability == pytest.approx(float(log_p), abs=1e-3)


# encoder, model keys of the writer, config of a classifier that it can start from
STARTS: dict[str, tuple[dict[str, Any], type[ResNetConfig] | type[ViTConfig] | type[DeiTConfig], dict[str, Any]]] = {
    "resnet": ({"encoder": "resnet", "decoder": "lstm"} | RESNET, ResNetConfig, {"stem": "small"} | RESNET),
    "resnet-transformer": (
        {"encoder": "resnet-transformer", "strides": ((1, 1), (2, 1))} | BLOCKS | RESNET,
        ResNetConfig,
        {"stem": "small", "image_size": 32} | RESNET,
    ),
    "vit": ({"encoder": "vit"} | VIT, ViTConfig, VIT | {"dim": 20}),
    "vit-of-another-size": (
        {"encoder": "vit", "image_size": 36, "decoder": "ctc"} | VIT,
        ViTConfig,
        VIT | {"dim": 20, "image_size": 24},
    ),
    "deit": ({"encoder": "vit", "prefix": 2} | VIT, DeiTConfig, VIT | {"dim": 20}),
    "hybrid": (
        {"encoder": "hybrid", "stem": "deep", "prefix": 0} | VIT | {"patch": 2},
        ViTConfig,
        VIT | {"dim": 20, "patch": 2, "stem": "deep", "pool": "mean"},
    ),
}


def classifier(config: type[ResNetConfig] | type[ViTConfig] | type[DeiTConfig], **values: Any) -> classifiers.Model:
    model = classifiers.build(config(**({"image_size": SIZE, "channels": 2, "classes": 5} | values)))
    shake(model)
    model.train()(images(4, *model.config.size))  # running statistics are part of the body
    return model.eval()


@pytest.mark.parametrize("name", STARTS)
@torch.no_grad()
def test_an_encoder_starts_from_a_classifier(name: str) -> None:
    values, config, sizes = STARTS[name]
    given, fresh = classifier(config, **sizes), small_model(**values)
    before = {key: tensor.clone() for key, tensor in fresh.state_dict().items()}
    load_weights(fresh, started(weights_of(given), given.config, fresh), "the classifier's run")
    changed = {key for key, tensor in fresh.state_dict().items() if not torch.equal(tensor, before[key])}
    place = "encoder.body." if name == "resnet-transformer" else "encoder."
    assert changed == {key for key in before if key.startswith(place) and before[key].numel()}
    if name == "resnet-transformer":  # the same body, whose last image is less narrow
        assert torch.equal(
            fresh.state_dict()["encoder.body.blocks.0.first.weight"], weights_of(given)["blocks.0.first.weight"]
        )
    elif name == "vit-of-another-size":
        assert fresh.state_dict()["encoder.tokens.positions.weight"].shape == (1 + 36, 20)
    else:
        shown = images()
        torch.testing.assert_close(fresh.encode(shown).features, given.encode(shown).features, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("values", "config", "sizes", "named"),
    [
        (
            {"encoder": "resnet"},
            ViTConfig,
            VIT | {"dim": 20},
            "model.encoder = resnet cannot .* has a vit.*set .* to vit",
        ),
        ({"encoder": "vit", "patch": 2}, ViTConfig, {"stem": "deep", "patch": 2}, "has a hybrid"),
        (
            {"encoder": "resnet", "strides": ((2, 2), (2, 1))} | RESNET,
            ResNetConfig,
            RESNET | {"stem": "small"},
            r"strides = \[\[1, 1\], \[2, 2\]\] there and \[\[2, 2\], \[2, 1\]\] here",
        ),
        ({"encoder": "vit"} | VIT, ResNetConfig, RESNET, "set model.encoder to resnet or resnet-transformer"),
        (
            {"encoder": "vit", "decoder": "lstm"} | VIT | {"depth": 1, "prefix": 0},
            ViTConfig,
            VIT | {"dim": 20},
            "depth = 2 there and 1 here; prefix = 1 there and 0 here; set these keys",
        ),
        (
            {"encoder": "resnet", "decoder": "lstm", "widths": (6, 8), "blocks": (1, 2)},
            ResNetConfig,
            RESNET | {"stem": "small", "channels": 3},
            r"channels = 3 there and 2 here; widths = \[6, 10\] there and \[6, 8\] here",
        ),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(values: dict[str, Any], config: Any, sizes: dict[str, Any], named: str) -> None:
    source: ClassifierConfig = config(**({"image_size": SIZE, "channels": 2, "classes": 5} | sizes))
    with pytest.raises(UserError, match=named):
        started({}, source, small_model(**values))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"encoder": "resnet", "patch": 8}, "patch = 8 means nothing with encoder = resnet, decoder = transformer"),
        ({"encoder": "vit", "patch": 6, "widths": (6, 10)}, r"widths = \(6, 10\) means nothing"),
        ({"encoder": "resnet", "decoder": "lstm", "heads": 7}, "heads = 7 means nothing"),
        ({"decoder": "ctc", "tied": False}, "tied = False means nothing"),
        ({"dim": 18}, "dim = 18 is not a multiple of heads = 4"),
        ({"dim": 18, "heads": 3}, "tokens = cells needs a dim that is a multiple of 4"),
        ({"encoder": "resnet", "dim": 21, "heads": 3}, "even dim"),
        ({"widths": (6,)}, "same stages"),
        ({"strides": ((2, 2), (2, 1))}, "for each of the 3 stages"),
        ({"strides": ((2, 2), (2, 1), (0, 1))}, "1 or more"),
        ({"strides": ((8, 1), (2, 1), (1, 1))}, "smaller than one step of the last stage, 16 x 1"),
        ({"encoder": "vit", "patch": 5}, "not a multiple of patch = 5"),
        ({"encoder": "hybrid", "patch": 6}, "power of 2"),
        ({"encoder": "hybrid", "patch": 2, "stem": "imagenet"}, "stem = imagenet is a ResNet's"),
        ({"stem": "deep"}, "stem"),
        ({"decoder": "rnn"}, "decoder"),
        ({"depht": 3}, "depht"),
    ],
    ids=str,
)
def test_wrong_sizes_are_refused_when_configured(wrong: dict[str, Any], named: str) -> None:
    sizes = {
        "image_size": SIZE,
        "channels": 2,
        "vocab_size": VOCAB,
        "dim": 20,
        "widths": (6, 8, 10),
        "blocks": (1, 1, 1),
    }
    if wrong.get("encoder") in ("vit", "hybrid"):
        sizes = {key: value for key, value in sizes.items() if key not in ("widths", "blocks")}
    with pytest.raises(pydantic.ValidationError, match=named):
        ImageToTextConfig(**(sizes | wrong))


def test_a_stored_config_that_is_none_is_named() -> None:
    with pytest.raises(UserError, match=r"config\.json: vocab_size is missing"):
        read_config({"encoder": "vit"}, "config.json")


def test_a_text_longer_than_the_positions() -> None:
    """Sinusoidal positions have no end."""
    model = small_writer(encoder="vit", max_len=3, **VIT)
    state = model.begin(model.encode(images(1)), 1, 9)
    for _ in range(9):
        logits, state = model.step(torch.tensor([[BEGIN]]), state)
    assert bool(logits.isfinite().all())
