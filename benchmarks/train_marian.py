"""transformers' side of the training rows: `MarianMTModel`, trained as its users do, label smoothing and all."""

from itertools import cycle

import torch
from torch.nn import functional as F
from transformers import MarianMTModel

from benchmarks import work
from benchmarks.worker import Pace, settings
from jumok.data.tokenizer import PAD


def main() -> None:
    asked = settings()
    torch.set_num_threads(asked["threads"])
    torch.manual_seed(1)
    device = torch.device(asked["device"])
    model = MarianMTModel.from_pretrained(f"{asked['work']}/marian", attn_implementation=asked["attention"])
    model = model.to(device).train()
    forward = torch.compile(model) if asked["compiled"] else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, betas=(0.9, 0.98), fused=True)
    mixed = torch.autocast(device.type, torch.bfloat16, enabled=asked["precision"] == "bf16")
    batches = work.read_batches(asked["work"])
    pace = Pace(len(batches), len(batches) if asked["compiled"] else 1, "torch", "transformers")
    for loaded in cycle(batches):
        pace.step()
        batch = loaded.to(device)
        mask = torch.arange(batch.source.shape[1], device=device) < batch.source_lengths[:, None]
        with mixed:
            output = forward(batch.source, mask.long(), decoder_input_ids=batch.target, use_cache=False)
            labels = batch.labels.masked_fill(batch.labels == PAD, -100)
            loss = F.cross_entropy(output.logits.flatten(0, 1), labels.flatten(), label_smoothing=0.1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()  # as a training loop logs it; on a GPU it waits for the step
        pace.amount += loaded.tokens


if __name__ == "__main__":
    main()
