"""What is asked of every page: its data, its elements, and what happens in it in a real browser."""

import base64
import json
import re
import shutil
import subprocess
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from jumok.insight.maps import Map

HOSTILE = "</script><b>&amp;<!--<script>\u2028'\"{{data}}\\"


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found is not None
    return json.loads(found[1])


def unpack(text: str, heads: int, rows: int, keys: int) -> Map:
    content = zlib.decompress(base64.b64decode(text))
    scales = np.frombuffer(content[: 4 * heads], "<f4")
    steps = np.frombuffer(content[4 * heads :], np.uint8).reshape(heads, rows, keys)
    return steps * (scales[:, None, None] / np.float32(255))


class Elements(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


WAIT = (
    "const wait = async () => { do await new Promise(r => setTimeout(r, 30)); while (!document.body.dataset.ready) };"
)


def browse(page: str, tmp_path: Path, steps: str) -> dict[str, Any]:
    """Open the page in headless Chromium, run `steps` (JavaScript) in it, give what they return."""
    driver = f"""<script>(async () => {{ {WAIT} await wait(); let seen;
      try {{ seen = await (async () => {{ {steps} }})(); }} catch (error) {{ seen = {{ error: String(error) }}; }}
      const p = document.createElement("p"); p.id = "seen"; p.textContent = encodeURIComponent(JSON.stringify(seen));
      document.body.append(p); }})()</script></body>"""
    path = tmp_path / "page.html"
    path.write_text("".join([page[: page.rindex("</body>")], driver, "</html>"]), encoding="utf-8")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program is not None
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    flags += "--disable-component-update --disable-sync --window-size=1280,1000 --virtual-time-budget=20000 --dump-dom"
    command = [program, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True).stdout
    found = re.search(r'<p id="seen">(.*?)</p>', dom)
    assert found is not None, dom[-2000:]
    result: dict[str, Any] = json.loads(unquote(found[1]))
    assert "error" not in result, result
    return result
