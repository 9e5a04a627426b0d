"""The house: who may import whom is the table "The map of the house" in CONTRIBUTING.md, read here and nowhere else."""

import ast
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "jumok"
FILES = sorted(SOURCE.rglob("*.py"))
GROUND = {"errors", "files", "config", "progress"}  # they import no room; every room may import them
MOST_LINES = 400


def read_map() -> dict[str, set[str]]:
    """Room -> the rooms it may import, from the rows ``| `room/` | ... | `a`, `b` |``."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("## The map of the house")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)/` \|.*\|([^|]*)\|\s*$", table, re.M)
    return {room: set(re.findall(r"`(\w+)`", allowed)) for room, allowed in rows}


MAP = read_map()


def module_name(path: Path, base: Path = SOURCE.parent) -> str:
    parts = path.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(code: str, package: str) -> dict[str, int]:
    """Modules of the house that `code` imports anywhere: top, inside functions, under TYPE_CHECKING."""
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name: node.lineno for alias in node.names if alias.name.split(".")[0] == "jumok"}
        elif isinstance(node, ast.ImportFrom):
            anchor = ".".join(package.split(".")[: len(package.split(".")) + 1 - node.level]) if node.level else ""
            name = ".".join(part for part in (anchor, node.module) if part)
            if name.split(".")[0] == "jumok":
                found |= {f"{name}.{alias.name}": node.lineno for alias in node.names}
    return found


def room(module: str) -> str:
    """`jumok.nn.mask` stands in room `nn`; the package's own names (`jumok.load`) in ''."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in (GROUND | MAP.keys()) else ""


def imports_of(path: Path) -> dict[str, int]:
    module = module_name(path)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return imported(path.read_text(encoding="utf-8"), package)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_nothing_imports_upward(path: Path) -> None:
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if own in ("__main__", "__init__"):  # `jumok.load` reaches for its task when called, `python -m jumok` for the cli
        allowed = GROUND | {"tasks", "cli", ""}
    elif own in GROUND:
        allowed = GROUND
    else:
        allowed = GROUND | MAP[own] | {own, ""}
    wrong = [f"{path}:{line} imports {name}" for name, line in imports_of(path).items() if room(name) not in allowed]
    assert not wrong, f"{own} may import {sorted(allowed - {''})}: " + "; ".join(wrong)


def test_files_import_in_one_direction() -> None:
    modules = {module_name(path): path for path in FILES}
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        wanted = {name if name in modules else name.rpartition(".")[0] for name in imports_of(path)}
        graph[module] = wanted & modules.keys() - {module, "jumok"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"files import each other in a ring: {' -> '.join(error.args[1])}")


def test_the_map_lists_every_room_and_only_downward() -> None:
    rooms = {path.name for path in SOURCE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert rooms <= MAP.keys(), f"CONTRIBUTING.md's map lacks {sorted(rooms - MAP.keys())}"
    assert {name for allowed in MAP.values() for name in allowed} <= MAP.keys()
    TopologicalSorter(MAP).prepare()  # a ring of rooms would raise


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_file_is_one_idea(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, f"{path} has {lines} lines: split it"


def test_the_law_sees_hidden_imports() -> None:
    lines = ["def f():", "    from ..tasks import translate", "if TYPE_CHECKING:", "    import jumok.lab.memory"]
    code = "\n".join([*lines, "from . import mask"])
    assert imported(code, "jumok.nn") == {"jumok.tasks.translate": 2, "jumok.lab.memory": 4, "jumok.nn.mask": 5}


@pytest.mark.parametrize("statement", ["import jumok", "import jumok.cli"])
def test_importing_the_package_is_cheap(statement: str) -> None:
    check = f"{statement}; import sys; print([n for n in ('torch', 'tokenizers', 'matplotlib') if n in sys.modules])"
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
