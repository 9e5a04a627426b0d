"""What every part of a model makes of its input: shape, parameters and arithmetic, module by module."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from jumok.nn.state import Encoded

Shape = tuple[int, ...]


class Row(NamedTuple):
    """One module: its path ("" is the model), its class, the shape it returns, its parameters and its FLOPs.

    Parameters and FLOPs are those of everything inside it. A multiplication with its addition counts as 2; sums, norms
    and activations are not counted.
    """

    name: str
    kind: str
    shape: Shape
    parameters: int
    flops: int


def summarize(model: nn.Module, *inputs: Tensor) -> list[Row]:
    """A row for each input, then for each module in the order in which they start, for one forward pass of `inputs`.

    Nothing is computed: the pass runs on PyTorch's meta device, where tensors have shapes and no numbers, whatever
    device the model is on; `inputs` may be there too. That is possible where no step looks at numbers: image models.
    A ViT-B/16 reads like the paper's example::

        input                       image    1 x 3 x 224 x 224
        encoder.tokens.patches.cut  patches  1 x 14 x 14 x 768
        encoder.tokens.patches      x_p E    1 x 196 x 768
        encoder.tokens              z_0      1 x 197 x 768
    """
    started: dict[str, Shape] = {}
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    weights = {name: tensor.detach().to("meta") for name, tensor in tensors.items()}
    modes = [(module, module.training) for module in model.modules()]
    handles = [
        handle
        for name, module in model.named_modules()
        for handle in (
            module.register_forward_pre_hook(_starts(started, name)),
            module.register_forward_hook(_ends(started, name)),
        )
    ]
    try:
        model.eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            functional_call(model, weights, tuple(tensor.to("meta") for tensor in inputs))
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training
    counts, root = counter.get_flop_counts(), type(model).__name__
    modules = dict(model.named_modules())
    rows = [Row("input", type(given).__name__, tuple(given.shape), 0, 0) for given in inputs]
    for name, shape in started.items():
        parameters = sum(parameter.numel() for parameter in modules[name].parameters())
        flops = sum(counts.get(f"{root}.{name}" if name else root, {}).values())
        rows.append(Row(name, type(modules[name]).__name__, shape, parameters, flops))
    return rows


def _starts(started: dict[str, Shape], name: str) -> Callable[[nn.Module, Any], None]:
    def hook(module: nn.Module, given: Any) -> None:
        started.setdefault(name, ())

    return hook


def _ends(started: dict[str, Shape], name: str) -> Callable[[nn.Module, Any, Any], None]:
    def hook(module: nn.Module, given: Any, result: Any) -> None:
        if isinstance(result, Encoded):
            result = result.features
        first = result if isinstance(result, Tensor) else result[0]  # DeiT's pair: two of one shape
        started[name] = tuple(first.shape)

    return hook
