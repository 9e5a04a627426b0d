"""``python -m benchmarks.page``: size and speed of the attention page of a long text, in headless Chromium.

An encoder of 12 layers x 12 heads that read 512 tokens. Its maps are softmax of normal scores, in turn with three
sinks, with a diagonal and with both. Written to page.json: the size of the file, the first draw (from the start of
loading to the task after the frame that shows it, marked by the page itself), a change of layer, and a pointer that
moves over the matrix and over the words: from the event to the end of the frame's work on the main thread. These are
wall times and grow with what else the machine does; beside them stands the processor time that the page's main thread
took, which does not.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from urllib.request import urlopen

import numpy as np

from jumok.files import atomic_write
from jumok.insight.maps import Map
from jumok.insight.viewer import AttentionView, attention_page

HERE = Path(__file__).parent
MOVES = 50
RUNS = 3  # the median of so many fresh browsers

# what the driver of the page does; its title carries the answer out, read through the devtools' list of pages
DRIVER = """
<script>(async () => {
  const settle = async (ready) => { while (!ready()) await new Promise((done) => setTimeout(done, 10)); };
  const data = document.body.dataset;
  // the handler runs in a frame; its style, layout and paint follow; then comes the message
  const timed = (act) => new Promise((done) => requestAnimationFrame(() => {
    const start = performance.now();
    const channel = new MessageChannel();
    channel.port1.onmessage = () => done(performance.now() - start);
    act();
    channel.port2.postMessage(0);
  }));
  const phase = (name) => { document.title = name; return new Promise((done) => setTimeout(done, 1000)); };
  await settle(() => data.drawn);
  await phase("drawn");
  const plane = document.getElementById("plane");
  const { left, top, width, height } = plane.getBoundingClientRect();
  const hover = [];
  for (let i = 0; i < MOVES; i++) {
    const [x, y] = [0.02 + 0.96 * ((i * 0.381966) % 1), 0.02 + 0.96 * ((i * 0.618034) % 1)];
    const at = { clientX: left + x * width, clientY: top + y * height, bubbles: true };
    hover.push(await timed(() => plane.dispatchEvent(new PointerEvent("pointermove", at))));
  }
  await phase("hovered");
  const columns = [...document.getElementById("columns").children];
  const words = [];
  for (let i = 0; i < MOVES; i++) {
    const word = columns[Math.floor(((i * 0.618034) % 1) * columns.length)];
    words.push(await timed(() => word.dispatchEvent(new PointerEvent("pointermove", { bubbles: true }))));
  }
  await phase("worded");
  const start = performance.now();
  [...document.getElementById("layer").children].at(-1).click();
  await settle(() => data.ready);
  const layer = performance.now() - start;
  const seen = { drawn: Number(data.drawn), layer, hover: hover.map(Math.round), words: words.map(Math.round) };
  document.title = "seen " + encodeURIComponent(JSON.stringify(seen));
})()</script></body>"""


def maps(layers: int, heads: int, size: int, seed: int = 0) -> dict[str, Map]:
    """Encoder maps ``(heads, size, size)``: head by head sinks, a diagonal, both, over scores of deviation 2."""
    random = np.random.default_rng(seed)
    places = np.arange(size)
    made = {}
    for layer in range(layers):
        scores = 2 * random.standard_normal((heads, size, size), dtype=np.float32)
        for head in range(heads):
            if head % 3 != 1:
                scores[head][:, [0, size // 3, size - 1]] += 4
            if head % 3 != 0:
                scores[head][places, np.maximum(places - 1, 0)] += 6
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        made[f"encoder.blocks.{layer}.attention"] = weights / weights.sum(-1, keepdims=True)
    return made


def page_of(layers: int, heads: int, size: int) -> str:
    pieces = ["<s>", *(f"▁word{place}" for place in range(1, size - 1)), "</s>"]
    text = " ".join(piece.removeprefix("▁") for piece in pieces[1:-1])
    return attention_page([AttentionView(pieces, ["</s>"], dict(maps(layers, heads, size)), text, "")], "A long text")


def measure(page: Path, folder: Path) -> dict[str, Any]:
    """Open the page in a fresh browser and wait for what its driver measured. `RuntimeError` after two minutes."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise RuntimeError("chromium is not installed")
    profile = folder / "profile"
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync "
    flags += "--disable-component-update --window-size=1280,1000 --remote-debugging-port=0"
    command = [program, *flags.split(), f"--user-data-dir={profile}", page.as_uri()]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
        try:
            return _answer(profile)
        finally:
            browser.terminate()
            browser.wait()
            shutil.rmtree(profile, ignore_errors=True)


def _answer(profile: Path) -> dict[str, Any]:
    port, end = profile / "DevToolsActivePort", time.monotonic() + 120
    marks: dict[str, float] = {}
    while time.monotonic() < end:
        time.sleep(0.1)
        if not port.is_file():
            continue
        with urlopen(f"http://127.0.0.1:{port.read_text().split()[0]}/json/list") as listed:
            titles = [each["title"] for each in json.load(listed)]
        for title in titles:
            marks.setdefault(title.partition(" ")[0], _busy(profile))
            if title.startswith("seen "):
                answer: dict[str, Any] = json.loads(unquote(title.removeprefix("seen ")))
                return answer | {"cpu": marks}
    raise RuntimeError("the page gave no answer within two minutes")


def _busy(profile: Path) -> float:
    """Milliseconds of processor time of the page's main thread so far."""
    busy = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            called = (process / "cmdline").read_bytes()
            if b"--type=renderer" in called and str(profile).encode() in called:
                busy = max(busy, int((process / "task" / process.name / "schedstat").read_text().split()[0]))
        except OSError:  # it has ended
            continue
    return busy / 1e6


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    for name, value in (("layers", 12), ("heads", 12), ("tokens", 512)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--keep", type=Path, help="write the page there too")
    asked = parser.parse_args(arguments)
    start = time.perf_counter()
    text = page_of(asked.layers, asked.heads, asked.tokens)
    built = time.perf_counter() - start
    if asked.keep:
        atomic_write(asked.keep, text)
    with tempfile.TemporaryDirectory() as name:
        page = Path(name) / "page.html"
        driver = DRIVER.replace("MOVES", str(MOVES))
        page.write_text(driver.join(text.rsplit("</body>", 1)), encoding="utf-8")
        seen = [measure(page, Path(name)) for _ in range(RUNS)]
    row: dict[str, Any] = {
        "layers": asked.layers,
        "heads": asked.heads,
        "tokens": asked.tokens,
        "megabytes": round(len(text.encode()) / 1e6, 2),
        "written_s": round(built, 1),
        "first_draw_ms": round(statistics.median(each["drawn"] for each in seen)),
        "first_draw_cpu_ms": round(statistics.median(each["cpu"]["drawn"] for each in seen)),
        "layer_ms": round(statistics.median(each["layer"] for each in seen)),
        "layer_cpu_ms": round(statistics.median(each["cpu"]["seen"] - each["cpu"]["worded"] for each in seen)),
        "load": round(os.getloadavg()[0], 1),
    }
    for kind, first, last in (("hover", "drawn", "hovered"), ("words", "hovered", "worded")):
        times = [value for each in seen for value in each[kind]]
        row[f"{kind}_ms"] = {
            "median": statistics.median(times),
            "p95": round(float(np.percentile(times, 95)), 1),
            "mean_cpu": round(statistics.mean((each["cpu"][last] - each["cpu"][first]) / MOVES for each in seen), 1),
        }
    atomic_write(HERE / "page.json", json.dumps(row, indent=1) + "\n")
    print(json.dumps(row, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
