"""How many floating point operations a second the largest matrix products reach here: what 100 % means."""

import torch

from benchmarks import worker

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def main() -> None:
    asked = worker.settings()
    torch.set_num_threads(asked["threads"])
    size = 8192 if asked["device"] == "cuda" else 2048
    a, b = (torch.randn(size, size, device=asked["device"], dtype=DTYPES[asked["precision"]]) for _ in range(2))

    def turn() -> tuple[float, dict[str, object]]:
        count = 20
        for _ in range(count):
            c = a @ b
        c.sum().item()  # waits for a GPU
        return 2.0 * size**3 * count, {}

    turn()
    worker.ready("torch")
    worker.serve(turn)


if __name__ == "__main__":
    main()
