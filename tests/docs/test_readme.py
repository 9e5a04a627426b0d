"""What README and the guide say is what happens: every command in them is run, block after block, on generated data.

Each page gets a folder with `recipes/` and `.venv/` as in a checkout, and `my-data/` as a reader would have. A block
under ``<!-- run: no -->`` is shown only: it needs GPUs, or a network. Trainings are cut to a few steps and samples to a
few lines; nothing else is changed.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/guide.md"]
DRAWING = pytest.param("docs/guide.md", marks=pytest.mark.system("fonts-dejavu", "fonts-nanum"))  # it draws words
KOREAN = {"README.md": "README.ko.md", "docs/guide.md": "docs/guide.ko.md"}
OTHERS = ["CONTRIBUTING.md", "CHANGELOG.md", "docs/glossary.md", "docs/log.md"]
BLOCK = re.compile(r"^(?P<no><!-- run: no -->\n+)?```(?P<language>\w*)\n(?P<code>.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)|<img[^>]* src=\"(?!https?:)([^\"]+)\"")

LINES = {"train": 2000, "val": 40, "test": 40}
CUTS = "; ".join(
    f'sed -i {count}q "$3"/translate/{part}.{side}' for part, count in LINES.items() for side in ("written", "normal")
)
FEWER = """case "$4" in
        classify) find "$5"/classify/train -name "*[2-9].png" -delete ;;
        caption) sed -i 200q "$5"/caption/train.jsonl; sed -i 20q "$5"/caption/val.jsonl ;;
        read) sed -i 200q "$5"/read/train.tsv; sed -i 20q "$5"/read/val.tsv ;;
        embed) sed -i 200q "$5"/embed/train.tsv; sed -i 100q "$5"/embed/corpus.txt ;;
    esac"""

# `make` is asked only for its targets; a run that goes on with --resume has steps left.
PRELUDE = f"""
set -euo pipefail
jumok() {{
    local steps=4
    case " $* " in *" --resume "*) steps=6 ;; esac
    if [ "$1" = train ]; then
        local small="model.preset=tiny validation.lines=4"
        if [ ! -f "$2" ] || grep -qE '^task: (classify|caption|read)' "$2"; then small="training.batch_images=8"; fi
        if [ "$2" = demo-embed ]; then small="training.batch_pairs=8"; fi
        command jumok "$@" $small training.steps=$steps training.warmup=2 training.validate_every=2 \\
            training.save_every=2
    else
        command jumok "$@"
    fi
    if [ "$1 $2 ${{3-}}" = "data sample --job" ]; then {FEWER}; elif [ "$1 $2" = "data sample" ]; then {CUTS}; fi
}}
make() {{
    grep -q "^$1:" '{ROOT}/Makefile' || {{ echo "the Makefile has no target $1" >&2; exit 1; }}
}}
"""


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    code: str
    runs: bool

    @property
    def command(self) -> str:
        """The code without its comments, which the Korean page writes in Korean."""
        lines = (re.sub(r"(^|\s+)# .*$", "", line).rstrip() for line in self.code.splitlines())
        return "\n".join(line for line in lines if line)


def read_blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found["language"], found["code"], not found["no"])
        for found in BLOCK.finditer(text)
        if found["language"] in ("bash", "python")
    ]


def run_shell(block: Block, folder: Path) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(
        ["bash", "-c", PRELUDE + block.code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    print(result.stdout)
    if result.returncode:
        where = f"{block.page}:{block.line} ended with {result.returncode}"
        pytest.fail(f"{where}\n{block.code}\n{result.stderr}", pytrace=False)


def own_data(folder: Path) -> None:
    """The reader's `my-data/train.de` and so on: the sample, under those names."""
    from jumok.data.sample import write_sample

    write_sample(folder / "sample")
    (folder / "my-data").mkdir()
    for part, count in LINES.items():
        for theirs, ours in (("written", "de"), ("normal", "en")):
            text = (folder / "sample" / "translate" / f"{part}.{theirs}").read_text(encoding="utf-8")
            lines = text.splitlines(keepends=True)[:count]
            (folder / "my-data" / f"{part}.{ours}").write_text("".join(lines), encoding="utf-8")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", ["README.md", DRAWING])
def test_every_command_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    own_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}  # python blocks of a page continue each other
    blocks = [block for block in read_blocks(page) if block.runs]
    assert blocks
    for block in blocks:
        if block.language == "bash":
            run_shell(block, tmp_path)
        else:
            padded = "\n" * block.line + block.code  # so that a traceback names the page's own line
            exec(compile(padded, str(ROOT / page), "exec"), names)


@pytest.mark.parametrize("page", PAGES)
def test_the_korean_page_runs_the_same_commands(page: str) -> None:
    english, korean = read_blocks(page), read_blocks(KOREAN[page])
    assert [(b.language, b.command, b.runs) for b in korean] == [(b.language, b.command, b.runs) for b in english]


@pytest.mark.parametrize("page", [*PAGES, *KOREAN.values(), *OTHERS])
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [first or second for first, second in LINK.findall(text)]
    missing = [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()]
    assert not missing, f"{page} points to {missing}"


def test_readme_opens_with_the_two_commands() -> None:
    for page in ("README.md", "README.ko.md"):
        first = read_blocks(page)[0]
        assert [line.split("#")[0].strip() for line in first.code.splitlines()] == ["make demo", "make test"]


@pytest.mark.parametrize("page", ["docs/guide.md", "docs/guide.ko.md"])
def test_the_guide_lists_every_key_of_a_recipe(page: str) -> None:
    from jumok.config import Config, explain
    from jumok.tasks.caption import CaptionRecipe
    from jumok.tasks.classify import ClassifyRecipe
    from jumok.tasks.embed import EmbedRecipe
    from jumok.tasks.read import ReadRecipe
    from jumok.tasks.translate import TranslateRecipe

    text = (ROOT / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:`(\w+)`)? ?\| ((?:`\w+`(?:, )?)+) \|", text, re.M)
    listed = {".".join(filter(None, (group, key))) for group, keys in rows for key in re.findall(r"`(\w+)`", keys)}
    families: list[tuple[type[Config], str, str]] = [
        *((TranslateRecipe, "architecture", name) for name in ("transformer", "seq2seq", "convs2s")),
        *((ClassifyRecipe, "architecture", name) for name in ("vit", "deit", "resnet")),
        *((CaptionRecipe, "encoder", name) for name in ("resnet", "resnet-transformer", "vit")),
        *((EmbedRecipe, "architecture", name) for name in ("transformer", "dan")),
        *((ReadRecipe, "preset", name) for name in ("reader", "reader-transformer", "reader-vit")),
    ]
    keys = {key for kind, by, name in families for key, *_ in explain(kind, {"model": {by: name}})}
    assert listed == keys, f"missing: {sorted(keys - listed)}; no longer there: {sorted(listed - keys)}"
