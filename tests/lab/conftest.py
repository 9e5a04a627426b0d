"""The generated corpus of the laboratory, with few test sentences."""

from pathlib import Path

import pytest

from jumok.lab import rivals


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus with a handful of test sentences: models hardly trained write without an end."""
    folder = tmp_path_factory.mktemp("lab")
    place = rivals.corpus(folder)
    for name in ("test.written", "test.normal", "test.links.jsonl"):
        lines = (place / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (place / name).write_text("".join(lines[:12]), encoding="utf-8")
    rivals.lessons(folder)
    return folder / "corpus"
