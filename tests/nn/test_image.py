"""Patches, their positions, the image encoder: patching is unfolding; the encoder is the translator's."""

import pytest
import torch
from tests.models.small import shake, small_model
from torch import nn
from torch.nn import functional as F

from jumok.models.vit import ViT, ViTConfig
from jumok.nn.dropout import StochasticDepthAdd
from jumok.nn.image import (
    ConvolutionalStem,
    Cut,
    GridPositions,
    ImageEncoder,
    PatchEmbedding,
    PatchInput,
    grid_positions,
    interpolated,
)
from jumok.nn.position import Sinusoidal, grid_sinusoid
from jumok.nn.text import TextEncoder
from jumok.nn.transformer import Encoder, EncoderBlock

B, C, H, W, P, D = 3, 2, 12, 18, 6, 20


def vit(**changes: object) -> ViT:
    sizes = {"image_size": (H, W), "patch": P, "channels": C, "classes": 7, "dim": D, "heads": 5, "depth": 3}
    return ViT(ViTConfig(**({**sizes, "hidden": 31} | changes)))


def test_cutting_is_unfolding() -> None:
    images = torch.randn(B, C, H, W)
    cut = Cut(P)(images)
    assert cut.shape == (B, H // P, W // P, C * P * P)
    assert torch.equal(cut.flatten(1, 2), F.unfold(images, P, stride=P).transpose(1, 2))


def test_embedding_is_a_convolution_with_stride_p() -> None:
    embedding, images = PatchEmbedding(C, D, P), torch.randn(B, C, H, W)
    shake(embedding)
    expected = F.conv2d(images, embedding.filters, embedding.projection.bias, stride=P).flatten(2).transpose(1, 2)
    torch.testing.assert_close(embedding(images), expected, rtol=1e-5, atol=1e-5)


def test_tokens_are_the_formula() -> None:
    """z_0 = [x_class; x_p E] + E_pos (Dosovitskiy 2021, eq. 1)."""
    tokens = vit().encoder.tokens
    shake(tokens)
    images = torch.randn(B, C, H, W)
    patches = tokens.patches(images)
    front = tokens.prefix.expand(B, 1, D)
    torch.testing.assert_close(tokens(images), torch.cat([front, patches], 1) + tokens.positions.weight)


@pytest.mark.parametrize("kind", ["learned", "sinusoidal", "none"])
@pytest.mark.parametrize("prefix", [0, 1, 2])
def test_positions_have_a_row_for_each_token(kind: GridPositions, prefix: int) -> None:
    positions = grid_positions(kind, prefix, (2, 3), D)()
    assert positions.shape == (prefix + 6, D)
    if kind != "learned":
        assert not bool(positions[:prefix].any())
    assert bool(positions[prefix:].any()) == (kind != "none")


def test_grid_sinusoid_is_a_row_and_a_column() -> None:
    table = grid_sinusoid(3, 5, D).view(3, 5, D)
    line = Sinusoidal(D // 2)
    for y in range(3):
        for x in range(5):
            expected = torch.cat([line(torch.tensor([y]))[0], line(torch.tensor([x]))[0]])
            torch.testing.assert_close(table[y, x], expected)
    flat = table.flatten(0, 1)
    assert len({tuple(row.tolist()) for row in flat}) == 15
    with pytest.raises(ValueError, match="multiple of 4"):
        grid_sinusoid(2, 2, 18)


@pytest.mark.parametrize("prefix", [0, 1, 2])
def test_interpolation_at_the_same_size_is_the_identity(prefix: int) -> None:
    weight = torch.randn(prefix + 12, D)
    assert torch.equal(interpolated(weight, prefix, (3, 4), (3, 4)), weight)


@pytest.mark.parametrize("prefix", [0, 1, 2])
def test_interpolation_keeps_the_prefix_and_what_is_flat_or_steady(prefix: int) -> None:
    old, new = (8, 10), (16, 20)
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(10.0), indexing="ij")
    weight = torch.cat([torch.randn(prefix, 3), torch.stack([torch.full(old, 3.0), rows, columns], -1).flatten(0, 1)])
    out = interpolated(weight, prefix, old, new)
    assert torch.equal(out[:prefix], weight[:prefix])
    image = out[prefix:].view(*new, 3)
    torch.testing.assert_close(image[..., 0], torch.full(new, 3.0))
    # the middle of new pixel i lies at (i + 0.5) / 2 - 0.5 of the old ones; away from the border
    # a slope stays one, to a twentieth of a pixel (PyTorch's cubic, a = -0.75, is no exact copy of a line)
    middle = (torch.arange(20.0) + 0.5) / 2 - 0.5
    torch.testing.assert_close(image[4:-4, 7, 1], middle[4:12], rtol=0, atol=0.05)
    torch.testing.assert_close(image[7, 4:-4, 2], middle[4:16], rtol=0, atol=0.05)


def test_the_encoder_is_the_one_of_the_translator() -> None:
    reads, sees = small_model().encoder, vit().encoder
    assert isinstance(reads, TextEncoder)
    assert isinstance(sees, ImageEncoder)
    assert TextEncoder.__mro__[1] is ImageEncoder.__mro__[1] is Encoder
    assert {type(block) for encoder in (reads, sees) for block in encoder.blocks} == {EncoderBlock}


@pytest.mark.parametrize("patch", [2, 4, 8, 16])
@pytest.mark.parametrize("deep", [False, True])
def test_a_stem_steps_by_the_patch(patch: int, deep: bool) -> None:
    stem = ConvolutionalStem(C, D, patch, deep=deep).eval()
    out = stem(torch.randn(B, C, 2 * patch, 3 * patch))
    assert out.shape == (B, 6, D)
    halvings = patch.bit_length() - 1
    convolutions = [layer for layer in stem.layers if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) == (2 + 2 * halvings if deep else 1 + halvings)
    assert [layer.stride[0] for layer in convolutions].count(2) == halvings
    widths = [layer.out_channels for layer in convolutions[:-1]]
    assert widths == sorted(widths)
    assert widths[-1] == D
    assert stem.filters.shape[1:] == (C, 3, 3)


@pytest.mark.parametrize("patch", [1, 3, 6, 12])
def test_a_stem_halves(patch: int) -> None:
    with pytest.raises(ValueError, match="halves"):
        ConvolutionalStem(C, D, patch)


def test_a_part_of_a_patch_is_refused() -> None:
    with pytest.raises(ValueError, match="13 x 18 pixels is no whole number of patches"):
        Cut(P)(torch.randn(B, C, 13, 18))
    with pytest.raises(ValueError, match="no whole number of patches"):
        ConvolutionalStem(C, D, 4)(torch.randn(B, C, 6, 8))


def test_encoded_says_where_the_patches_stand() -> None:
    encoded = vit(distillation_token=True).encode(torch.randn(B, C, H, W))
    assert encoded.features.shape == (B, 2 + 6, D)
    assert (encoded.prefix, encoded.grid, encoded.mask.lengths) == (2, (2, 3), None)
    with pytest.raises(ValueError, match="18 x 12 pixels are given; this model was built for 12 x 18"):
        vit().encode(torch.randn(B, C, W, H))


def test_in_training_a_sample_skips_a_sublayer_as_a_whole() -> None:
    """Huang et al. 2016: x or x + y / (1 - p), for each sample; the mean is the plain sum."""
    n, p = 4000, 0.3
    add, x, y = StochasticDepthAdd(0.0, p), torch.randn(n, 2, 3), torch.rand(n, 2, 3) + 0.5
    out = add.train()(x, y)
    skipped = (out == x).flatten(1)
    assert torch.equal(skipped.any(1), skipped.all(1))
    share = float(skipped.all(1).float().mean())
    assert abs(share - p) < 6 * (p * (1 - p) / n) ** 0.5
    kept = ~skipped.all(1)
    torch.testing.assert_close(out[kept], (x + y / (1 - p))[kept])
    assert torch.equal(add.eval()(x, y), x + y)


def test_stochastic_depth_and_dropout_are_independent() -> None:
    n, p, depth = 400, 0.25, 0.5
    out = StochasticDepthAdd(p, depth).train()(torch.zeros(n, 20, 20), torch.ones(n, 20, 20))
    kept = out.flatten(1).any(1)
    assert abs(float(kept.float().mean()) - depth) < 6 * 0.5 / n**0.5
    share = float((out[kept] != 0).float().mean())
    assert abs(share - (1 - p)) < 0.01
    assert float(out.max()) == pytest.approx(1 / ((1 - p) * (1 - depth)))


def test_survival_falls_linearly() -> None:
    adds = [block.around_attention.add for block in vit(stochastic_depth=0.3).encoder.blocks]
    assert [add.depth for add in adds] == pytest.approx([0.1, 0.2, 0.3])
    assert not any(isinstance(block.around_feed_forward.add, StochasticDepthAdd) for block in vit().encoder.blocks)


@pytest.mark.parametrize("changes", [{}, {"dropout": 0.2, "attention_dropout": 0.1, "stochastic_depth": 0.3}])
def test_checkpointing_changes_no_number(changes: dict[str, float]) -> None:
    plain, saving = vit(**changes).train(), vit(checkpointing=True, **changes).train()
    saving.load_state_dict(plain.state_dict())
    images = torch.randn(B, C, H, W)
    results = []
    for model in (plain, saving):
        torch.manual_seed(3)
        logits = model(images)
        logits.square().sum().backward()
        results.append([logits.detach(), *(p.grad for p in model.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_checkpointing_keeps_less() -> None:
    """Tensors that autograd saves between the passes, in bytes."""

    def saved(model: ViT) -> int:
        total = 0

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal total
            total += tensor.numel() * tensor.element_size()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model.train()(torch.randn(B, C, H, W))
        return total

    assert saved(vit(checkpointing=True)) < saved(vit()) / 2


def test_dropout_of_the_patch_input_in_training_only() -> None:
    tokens: PatchInput = vit(dropout=0.5).encoder.tokens
    images = torch.randn(B, C, H, W)
    assert float((tokens.train()(images) == 0).float().mean()) > 0.3
    assert torch.equal(tokens.eval()(images), tokens(images))


@pytest.mark.parametrize("pool", ["class", "mean"])
def test_patch_dropout_keeps_some_patches_of_each_image_at_their_positions(pool: str) -> None:
    tokens: PatchInput = vit(patch_dropout=0.5, pool=pool, image_size=(24, 24)).encoder.tokens
    shake(tokens)
    images = torch.randn(B, C, 24, 24)
    whole, front = tokens.eval()(images), 0 if pool == "mean" else 1
    some = tokens.train()(images)
    assert some.shape == (B, front + 8, D)
    torch.testing.assert_close(some[:, :front], whole[:, :front])
    same = torch.isclose(some[:, front:, None], whole[:, None, front:], rtol=1e-5, atol=1e-6).all(-1)  # (B, 8, 16)
    assert torch.equal(same.sum(2), torch.ones(B, 8, dtype=torch.long))
    assert int(same.sum(1).max()) == 1, "a patch is taken once"
    assert len({tuple(row.sum(0).tolist()) for row in same}) > 1, "each image draws its own"


def test_patch_dropout_leaves_at_least_one_patch() -> None:
    tokens: PatchInput = vit(patch_dropout=0.99, pool="mean").encoder.tokens
    assert tokens.train()(torch.randn(B, C, H, W)).shape[1] == 1
