"""Jumok's side of the image rows: the same folder, loaded by `jumok.interop`."""

import torch
from torch import Tensor

from benchmarks import images
from benchmarks.worker import settings
from jumok.interop import huggingface
from jumok.training.memory import keep_freed_memory


def main() -> None:
    asked = settings()
    torch.set_num_threads(asked["threads"])
    keep_freed_memory()  # as the trainer and the predictor do
    model = huggingface.load(f"{asked['work']}/vit").to(asked["device"])
    half, training = asked["precision"] == "bf16", asked["mode"] == "training"
    if half and not training:
        model = model.to(torch.bfloat16)  # as `jumok classify --precision bf16`

    def logits(batch: Tensor) -> Tensor:
        with torch.autocast(asked["device"], torch.bfloat16, enabled=half and training):
            found: Tensor = model(batch)
        return found

    images.serve(model, logits, asked, "torch", "jumok")


if __name__ == "__main__":
    main()
