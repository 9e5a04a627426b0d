"""A ViT of random weights as transformers writes it: what both sides of the image rows load."""

from pathlib import Path

import torch
from transformers import ViTConfig, ViTForImageClassification

from benchmarks import worker


def main() -> None:
    asked = worker.settings()
    torch.manual_seed(1)
    sizes = asked["image_model"]
    config = ViTConfig(
        hidden_size=sizes["dim"],
        num_attention_heads=sizes["heads"],
        num_hidden_layers=sizes["depth"],
        intermediate_size=sizes["hidden"],
        image_size=sizes["image_size"],
        patch_size=sizes["patch"],
        num_labels=1000,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    ViTForImageClassification(config).save_pretrained(Path(asked["work"]) / "vit")
    worker.ready("transformers", "torch")
    worker.wait()


if __name__ == "__main__":
    main()
