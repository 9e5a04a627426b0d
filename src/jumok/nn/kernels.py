"""Committed choices of kernel and precision, from measurements (docs/log.md): tables, never a timing at run time.

A choice made by a stopwatch would differ between two starts of the same run, and exact resume would be lost; a choice
made by the padded length would let a sentence's neighbours change its numbers at inference.
"""

from typing import Literal

import torch

Path = Literal["fused", "open"]

# training; encoding: self-attention over a whole input; decoding: the queries of a search step, or of a forced pass,
# to a memory or to a cache.
Role = Literal["training", "encoding", "decoding"]

# (device, dtype, role) -> which of `attend` (fused) and `mix` (open products) is faster. What is not named is fused.
# CPU, bfloat16, training: the fused kernel's backward is 7-10 times slower than two products and a softmax.
# CPU, decoding: with few queries the fused kernel first scales, and in bfloat16 copies, all keys at every step.
ATTENTION_PATHS: dict[tuple[str, torch.dtype, Role], Path] = {
    ("cpu", torch.bfloat16, "training"): "open",
    ("cpu", torch.bfloat16, "encoding"): "open",
    ("cpu", torch.bfloat16, "decoding"): "open",
    ("cpu", torch.float32, "decoding"): "open",
}

# From this many keys on the fused kernel wins in training on every device: scores no longer fit the caches.
LONG_TRAINING = 512

# (device, smallest width) -> precision of `auto`. CPU figures are for processors with bf16 instructions.
BF16_FROM_DIM: dict[str, int] = {"cpu": 96, "cuda": 0}

# From this width on 8-bit products decode faster than bf16 on processors with VNNI.
INT8_FROM_DIM = 256


def attention_path(device: torch.device, dtype: torch.dtype, role: Role, keys: int) -> Path:
    """Which attention kernel to take; the length counts only in training (see the module's text)."""
    if role == "training" and keys >= LONG_TRAINING:
        return "fused"
    return ATTENTION_PATHS.get((device.type, dtype, role), "fused")


def precision(device_type: str, dim: int) -> str:
    """What ``precision: auto`` means here: ``bf16-mixed`` where the processor computes in bf16, else ``32-true``."""
    if device_type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        capable = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    else:
        capable = device_type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16-mixed" if capable and dim >= BF16_FROM_DIM.get(device_type, 0) else "32-true"


def inference_precision(device_type: str, dim: int, *, recurrent: bool = False) -> Literal["fp32", "bf16", "int8"]:
    """What ``--precision auto`` means for decoding: the fastest that was measured (benchmarks/RESULTS.md).

    `recurrent` kernels have no 8-bit version.
    """
    if (
        not recurrent
        and device_type == "cpu"
        and torch.cpu.get_capabilities().get("avx512_vnni")
        and dim >= INT8_FROM_DIM
    ):
        return "int8"
    return "bf16" if precision(device_type, dim) == "bf16-mixed" else "fp32"
