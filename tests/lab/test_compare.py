"""The laboratory as a whole: what it leaves on disk, and what happens when something goes wrong."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.commands import jumok

from jumok.config import parse
from jumok.errors import UserError
from jumok.lab import compare as lab
from jumok.lab.figures import canvas
from jumok.lab.finding import Drawing, Finding, Setting, Table
from jumok.lab.report import Section, report

RECIPE = Path(__file__).parents[2] / "recipes" / "compare.yaml"


def small(setting: Setting) -> Finding:
    figure, axis = canvas()
    axis.plot([1, 2], [3, 4])
    return Finding(
        shows=f"A line <of> {len(setting.seeds)} seeds.",
        how="Drawn.",
        data={"values": [3, 4]},
        drawings={"line": Drawing(figure, "A <line>, drawn.")},
        tables=[Table(["model", "n"], [("x & y", 12345), ("z", None)], "a table")],
    )


def broken(setting: Setting) -> Finding:
    raise ZeroDivisionError("no luck")


def killed(setting: Setting) -> Finding:
    os.kill(os.getpid(), signal.SIGKILL)
    return small(setting)


def slow(setting: Setting) -> Finding:
    time.sleep(120)
    return small(setting)


def recipe(folder: Path, **changes: Any) -> lab.CompareRecipe:
    values = {"run": str(folder), "experiments": ["memory", "gates"], "seeds": [1, 2, 3]} | changes
    return parse(lab.CompareRecipe, values, "the test's recipe")


@pytest.fixture
def experiments(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    chosen = {"memory": lab.Experiment("Memory", small), "gates": lab.Experiment("Gates", small)}
    monkeypatch.setattr(lab, "EXPERIMENTS", chosen)
    return chosen


def test_a_report_stands_alone(tmp_path: Path, experiments: dict[str, Any]) -> None:
    page = lab.compare(recipe(tmp_path / "lab"), lambda _: None).page.read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!#|data:)', page)
    assert page.count("data:image/png;base64,") == 2
    assert "A line &lt;of&gt; 3 seeds." in page
    assert "<figcaption>A &lt;line&gt;, drawn.</figcaption>" in page
    assert "x &amp; y" in page
    assert "12,345" in page
    assert (tmp_path / "lab" / "figures" / "line.png").stat().st_size > 1000
    stored = json.loads((tmp_path / "lab" / "results.json").read_text(encoding="utf-8"))
    assert stored["experiments"]["memory"]["data"] == {"values": [3, 4]}
    assert stored["setting"]["seeds"] == [1, 2, 3]


def test_what_is_finished_is_not_done_again(tmp_path: Path, experiments: dict[str, Any]) -> None:
    experiments["gates"] = lab.Experiment("Gates", slow)

    def stop_after_the_first(line: str) -> None:
        if line.startswith("Memory: A line"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.compare(recipe(tmp_path), stop_after_the_first)
    experiments |= {"memory": lab.Experiment("Memory", broken), "gates": lab.Experiment("Gates", small)}
    told: list[str] = []
    lab.compare(recipe(tmp_path), told.append)
    assert any("kept from" in line for line in told)
    stored = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert set(stored["experiments"]) == {"memory", "gates"}


def test_stopped_in_a_training_it_ends_soon_and_goes_on_later(tmp_path: Path) -> None:
    """Stopped while a rival is trained: the training saves, and none begins after it."""
    rivals = tmp_path / "lab" / "rivals"
    command = [sys.executable, "-m", "jumok", "compare", str(RECIPE), f"run={tmp_path / 'lab'}", "--quick"]
    with subprocess.Popen(
        [*command, "experiments=[looking]"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        deadline = time.monotonic() + 120
        while not any(path.stat().st_size for path in rivals.glob("*/metrics.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.2)
        process.terminate()  # as Ctrl-C, which a shell in the background ignores
        rest = process.stdout.read()  # to its end: every worker has let go of it
        assert process.wait(timeout=30) == 130
    assert "the same command goes on from there" in rest
    assert list(rivals.glob("*/state/latest")), "what the training had done is kept"


def test_workers_end_with_a_first_process_that_is_killed(tmp_path: Path) -> None:
    """They hold the pipe that both write to: it ends when the last of them has ended."""
    command = [sys.executable, "-m", "jumok", "compare", str(RECIPE), f"run={tmp_path / 'lab'}", "--quick"]
    with subprocess.Popen([*command, "experiments=[memory,recency]"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(("memory", "recency"))  # a worker's word
        process.kill()
        start = time.monotonic()
        process.stdout.read()
    assert time.monotonic() - start < 10


def test_results_of_other_settings_are_not_touched(tmp_path: Path, experiments: dict[str, Any]) -> None:
    lab.compare(recipe(tmp_path), lambda _: None)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"seeds = \[1, 2, 3\], not \[9\].* give another run="):
        lab.compare(recipe(tmp_path, seeds=[9]), lambda _: None)
    with pytest.raises(UserError, match=r"quick = False, not True"):
        lab.compare(recipe(tmp_path, quick=True), lambda _: None)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_worker_that_is_killed_costs_only_its_own_work(tmp_path: Path, experiments: dict[str, Any]) -> None:
    lab.compare(recipe(tmp_path, experiments=["memory"]), lambda _: None)
    experiments["gates"] = lab.Experiment("Gates", killed)
    with pytest.raises(UserError, match="killed from outside"):
        lab.compare(recipe(tmp_path), lambda _: None)
    experiments |= {"memory": lab.Experiment("Memory", broken), "gates": lab.Experiment("Gates", small)}
    lab.compare(recipe(tmp_path), lambda _: None)
    stored = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert set(stored["experiments"]) == {"memory", "gates"}
    assert not stored["failed"]


def test_one_that_fails_is_named_and_the_others_go_on(tmp_path: Path, experiments: dict[str, Any]) -> None:
    experiments["memory"] = lab.Experiment("Memory", broken)
    done = lab.compare(recipe(tmp_path), lambda _: None)
    page = done.page.read_text(encoding="utf-8")
    assert "Not measured: ZeroDivisionError: no luck" in page
    assert "A line" in page
    assert done.failed == {"Memory": "ZeroDivisionError: no luck"}


def test_the_command_names_what_failed_and_ends_with_one(tmp_path: Path, experiments: dict[str, Any]) -> None:
    command = ["compare", RECIPE, f"run={tmp_path}", "experiments=[memory,gates]"]
    experiments["memory"] = lab.Experiment("Memory", broken)
    result = jumok(*command)
    assert result.code == 1
    assert "failed: Memory: ZeroDivisionError: no luck" in result.err
    assert "Gates: A line" in result.err
    assert (tmp_path / "report.html").exists()
    experiments["memory"] = lab.Experiment("Memory", small)
    again = jumok(*command)
    assert again.code == 0, "what had failed is measured again"
    assert "failed" not in again.err


def test_a_result_that_lost_its_figure_is_measured_again(tmp_path: Path, experiments: dict[str, Any]) -> None:
    lab.compare(recipe(tmp_path, experiments=["memory"]), lambda _: None)
    (tmp_path / "figures" / "line.png").unlink()
    told: list[str] = []
    lab.compare(recipe(tmp_path, experiments=["memory"]), told.append)
    assert not any("kept from" in line for line in told)
    assert (tmp_path / "figures" / "line.png").exists()


def test_what_is_no_number_is_null() -> None:
    assert lab._plain({"a": [float("nan"), 1.0], 2: (float("inf"), "x")}) == {"a": [None, 1.0], "2": [None, "x"]}


def test_a_folder_of_something_else_is_refused(tmp_path: Path, experiments: dict[str, Any]) -> None:
    (tmp_path / "results.json").write_text('{"mine": 1}', encoding="utf-8")
    with pytest.raises(UserError, match="not of this laboratory"):
        lab.compare(recipe(tmp_path), lambda _: None)
    assert (tmp_path / "results.json").read_text(encoding="utf-8") == '{"mine": 1}'


def test_a_run_that_is_none_is_named_before_any_work(tmp_path: Path, experiments: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="nowhere"):
        lab.compare(recipe(tmp_path / "lab", runs=str(tmp_path / "nowhere")), lambda _: None)
    assert not (tmp_path / "lab").exists()


def test_sections_without_a_result_say_why() -> None:
    page = report([Section("Memory", None, "it <broke>")], Path(), {"quick": True, "seeds": [1]})
    assert "Not measured: it &lt;broke&gt;" in page
