"""What every test has: checked shapes in the rooms of the model, a printed seed, a word on missing system packages."""

import os
import random
import secrets
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

# Before torch is loaded, and for every process a test starts: workers share two cores, waiting threads must not spin.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("MPLBACKEND", "agg")

import numpy
import pytest
import torch
from jaxtyping import install_import_hook

torch.set_num_threads(1)

# From here on each call in these rooms is checked against its annotations, shapes included.
install_import_hook(["jumok.nn", "jumok.models", "jumok.decoding"], "beartype.beartype")

FONTS = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts"]


def find_program(*names: str) -> bool:
    return any(shutil.which(name) for name in names)


def find_font(pattern: str) -> bool:
    return any(next(folder.rglob(pattern), None) for folder in FONTS)


SYSTEM = {  # Debian package -> is it here?
    "chromium": lambda: find_program("chromium", "chromium-browser", "google-chrome"),
    "fonts-dejavu": lambda: find_font("DejaVuSans.ttf"),
    "fonts-nanum": lambda: find_font("NanumGothic.ttf"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="the seed a failed test printed, to see it fail again")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.system("chromium")`: skip with a notice without the package, but fail where CI=true."""
    for mark in item.iter_markers("system"):
        for package in mark.args:
            if SYSTEM[package]():
                continue
            notice = f"needs the system package {package} (apt-get install {package})"
            if os.environ.get("CI") == "true":
                pytest.fail(f"{notice}; CI=true, so it must be there", pytrace=False)
            pytest.skip(notice)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    skipped = [report for report in skipped if "system package" in str(report.longrepr)]
    if skipped:
        terminalreporter.section("not run: a system package is missing", yellow=True)
        for report in skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            terminalreporter.line(f"{report.nodeid}: {str(reason).removeprefix('Skipped: ')}")


@pytest.fixture(autouse=True)
def seed(request: pytest.FixtureRequest) -> int:
    """A fresh seed for each test, set in torch, numpy and random, and printed if the test fails.

    Where CI=true it is the test's own, as hypothesis does it too: a commit has one verdict. Dice are thrown by hand.
    """
    given = request.config.getoption("--seed")
    if given is None and os.environ.get("CI") == "true":
        given = zlib.crc32(request.node.nodeid.encode())
    value = secrets.randbelow(2**31) if given is None else given
    torch.manual_seed(value)
    numpy.random.seed(value)
    random.seed(value)
    return value


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.failed and "seed" in getattr(item, "funcargs", {}):
        report.sections.append(("seed", f"see it again: pytest '{item.nodeid}' --seed {item.funcargs['seed']}"))
    return report
