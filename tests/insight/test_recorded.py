"""Recorded maps: kept and read again, and in the shape that BertViz takes."""

from pathlib import Path

import pytest
import torch
from tests.models.small import MODELS

from jumok.errors import UserError
from jumok.insight.record import record
from jumok.insight.recorded import Maps


def recorded(name: str) -> Maps:
    torch.manual_seed(1)
    model = MODELS[name]().eval()
    with record(model) as maps:
        model(torch.randint(4, 12, (1, 7)), torch.tensor([7]), torch.randint(4, 12, (1, 5)))
    return maps


def test_kept_and_read_again(tmp_path: Path) -> None:
    maps = recorded("transformer")
    maps.save(tmp_path / "x.npz")
    again = Maps.load(tmp_path / "x.npz")
    assert list(again) == list(maps)
    assert all(torch.equal(again[name], weights) for name, weights in maps.items())
    (tmp_path / "y.npz").write_text("no maps")
    with pytest.raises(UserError, match="holds no maps"):
        Maps.load(tmp_path / "y.npz")
    with pytest.raises(UserError, match="cannot write"):
        maps.save(tmp_path / "none" / "x.npz")


def test_by_kind_as_bertviz_takes_them() -> None:
    maps = recorded("transformer")
    for kind, rows, keys in (("encoder", 7, 7), ("decoder", 5, 5), ("cross", 5, 7)):
        layers = maps.kind(kind)  # type: ignore[arg-type]
        assert isinstance(layers, tuple)
        assert {tuple(weights.shape) for weights in layers} == {(1, layers[0].shape[1], rows, keys)}
    with pytest.raises(UserError, match="there is no encoder attention among"):
        recorded("bahdanau").kind("encoder")
