"""The peers of the rows of sentences: transformers' bare BertModel, and sentence-transformers from end to end."""

import torch

from benchmarks import worker
from benchmarks.sentences_jumok import sorted_batches


def main() -> None:
    asked = worker.settings()
    torch.set_num_threads(asked["threads"])
    folder = f"{asked['work']}/sentences"
    lines: list[str] = worker.read("sentences")
    dtype = torch.bfloat16 if asked["precision"] == "bf16" else torch.float32
    if asked["part"] == "whole":
        from sentence_transformers import SentenceTransformer

        options = {"dtype": dtype, "attn_implementation": asked["attention"]}
        whole = SentenceTransformer(folder, device=asked["device"], model_kwargs=options).to(dtype)

        def turn() -> tuple[float, dict[str, object]]:
            found = whole.encode(lines, batch_size=asked["batch"])
            return len(lines), {"outputs": found[:4].tolist()}

        packages = ["torch", "sentence-transformers", "transformers"]
    else:
        from transformers import AutoTokenizer, BertModel

        tokenizer = AutoTokenizer.from_pretrained(folder)
        bare = BertModel.from_pretrained(
            folder, add_pooling_layer=False, attn_implementation=asked["attention"], dtype=dtype
        )
        bare = bare.to(asked["device"]).eval()
        rows = tokenizer(lines)["input_ids"]
        batches = []
        for tokens, lengths in sorted_batches(rows, asked["batch"]):
            mask = (torch.arange(tokens.shape[1]) < lengths[:, None]).long()
            batches.append((tokens.to(asked["device"]), mask.to(asked["device"])))

        def turn() -> tuple[float, dict[str, object]]:
            with torch.inference_mode():
                for tokens, mask in batches:
                    bare(input_ids=tokens, attention_mask=mask)
            return len(lines), {}

        packages = ["torch", "transformers"]
    turn()
    worker.ready(*packages)
    worker.serve(turn)


if __name__ == "__main__":
    main()
