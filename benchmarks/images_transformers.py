"""transformers' side of the image rows: `ViTForImageClassification`."""

import torch
from torch import Tensor
from transformers import ViTForImageClassification

from benchmarks import images
from benchmarks.worker import settings


def main() -> None:
    asked = settings()
    torch.set_num_threads(asked["threads"])
    model = ViTForImageClassification.from_pretrained(f"{asked['work']}/vit", attn_implementation=asked["attention"])
    model = model.to(asked["device"])
    precision = asked["precision"]
    if precision == "pure bf16":
        model = model.to(torch.bfloat16)
    dtype = torch.bfloat16 if precision == "pure bf16" else torch.float32

    def logits(batch: Tensor) -> Tensor:
        with torch.autocast(asked["device"], torch.bfloat16, enabled=precision == "bf16"):
            found: Tensor = model(batch.to(dtype)).logits
        return found

    images.serve(model, logits, asked, "torch", "transformers")


if __name__ == "__main__":
    main()
