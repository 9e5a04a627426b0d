"""Run `jumok` as a user does, in this process: quick, and what it prints can be looked at."""

import contextlib
import io
import sys
from dataclasses import dataclass

import pytest

from jumok.cli import main


@dataclass(frozen=True)
class Result:
    """Exit code and what was printed."""

    code: int
    out: str
    err: str


def jumok(*arguments: object, stdin: bytes | str = b"") -> Result:
    """``jumok ARGUMENTS < stdin``. An exception that is no clean ending passes through: it is a bug."""
    typed = stdin.encode() if isinstance(stdin, str) else stdin
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
    return Result(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def mistake(*arguments: object, stdin: bytes | str = b"") -> str:
    """The message of a command that must end with exit code 2 and one line of error, without a traceback."""
    result = jumok(*arguments, stdin=stdin)
    assert result.code == 2, f"exit code {result.code}: {result.err}"
    assert "Traceback" not in result.err
    last = result.err.rstrip("\n").splitlines()[-1]
    assert last.lower().startswith("error: "), result.err
    return last
