"""The demo, on little data and a few steps: what it prints, writes, replaces and leaves alone."""

import json
from pathlib import Path

import pytest
from tests.commands import jumok
from tests.tasks import small

from jumok.data.generated import splits
from jumok.errors import UserError
from jumok.tasks.demo import prepare

QUICK = ["training.steps=3", "training.validate_every=3", "validation.lines=5", "model.dim=16", "decoding.beam=1"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The files of the demo's data, but few lines."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name, examples in splits(3, train=200, val=10, test=12).items():
        small.write_lines(folder / f"{name}.written", [example.source for example in examples])
        small.write_lines(folder / f"{name}.normal", [example.target for example in examples])
        if name == "test":
            rows = [json.dumps({"source": e.source, "target": e.target, "links": e.links}) for e in examples]
            small.write_lines(folder / "test.links.jsonl", rows)
    return folder


def test_the_demo_trains_shows_scores_and_may_be_run_again(data: Path, tmp_path: Path) -> None:
    page = tmp_path / "attention.html"
    arguments = ["demo", f"run={tmp_path / 'demo'}", f"data.folder={data}", *QUICK, "-o", page]
    for time in range(2):
        result = jumok(*arguments)
        assert result.code == 0, result.err
        exact = [line for line in result.out.splitlines() if line.startswith("exact match: ")]
        assert 0 <= float(exact[0].removeprefix("exact match: ")) <= 100
        score = [line for line in result.out.splitlines() if line.startswith("alignment: ")]
        assert 0 <= float(score[0].split()[1]) <= 100
        assert "reference" in result.out
        assert str(page) in result.err
        assert "November" in page.read_text(encoding="utf-8")
        assert (tmp_path / "demo" / "model.safetensors").exists()
        assert ("replacing" in result.err) == (time == 1)


def test_it_replaces_no_run_that_is_not_its_own(tmp_path: Path) -> None:
    mine = small.train_run(small.write_data(tmp_path / "data", train=60), tmp_path / "mine")
    before = sorted(path.name for path in mine.iterdir())
    with pytest.raises(UserError, match="did not make"):
        prepare("translate", [f"run={mine}"], lambda _: None)
    assert sorted(path.name for path in mine.iterdir()) == before
    assert not (tmp_path / "mine-data").exists()


def test_its_data_stands_beside_its_run_and_is_used_again(tmp_path: Path) -> None:
    said: list[str] = []
    recipe = prepare("translate", [f"run={tmp_path / 'demo'}"], said.append)
    folder = tmp_path / "demo-data" / "translate"
    assert recipe.data.folder == str(folder)
    assert said
    before = (folder / "train.written").stat().st_mtime_ns
    prepare("translate", [f"run={tmp_path / 'demo'}"], said.append)
    assert (folder / "train.written").stat().st_mtime_ns == before
