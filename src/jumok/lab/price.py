"""7. Parallel work and price: time a token and memory against length, beside the paper's Table 1."""

import math
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from jumok.lab.figures import canvas, curves, log_places
from jumok.lab.finding import Cell, Drawing, Finding, Setting, Table
from jumok.lab.readers import nearest_width, parameters
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
    ("self-attention (restricted to r neighbours)", "O(r n d)", "O(1)", "O(n / r)"),
]


class Fused(nn.Module):
    """Self-attention on PyTorch's fused kernels."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.attention = Attention(dim, HEADS)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.attention(x, mask=Mask(causal=True))
        return y


class Open(Fused):
    """Self-attention whose weights are held: what `record` sees."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.attention.tap.sink = lambda weights: None


class Recurrent(nn.Module):
    """An LSTM layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layer = RecurrentLayer("lstm", dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)[0]
        return y


class Convolutional(nn.Module):
    """A gated convolution of kernel 3."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.block = ConvolutionBlock(dim, 3, 1, gate="glu", causal=True, dropout=0.0)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x)
        return y


LAYERS: dict[str, Callable[[int], nn.Module]] = {
    "attention, explicit": Open,
    "attention, fused": Fused,
    "LSTM": Recurrent,
    "convolution": Convolutional,
}


@cache
def width(name: str) -> int:
    """The width that gives a layer as many parameters as attention of width `DIM` has, within 10 %."""

    def size(dim: int) -> int:
        with torch.device("meta"):
            return parameters(LAYERS[name](dim))

    with torch.device("meta"):
        budget = parameters(Fused(DIM))
    return nearest_width(size, budget, HEADS)


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
    layer, dim = LAYERS[name](width(name)), width(name)
    step_seconds(layer, torch.randn(1, 16, dim), 1)  # what a library sets up once is not the step's
    before, peaks = _high_water(), []
    for length in lengths:  # each needs more than the one before it, which has given back what it had
        step_seconds(layer, torch.randn(1, length, dim), 1)
        peaks.append(max(1, _high_water() - before))
    answer.send(peaks)


def _high_water() -> int:
    """The most resident memory this process has had, in bytes; `getrusage` would tell the parent's, if that is more."""
    return 1024 * int(STATUS.read_text(encoding="ascii").partition("VmHWM:")[2].split()[0])


def gpu_peak_bytes(layer: nn.Module, dim: int, lengths: Sequence[int], device: torch.device) -> list[int]:
    """Memory that one step on one sequence adds on a GPU, by length: PyTorch's allocator counts it exactly."""
    step_seconds(layer, torch.randn(1, 16, dim, device=device), 1)
    peaks = []
    for length in lengths:
        x = torch.randn(1, length, dim, device=device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        step_seconds(layer, x, 1)
        peaks.append(max(1, torch.cuda.max_memory_allocated(device) - before))
    return peaks


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def run(setting: Setting) -> Finding:
    """Step times and memory on every device there is."""
    lengths: list[int] = setting.pick([16, 32, 64, 128, 256, 512, 1024, 2048], [16, 64, 256, 1024])
    repeats = setting.pick(5, 3)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    times: dict[str, dict[str, list[list[float]]]] = {}  # by device and layer, a row a repeat
    for device in devices:
        times[device] = {}
        for name, build in LAYERS.items():
            setting.say(f"price: {name} on {device}")
            torch.manual_seed(setting.seeds[0])
            layer = build(width(name)).to(device)
            row = []
            for length in lengths:
                x = torch.randn(max(1, TOKENS // length), length, width(name), device=device)
                row.append([1e6 * seconds / (x.shape[0] * length) for seconds in step_seconds(layer, x, repeats)])
            times[device][name] = np.transpose(row).tolist()
    # where the fixed costs of a step no longer count
    long = [place for place, length in enumerate(lengths) if length >= 256]
    memory_lengths: list[int] = setting.pick([512, 1024, 2048, 4096], [512, 1024, 2048])
    memory = {device: _memory(device, memory_lengths) for device in devices if device != "cpu" or STATUS.exists()}
    rows: list[tuple[Cell, ...]] = []
    for device in devices:
        for name, seen in times[device].items():
            middle = seen[repeats // 2]
            spent = exponent([lengths[i] for i in long], [lengths[i] * middle[i] for i in long])
            held = round(exponent(memory_lengths, memory[device][name]), 2) if device in memory else None
            rows.append((name, device, width(name), _size(name), round(spent, 2), held))
    panels = len(devices) + len(memory)
    figure, axes = canvas(1, panels, width=5.5 * panels)
    for axis, device in zip(axes, devices, strict=False):
        curves(axis, lengths, times[device])
        axis.set(yscale="log", xlabel="length (tokens)", ylabel="µs a token", title=f"step, {device}")
        log_places(axis, lengths)
    axes[0].legend()
    for axis, (device, held_by) in zip(axes[len(devices) :], memory.items(), strict=True):
        curves(axis, memory_lengths, {name: [row] for name, row in held_by.items()})
        axis.set(yscale="log", xlabel="length (tokens)", ylabel="MiB", title=f"peak memory of a step, {device}")
        log_places(axis, memory_lengths)
    grows = ", ".join(f"{row[-1]} ({row[0]})" for row in rows if row[1] == "cpu")
    median = {name: seen[repeats // 2] for name, seen in times["cpu"].items()}
    return Finding(
        shows=(f"Memory grows with length to the power {grows}; " if "cpu" in memory else "Memory is not told here; ")
        + f"at {lengths[-1]} tokens a token costs "
        + ", ".join(f"{row[-1] / row[0]:.1f} times ({name})" for name, row in median.items())
        + f" what it costs at {lengths[0]}.",
        how=f"One layer of about {_size('attention, fused'):,} parameters (the table has each one's width), forward "
        f"and backward, {TOKENS} tokens a batch, causal, fp32, "
        f"{torch.get_num_threads()} threads, {repeats} steps (mean, band: shortest to longest). Memory: what a step on "
        "one sequence adds to the peak of its own process, which only Linux tells; on a GPU, to the peak of PyTorch's "
        "allocator. Exponents by least squares on the logarithms, of time from the median steps.",
        data={"lengths": lengths, "microseconds": times, "memory_lengths": memory_lengths, "mebibytes": memory},
        drawings={
            "price": Drawing(
                figure,
                "Time a token of one layer, forward and backward, against length, layers matched in parameters "
                f"({repeats} steps, band from the shortest to the longest), and the memory that a step adds.",
            )
        },
        tables=[
            Table(
                ["layer", "device", "width", "parameters", "time ~ n^", "memory ~ n^"],
                rows,
                "exponents fitted for one whole sequence; untrained layers, matched in parameters",
            ),
            Table(["layer", "cost a layer", "sequential operations", "longest path"], TABLE_1, "Vaswani 2017, Table 1"),
        ],
    )


def _size(name: str) -> int:
    with torch.device("meta"):
        return parameters(LAYERS[name](width(name)))


def _memory(device: str, lengths: Sequence[int]) -> dict[str, list[float]]:
    """MiB that a step of each layer adds, by length."""
    if device == "cpu":
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # memory, unlike time, may be measured side by side
            peaks = list(pool.map(lambda name: peak_bytes(name, lengths), LAYERS))
    else:
        place = torch.device(device)
        peaks = [gpu_peak_bytes(build(width(n)).to(place), width(n), lengths, place) for n, build in LAYERS.items()]
    return {name: [each / 2**20 for each in values] for name, values in zip(LAYERS, peaks, strict=True)}
