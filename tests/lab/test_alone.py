"""Each experiment by itself: it trains what it needs and no more, and leaves a report; with given runs and without."""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jumok.config import parse
from jumok.lab import bottleneck, drill, gates, price, rivals
from jumok.lab import compare as lab
from jumok.tasks.runs import run_path

# what must be trained on the generated corpus first; the demo, which is given, is a Transformer
NEEDED = {
    "gates": {"luong-1"},
    "bottleneck": {"luong-1", "transformer-1"},
    "quality": {"luong-1", "transformer-1"},
    "looking": {"luong-1", "transformer-1"},
}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of two steps, all in this process: what is measured is not worth a look, but every line of it runs."""
    monkeypatch.setattr(rivals, "BUDGET", 110_000)
    monkeypatch.setattr(rivals, "STEPS", {"full": 2, "quick": 2})
    two = {name: rivals.RIVALS[name] for name in ("Luong", "Transformer")}
    for module in (rivals, gates):
        monkeypatch.setattr(module, "RIVALS", two)
    trained = drill.drill

    def two_steps(model: Any, draw: Any, *, steps: int, seed: int, **options: float) -> drill.Drilled:
        return trained(model, draw, steps=2, seed=seed, **options)

    def peaks(name: str, lengths: Sequence[int]) -> list[int]:
        return [1000 * length for length in lengths]

    @contextmanager
    def here(count: int) -> Iterator[ThreadPoolExecutor]:
        with ThreadPoolExecutor(1) as pool:
            yield pool

    monkeypatch.setattr(drill, "drill", two_steps)
    monkeypatch.setattr(price, "peak_bytes", peaks)
    monkeypatch.setattr(price, "TOKENS", 64)
    monkeypatch.setattr(bottleneck, "MOST_JOINED", 2)
    monkeypatch.setattr(lab, "_workers", here)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("name", "given"),
    # the others do not look at the given runs: one of them stands for all
    [*((name, False) for name in lab.EXPERIMENTS), *((name, True) for name in ("memory", *NEEDED))],
)
def test_each_experiment_alone_trains_what_it_needs_and_reports(
    name: lab.Name, given: bool, corpora: Path, tmp_path: Path
) -> None:
    shutil.copytree(corpora, tmp_path / "corpus")
    values: dict[str, Any] = {"run": str(tmp_path), "experiments": [name], "seeds": [1], "quick": True}
    if given:
        values |= {"runs": "demo", "data": {"folder": str(corpora / "translate"), "test": "test"}}
    done = lab.compare(parse(lab.CompareRecipe, values, "the test's recipe"), lambda _: None)
    assert not done.failed
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["experiments"][name]
    page = done.page.read_text(encoding="utf-8")
    assert page.count("<figure>") == len(found["figures"]) >= 1
    assert all((tmp_path / "figures" / f"{figure}.png").exists() for figure in found["figures"])
    made = {path.name for path in (tmp_path / "rivals").glob("*") if path.is_dir()}
    assert made == NEEDED.get(name, set())
    # of what is trained, here or before, the size and the training are told
    columns = {column for table in found["tables"] for column in table["columns"]}
    assert "parameters" in columns
    assert name == "price" or any("training tokens" in column for column in columns)
    if given and name in ("bottleneck", "quality", "looking"):
        assert str(run_path("demo")) in found["how"] or "where_the_runs_look" in found["figures"]
        assert re.search(r"<caption>the given runs[^<]*not matched", page)
