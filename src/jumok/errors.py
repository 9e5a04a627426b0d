"""The one exception that means "the user can fix this"."""


class UserError(Exception):
    """A mistake in what the user gave: the message says what is wrong, where (file, line, key) and what to do.

    The command line prints it after ``error:`` without a traceback and ends with exit code 2.
    """


class Diverged(UserError):
    """A training whose loss or gradient became no number: for who compares models, a result."""
