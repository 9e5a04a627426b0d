"""What attention does, not only where it looks: heads switched off, weights times values, weights times gradients.

Each takes a model of the house and the layers as `record` does; nothing of them stays in the model.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from jumok.errors import UserError
from jumok.insight.maps import Map
from jumok.insight.record import Layer, attention_layers, record
from jumok.nn.attention import Attention


@contextmanager
def without_heads(model: nn.Module, heads: dict[str, Sequence[int]]) -> Iterator[None]:
    """Inside the block these heads write nothing: ``head_i = 0`` before ``W^O`` (Michel et al. 2019, section 2.3).

    `heads` names layers as `record` does, each with its heads. Of a recurrent decoder's attention, which has one head,
    the context is 0. Raises `UserError` for a layer or head that does not exist.
    """
    with ExitStack() as stack:
        for name, module in attention_layers(model, list(heads)).items():
            chosen = list(heads[name])
            count = module.heads if isinstance(module, Attention) else 1
            missing = [head for head in chosen if not 0 <= head < count]
            if missing:
                raise UserError(f"{name} has no head {missing[0]}; its heads are 0 to {count - 1}")
            if isinstance(module, Attention):
                handle: Any = module.out.register_forward_pre_hook(_silencer(chosen, count))
            else:
                handle = module.register_forward_hook(lambda _, __, context: torch.zeros_like(context))
            stack.callback(handle.remove)
        yield


def head_importance(
    model: nn.Module, score: Callable[[], float], layers: Layer | Sequence[Layer] | None = None
) -> dict[str, Map]:
    """What the score loses without each head: ``I_h = score() - score(head h off)``, layer -> ``(H,)``.

    Importance by ablation (Michel et al. 2019, "Are Sixteen Heads Really Better than One?", section 3.2): as many calls
    of `score`, which runs the model on whatever it is measured on, as there are heads, and one more.
    """
    whole = score()
    found: dict[str, Map] = {}
    for name, module in attention_layers(model, layers).items():
        lost = []
        for head in range(module.heads if isinstance(module, Attention) else 1):
            with without_heads(model, {name: [head]}):
                lost.append(whole - score())
        found[name] = np.array(lost, dtype=np.float32)
    return found


@contextmanager
def record_norms(model: nn.Module, layers: Layer | Sequence[Layer] | None = None) -> Iterator[dict[str, Tensor]]:
    """``|| w_ij f(x_j) ||``, ``f(x) = (x W_V + b_V) W_O`` by head, of one forward pass: as `record`, ``(B, H, Q, K)``.

    A key with a large weight may have a small vector and bring nothing, as sinks do (Kobayashi et al. 2020, "Attention
    is Not Only a Weight", eq. 5). The norms stand in the dictionary once the block has ended. Raises `UserError` where
    a layer is no scaled dot-product attention.
    """
    chosen = attention_layers(model, layers)
    others = [name for name, module in chosen.items() if not isinstance(module, Attention)]
    if others:
        raise UserError(f"{', '.join(others)} has no value projection; name other layers")
    lengths: dict[str, Tensor] = {}
    norms: dict[str, Tensor] = {}
    with ExitStack() as stack:
        for name, module in chosen.items():
            assert isinstance(module, Attention)
            values = module.kv if module.of_memory else module.qkv
            stack.callback(values.register_forward_hook(_measure(lengths, name, module)).remove)
        maps = stack.enter_context(record(model, list(chosen)))
        yield norms
    norms |= {name: weights * lengths[name][:, :, None] for name, weights in maps.items()}


def gradient_times_attention(
    model: nn.Module, loss: Callable[[], Tensor], layers: Layer | Sequence[Layer] | None = None
) -> dict[str, Tensor]:
    """``w_ij dL/dw_ij`` of each layer, ``(B, H, Q, K)``: to first order, what the loss would gain without that weight.

    The product that gradient-based attribution builds on (Barkan et al. 2021, "Grad-SAM"; Chefer et al. 2021, eq. 5).
    `loss` runs the model and returns a scalar. Raises RuntimeError if none of the layers ran in it.
    """
    chosen = attention_layers(model, layers)
    seen: dict[str, list[Tensor]] = {name: [] for name in chosen}
    taps = {name: _tap(module) for name, module in chosen.items()}
    busy = [name for name, tap in taps.items() if tap.active]
    if busy:
        raise RuntimeError(f"{', '.join(busy)}: being recorded already; leave that `record` block first")
    for name, tap in taps.items():
        tap.sink = seen[name].append
    try:
        with torch.inference_mode(False), torch.enable_grad():
            value = loss()
            flat = [weights for steps in seen.values() for weights in steps]
            if not flat:
                raise RuntimeError(f"none of {', '.join(chosen)} ran in the loss")
            gradients = iter(torch.autograd.grad(value, flat, allow_unused=True))
    finally:
        for tap in taps.values():
            tap.sink = None
    found: dict[str, Tensor] = {}
    for name, steps in seen.items():
        # a recurrent decoder attends step by step: its steps are joined along Q, as `record` does
        products = [_product(weights, next(gradients)) for weights in steps]
        if products:
            found[name] = products[0] if len(products) == 1 else torch.cat(products, 2)
    return found


def _product(weights: Tensor, gradient: Tensor | None) -> Tensor:
    zero = torch.zeros_like(weights) if gradient is None else gradient
    return (weights.detach() * zero).float().cpu()


def _tap(module: nn.Module) -> Any:
    return module.tap


def _silencer(chosen: list[int], count: int) -> Callable[[nn.Module, tuple[Tensor]], tuple[Tensor]]:
    def silence(_: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
        (context,) = given
        parts = context.reshape(*context.shape[:-1], count, -1).clone()
        parts[..., chosen, :] = 0
        return (parts.flatten(-2),)

    return silence


def _measure(lengths: dict[str, Tensor], name: str, module: Attention) -> Callable[[Any, Any, Tensor], None]:
    """Keeps ``|| v_j W_O ||`` of each head and key, (B, H, K)."""

    @torch.no_grad()
    def measure(_: Any, __: Any, projected: Tensor) -> None:
        parts = 2 if module.of_memory else 3
        values = projected.view(*projected.shape[:2], parts, module.heads, -1)[:, :, -1].float()
        outputs = module.out.weight.float().view(len(module.out.weight), module.heads, -1)
        lengths[name] = torch.einsum("bkhd,mhd->bhkm", values, outputs).norm(dim=-1).cpu()

    return measure
