"""7. Parallel work and price: time a token and memory against length, beside the paper's Table 1."""

import math
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from jumok.lab.figures import canvas, curves, log_places
from jumok.lab.finding import Drawing, Finding, Setting, Table
from jumok.nn.attention import Attention
from jumok.nn.convolution import ConvolutionBlock
from jumok.nn.mask import Mask
from jumok.nn.recurrent import RecurrentLayer

TITLE = "Parallel work and price"
DIM, HEADS = 256, 4
STATUS = Path("/proc/self/status")  # what the kernel says of this process; on Linux alone
TOKENS = 4096  # a batch: as many sequences as fit
# Vaswani et al. 2017, Table 1: layer, cost per layer, sequential operations, longest path
TABLE_1 = [
    ("self-attention", "O(n² d)", "O(1)", "O(1)"),
    ("recurrent", "O(n d²)", "O(n)", "O(n)"),
    ("convolutional", "O(k n d²)", "O(1)", "O(log_k n)"),
]


class Fused(nn.Module):
    """Self-attention on PyTorch's fused kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention(DIM, HEADS)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.attention(x, mask=Mask(causal=True))
        return y


class Open(Fused):
    """Self-attention whose weights are held: what `record` sees."""

    def __init__(self) -> None:
        super().__init__()
        self.attention.tap.sink = lambda weights: None


class Recurrent(nn.Module):
    """An LSTM layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = RecurrentLayer("lstm", DIM, DIM)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)[0]
        return y


class Convolutional(nn.Module):
    """A gated convolution of kernel 3."""

    def __init__(self) -> None:
        super().__init__()
        self.block = ConvolutionBlock(DIM, 3, 1, gate="glu", causal=True, dropout=0.0)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x)
        return y


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "attention, explicit": Open,
    "attention, fused": Fused,
    "LSTM": Recurrent,
    "convolution": Convolutional,
}


def exponent(lengths: Sequence[float], values: Sequence[float]) -> float:
    """The slope of ``log value`` over ``log length`` by least squares: b of ``value = a length^b``."""
    x = [math.log(length) for length in lengths]
    y = [math.log(value) for value in values]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    over = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return over / sum((a - mean_x) ** 2 for a in x)


def step_seconds(layer: nn.Module, x: Tensor, repeats: int) -> list[float]:
    """The times of `repeats` steps, the shortest first: forward and backward of the sum of the outputs."""
    times = []
    for _ in range(repeats + 1):
        layer.zero_grad()
        inputs = x.clone().requires_grad_()
        _wait(x.device)
        start = time.perf_counter()
        layer(inputs).sum().backward()
        _wait(x.device)
        times.append(time.perf_counter() - start)
    return sorted(times[1:])  # the first one warms up


def peak_bytes(name: str, lengths: Sequence[int]) -> list[int]:
    """Memory that one step on one sequence adds, by length, the shortest first; in a fresh process of its own."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_measure_peaks, args=(name, lengths, theirs))
    process.start()
    theirs.close()
    answer: list[int] = ours.recv()
    process.join()
    return answer


def _measure_peaks(name: str, lengths: Sequence[int], answer: Connection) -> None:
    torch.set_num_threads(1)
    layer = LAYERS[name]()
    step_seconds(layer, torch.randn(1, 16, DIM), 1)  # what a library sets up once is not the step's
    before, peaks = _high_water(), []
    for length in lengths:  # each needs more than the one before it, which has given back what it had
        step_seconds(layer, torch.randn(1, length, DIM), 1)
        peaks.append(max(1, _high_water() - before))
    answer.send(peaks)


def _high_water() -> int:
    """The most resident memory this process has had, in bytes; `getrusage` would tell the parent's, if that is more."""
    return 1024 * int(STATUS.read_text(encoding="ascii").partition("VmHWM:")[2].split()[0])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def run(setting: Setting) -> Finding:
    """Step times on every device there is; memory on the CPU."""
    lengths: list[int] = setting.pick([16, 32, 64, 128, 256, 512, 1024, 2048], [16, 64, 256, 1024])
    repeats = setting.pick(5, 3)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    times: dict[str, dict[str, list[list[float]]]] = {}  # by device and layer, a row a repeat
    for device in devices:
        times[device] = {}
        for name, build in LAYERS.items():
            setting.say(f"price: {name} on {device}")
            torch.manual_seed(setting.seeds[0])
            layer = build().to(device)
            row = []
            for length in lengths:
                x = torch.randn(max(1, TOKENS // length), length, DIM, device=device)
                row.append([1e6 * seconds / (x.shape[0] * length) for seconds in step_seconds(layer, x, repeats)])
            times[device][name] = np.transpose(row).tolist()
    median = {name: rows[repeats // 2] for name, rows in times["cpu"].items()}
    # where the fixed costs of a step no longer count
    long = [place for place, length in enumerate(lengths) if length >= 256]
    memory_lengths: list[int] = setting.pick([512, 1024, 2048, 4096], [512, 1024, 2048]) if STATUS.exists() else []
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # memory, unlike time, may be measured side by side
        peaks = pool.map(lambda name: peak_bytes(name, memory_lengths) if memory_lengths else [], LAYERS)
        memory = {name: [each / 2**20 for each in values] for name, values in zip(LAYERS, peaks, strict=True)}
    growth = {name: round(exponent(memory_lengths, values), 2) if values else None for name, values in memory.items()}
    rows = [
        (name, round(exponent([lengths[i] for i in long], [lengths[i] * median[name][i] for i in long]), 2), power)
        for name, power in growth.items()
    ]
    figure, axes = canvas(1, len(devices) + 1, width=5.5 * (len(devices) + 1))
    for axis, device in zip(axes, devices, strict=False):
        curves(axis, lengths, times[device])
        axis.set(yscale="log", xlabel="length (tokens)", ylabel="µs a token", title=f"step, {device}")
        log_places(axis, lengths)
    axes[0].legend()
    curves(axes[-1], memory_lengths, {name: [row] for name, row in memory.items()})
    axes[-1].set(yscale="log", xlabel="length (tokens)", ylabel="MiB", title="peak memory of a step")
    log_places(axes[-1], memory_lengths)
    grows = ", ".join(f"{power} ({name})" for name, power in growth.items())
    return Finding(
        shows=(f"Memory grows with length to the power {grows}; " if memory_lengths else "Memory is not told here; ")
        + f"at {lengths[-1]} tokens a token costs "
        + ", ".join(f"{row[-1] / row[0]:.1f} times ({name})" for name, row in median.items())
        + f" what it costs at {lengths[0]}.",
        how=f"One layer of width {DIM}, forward and backward, {TOKENS} tokens a batch, causal, fp32, "
        f"{torch.get_num_threads()} threads, {repeats} steps (mean, band: shortest to longest); memory: what a step on "
        "one sequence adds to the peak of its own process, which only Linux tells; exponents by least squares on the "
        "logarithms, of time from the median steps.",
        data={"lengths": lengths, "microseconds": times, "memory_lengths": memory_lengths, "mebibytes": memory},
        drawings={
            "price": Drawing(
                figure,
                f"Time a token of one layer, forward and backward, against length ({repeats} steps, band from the "
                "shortest to the longest), and the memory that a step adds.",
            )
        },
        tables=[
            Table(["layer", "time ~ n^", "memory ~ n^"], rows, "fitted exponents on the CPU, one whole sequence"),
            Table(["layer", "cost a layer", "sequential operations", "longest path"], TABLE_1, "Vaswani 2017, Table 1"),
        ],
    )
