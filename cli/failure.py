"""Errors that a user can do something about, and the exit codes of every command."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command's exit code says to a script."""

    OK = 0
    OTHER = 1  #: anything not below
    USAGE = 2  #: the command line, or the data given with it, is wrong
    NOT_COMPLETED = 3  #: the saga has ended, but not as completed
    STUCK = 4  #: the saga waits for a person
    NOT_FOUND = 5
    TIMEOUT = 6


class Failure(Exception):
    """An expected error: shown as its message, which says what to do next, without a traceback."""

    def __init__(self, message: str, code: Exit = Exit.OTHER) -> None:
        super().__init__(message)
        self.code = code
