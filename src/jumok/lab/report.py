"""The laboratory's page: self-contained, offline, light and dark."""

import base64
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import torch

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --soft: #5d5d66; --line: #d9d9e0; --paper: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececf1; --soft: #a5a5b0; --line: #3a3a44; --paper: #17171b; } }
body { font: 16px/1.55 system-ui, "Noto Sans KR", "NanumGothic", sans-serif; color: var(--ink);
  background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; }
h2 { font-size: 1.25rem; margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1.2rem; }
p.how, footer, figcaption, caption { color: var(--soft); font-size: 0.88rem; }
img { max-width: 100%; height: auto; background: #ffffff; border-radius: 6px; }
figure { margin: 1rem 0; } nav ol { columns: 2; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { padding: 0.25rem 0.8rem; border-bottom: 1px solid var(--line); text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; } caption { text-align: left; }
.failed { color: #b3261e; }
"""


@dataclass(frozen=True)
class Section:
    """One experiment on the page: its stored result, or why there is none."""

    title: str
    result: Mapping[str, Any] | None
    failed: str | None = None


def report(sections: Sequence[Section], figures: Path, setting: Mapping[str, Any]) -> str:
    """The whole page as HTML; figures are read from `figures` and put into it."""
    contents = "".join(
        f'<li><a href="#{number}">{escape(section.title)}</a></li>' for number, section in enumerate(sections, 1)
    )
    body = "".join(_section(number, section, figures) for number, section in enumerate(sections, 1))
    size = "quick version" if setting["quick"] else "full version"
    about = (
        f"{size}, seeds {', '.join(map(str, setting['seeds']))}; torch {torch.__version__}, Python "
        f"{platform.python_version()}, {platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Why attention? Measured here</title><style>{STYLE}</style></head><body>"
        f"<h1>Why attention? Measured here</h1><nav><ol>{contents}</ol></nav>{body}"
        f"<footer><p>Written by <code>jumok compare</code>: {escape(about)}.</p></footer></body></html>"
    )


def _section(number: int, section: Section, figures: Path) -> str:
    head = f'<section id="{number}"><h2>{number}. {escape(section.title)}</h2>'
    if section.result is None:
        return f'{head}<p class="failed">Not measured: {escape(section.failed or "")}</p></section>'
    shows, how = escape(section.result["shows"]), escape(section.result["how"])
    images = "".join(_figure(figures / f"{name}.png", text) for name, text in section.result["figures"].items())
    tables = "".join(_table(table) for table in section.result["tables"])
    return f'{head}<p>{shows}</p>{images}{tables}<p class="how">{how}</p></section>'


def _figure(path: Path, text: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    image = f'<img src="data:image/png;base64,{data}" alt="{escape(text, quote=True)}">'
    return f"<figure>{image}<figcaption>{escape(text)}</figcaption></figure>"


def _table(table: Mapping[str, Any]) -> str:
    head = "".join(f"<th>{escape(str(column))}</th>" for column in table["columns"])
    rows = "".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in table["rows"])
    caption = f"<caption>{escape(table['caption'])}</caption>" if table["caption"] else ""
    return f"<table>{caption}<tr>{head}</tr>{rows}</table>"


def _cell(value: object) -> str:
    if isinstance(value, int | float):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{escape('' if value is None else str(value))}</td>"
