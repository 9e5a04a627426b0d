"""The committed tables: the same choice for every length at inference, and nothing measured."""

from typing import get_args

import pytest
import torch

from jumok.nn import kernels


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_at_inference_the_length_never_chooses(device: str, dtype: torch.dtype) -> None:
    place = torch.device(device)
    for role in get_args(kernels.Role)[1:]:
        paths = {kernels.attention_path(place, dtype, role, keys) for keys in (1, 7, 511, 512, 100_000)}
        assert len(paths) == 1
        assert paths <= {"fused", "open"}


def test_long_sequences_train_on_the_fused_kernel() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        assert kernels.attention_path(torch.device("cpu"), dtype, "training", 100_000) == "fused"


def test_precision_asks_what_the_processor_can(monkeypatch: pytest.MonkeyPatch) -> None:
    wide, narrow = kernels.BF16_FROM_DIM["cpu"], kernels.BF16_FROM_DIM["cpu"] - 1
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert kernels.precision("cpu", wide) == "bf16-mixed"
    assert kernels.precision("cpu", narrow) == "32-true"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "avx2": True})
    assert kernels.precision("cpu", wide) == "32-true"
    assert kernels.precision("another", wide) == "32-true"


def test_decoding_takes_eight_bits_only_where_the_processor_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = max(kernels.INT8_FROM_DIM, kernels.BF16_FROM_DIM["cpu"])
    for has, expected in [
        ({"avx512_vnni": True, "avx512_bf16": True}, "int8"),
        ({"avx512_bf16": True}, "bf16"),
        ({"avx2": True}, "fp32"),
    ]:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: has)
        assert kernels.inference_precision("cpu", wide) == expected
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_vnni": True})
    assert kernels.inference_precision("cpu", kernels.INT8_FROM_DIM - 1) == "fp32"
