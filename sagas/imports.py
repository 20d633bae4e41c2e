"""Modules that users name: imported, or said to be missing or broken, with the lines that are theirs to mend."""

import importlib
import traceback
from collections.abc import Iterator
from types import ModuleType

from sagas.errors import InvalidDefinition

_IMPORTING = (__file__, importlib.__file__, "<frozen importlib")  #: whose frames say nothing to the module's author


def imported(name: str) -> ModuleType:
    """The module; raises `InvalidDefinition` where it can't be imported, whatever keeps it from that."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise InvalidDefinition(f"{name!r} is not a module's name; write it like {_meant(name)!r}")
    try:
        return importlib.import_module(name)
    except InvalidDefinition:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _broken(name, error) from error  # It is there; something that it imports is not.
        raise InvalidDefinition(_missing(name)) from error
    except Exception as error:
        raise _broken(name, error) from error


def _missing(name: str) -> str:
    if name.endswith(".py"):
        return f"{name!r} is a file's name; write the module's, like {_meant(name)!r}"
    return f"there is no module {name!r} in this folder or on PYTHONPATH, and no installed package has it"


def _meant(name: str) -> str:
    """What was probably meant by a file's name, or by `module:attribute`."""
    meant = name.partition(":")[0].removesuffix(".py").replace("/", ".")
    return meant if all(part.isidentifier() for part in meant.split(".")) else "package.module"


def _broken(name: str, error: Exception) -> InvalidDefinition:
    return InvalidDefinition(f"the module {name!r} can't be imported:\n{''.join(_shown(error)).rstrip()}")


def _shown(error: Exception) -> Iterator[str]:
    """A traceback that begins in the module."""
    told = traceback.TracebackException.from_exception(error)
    theirs = [frame for frame in told.stack if not frame.filename.startswith(_IMPORTING)]
    yield from traceback.StackSummary.from_list(theirs).format()
    yield from told.format_exception_only()
