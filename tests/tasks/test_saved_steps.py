"""A run at its saved steps: each with the weights that were saved there."""

from pathlib import Path

import pytest
import torch
from tests.tasks import pictures

from jumok.errors import UserError
from jumok.tasks.classify_predict import Classifier
from jumok.tasks.saved_steps import at_saved_steps
from jumok.training.run import read_tensors
from jumok.training.weights import weights_of


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_each_look_is_of_the_weights_that_were_validated_there(tmp_path: Path, ema: float) -> None:
    data = pictures.write_pictures(tmp_path / "data", 16, 8)
    run = tmp_path / "run"
    values = pictures.recipe_values(data, run, ema=ema)
    pictures.train_run(data, run, training=values["training"])
    model = Classifier.load(run, device="cpu").model

    def copy() -> dict[str, torch.Tensor]:
        return {name: tensor.clone() for name, tensor in weights_of(model).items()}

    seen = at_saved_steps(str(run), model, copy)
    assert [step for step, _ in seen] == [2, 4]
    for step, weights in seen:
        saved = read_tensors(
            run / "state" / f"step-{step}" / ("ema.safetensors" if ema else "model.safetensors")
        ).items()
        assert all(torch.equal(weights[name], tensor) for name, tensor in saved)
    damaged: list[str] = []
    (run / "state" / "step-4" / "model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r"keeps only one saved step in .*training\.save_every"):
        at_saved_steps(str(run), model, copy, damaged.append)
    assert "step-4 is damaged" in damaged[0]
