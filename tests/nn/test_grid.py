"""An image of features as tokens: cells and columns stand where they stood."""

import pytest
import torch
from tests.models.small import shake

from jumok.nn.grid import CellInput, ColumnInput, GridEncoder, stretched_rows
from jumok.nn.position import Sinusoidal, grid_sinusoid
from jumok.nn.transformer import EncoderBlock


def test_cells_by_hand() -> None:
    cells, image = CellInput(5, 12, 0.0), torch.randn(2, 5, 3, 4)
    tokens, places = cells(image), grid_sinusoid(3, 4, 12)
    for y in range(3):
        for x in range(4):
            expected = cells.projection(image[:, :, y, x]) + places[y * 4 + x]
            torch.testing.assert_close(tokens[:, y * 4 + x], expected)
    assert cells.grid(3, 4) == (3, 4)


def test_columns_by_hand() -> None:
    columns, image = ColumnInput(5, 3, 12, 0.0), torch.randn(2, 5, 3, 4)
    tokens, places = columns(image), Sinusoidal(12)(torch.arange(4))
    weight = columns.projection.weight.view(12, 5, 3)
    for x in range(4):
        expected = torch.einsum("bcy,dcy->bd", image[..., x], weight) + columns.projection.bias + places[x]
        torch.testing.assert_close(tokens[:, x], expected)
    assert columns.grid(3, 4) == (1, 4)
    with pytest.raises(ValueError, match="an image of 4 rows of cells is given; its columns were to have 3"):
        columns(torch.randn(2, 5, 4, 4))


@pytest.mark.parametrize("kind", ["cells", "columns"])
def test_how_an_image_lies_in_memory_changes_nothing(kind: str) -> None:
    tokens = CellInput(5, 12, 0.0) if kind == "cells" else ColumnInput(5, 3, 12, 0.0)
    image = torch.randn(2, 5, 3, 4)
    assert torch.equal(tokens(image), tokens(image.contiguous(memory_format=torch.channels_last)))


def test_dropout_in_training_alone() -> None:
    for tokens in (CellInput(5, 12, 0.5), ColumnInput(5, 3, 12, 0.5)):
        image = torch.randn(2, 5, 3, 4)
        assert not torch.equal(tokens.train()(image), tokens(image))
        assert torch.equal(tokens.eval()(image), tokens(image))


def test_an_encoder_of_any_grid() -> None:
    blocks = [EncoderBlock(12, 3, 20, dropout=0.0, norm="pre") for _ in range(2)]
    encoder = GridEncoder(CellInput(5, 12, 0.0), blocks, torch.nn.LayerNorm(12)).eval()
    shake(encoder)
    for height, width in ((3, 4), (1, 7), (6, 2)):
        encoded = encoder(torch.randn(2, 5, height, width))
        assert encoded.features.shape == (2, height * width, 12)
        assert (encoded.grid, encoded.prefix) == ((height, width), 0)


@pytest.mark.parametrize("dim", [6, 10])
def test_widths_that_have_no_places_are_refused(dim: int) -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        CellInput(5, dim, 0.0)


@pytest.mark.parametrize("rows", [1, 2, 5, 6])
def test_columns_of_another_height_see_the_same_in_what_is_as_high(rows: int) -> None:
    old, new = ColumnInput(5, 3, 12, 0.0), ColumnInput(5, rows, 12, 0.0)
    with torch.no_grad():
        new.projection.weight.copy_(stretched_rows(old.projection.weight, 3, rows))
        new.projection.bias.copy_(old.projection.bias)
    line = torch.randn(2, 5, 1, 4)
    torch.testing.assert_close(new(line.expand(-1, -1, rows, -1)), old(line.expand(-1, -1, 3, -1)))
    assert stretched_rows(old.projection.weight, 3, 3) is old.projection.weight
