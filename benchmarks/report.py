"""The results as results.json and RESULTS.md: rows of this call over those of earlier ones."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.plan import ROWS

HEAD = """# Results

Written by `python -m benchmarks`; what is measured and how: [README.md](README.md). Each row is measured in one run,
ours and the peer in turns; the ratio is the median of the turns, with the lowest and the highest. All figures:
[results.json](results.json).
"""


def surroundings(threads: int, device: str) -> dict[str, Any]:
    """Where and when this is measured."""
    return {
        "hardware": _hardware(device),
        "threads": threads,
        "device": device,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def key(name: str, device: str) -> str:
    """The name of a row in results.json: rows of a GPU stand beside those of the processor."""
    return name if device == "cpu" else f"{name}@{device}"


def save(folder: Path, rows: dict[str, dict[str, Any]]) -> None:
    """Put `rows` over those that are in `folder`, and write the table anew."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    known: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    known |= rows
    path.write_text(json.dumps(known, indent=1) + "\n")
    (folder / "RESULTS.md").write_text(table(known))


def table(rows: dict[str, dict[str, Any]]) -> str:
    """RESULTS.md."""
    order = list(ROWS)
    names = sorted(rows, key=lambda name: (name.partition("@")[2], order.index(name.partition("@")[0])))
    lines = [
        HEAD,
        "| what | ours | peer | ratio | floor | aim | command |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(_line(name, rows[name]) for name in names),
        "",
        "## How",
        "",
        *(part for name in names for part in _details(name, rows[name])),
    ]
    return "\n".join(lines) + "\n"


def _line(name: str, values: dict[str, Any]) -> str:
    plain, _, device = name.partition("@")
    row = ROWS[plain]
    ours, peer = f"{values['ours']:,.{row.digits}f} {row.unit}", f"{values['peer']:,.{row.digits}f}"
    spread = f" ({min(values['ratios']):.2f}-{max(values['ratios']):.2f})" if len(values["ratios"]) > 1 else ""
    ratio = f"**{values['ratio']:.2f}**{spread}"
    targets = (row.floor, row.aim)
    floor, aim = (f"{value:g} {row.target}" if value is not None and not device else "" for value in targets)
    what = row.what + (f" ({device})" if device else "")
    return f"| {what} | {ours} | {peer} | {ratio} | {floor} | {aim} | `{values['command']}` |"


def _details(name: str, values: dict[str, Any]) -> list[str]:
    plain, _, device = name.partition("@")
    versions = ", ".join(f"{package} {version}" for package, version in sorted(values["versions"].items()))
    lines = [
        f"**{ROWS[plain].what}{f' ({device})' if device else ''}**: ours {values['ours_settings']};"
        f" peer {values['peer_settings']}. {values['hardware']}, {values['threads']} threads; {versions};"
        f" {values['date']}, commit {values['commit']}, load before {values['load_before']}, data: {values['data']}."
    ]
    if values["quick"]:
        lines.append("A quick run on toy sizes: it shows that everything runs, its figures mean nothing.")
    if "same_classes" in values:
        lines.append(f"The same class in fp32: {values['same_classes']} images.")
    if "greedy_equal" in values:
        lines.append(f"Greedy output in fp32 equal to ours: {values['greedy_equal']}.")
    if "note" in values:
        lines.append(values["note"])
    if "ours_peak_share" in values:
        shares = (f"{100 * values[f'{side}_peak_share']:.0f} %" for side in ("ours", "peer"))
        lines.append("Share of the peak of matrix products: ours {}, peer {}.".format(*shares))
    for side in ("ours", "peer"):
        tried = values.get(f"{side}_tried", {})
        if tried:
            lines.append(f"Tried ({side}): " + ", ".join(f"{what} {rate:,.0f}" for what, rate in tried.items()) + ".")
    return [" ".join(lines), ""]


def _hardware(device: str) -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    values = {name.strip(): value.strip() for name, value in fields.items()}
    flags = values.get("flags", "").split()
    wide = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16") if flag in flags]
    name = f"{values.get('model name') or platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    name += f" ({' '.join(wide)})" if wide else ""
    if device == "cuda":
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        name = subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()[0] + ", " + name
    return name


def _commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return asked.stdout.strip() or "none"
