"""Modules that users name, and what is in them: imported, or said to be missing or broken, with the lines to mend."""

import importlib
import sys
import traceback
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from sagas.errors import InvalidDefinition

T = TypeVar("T")

#: Our own packages. Whoever names one gets ours, wherever in the path a module of a user's is that has its name.
OWN = ("adapters", "chaos", "cli", "client", "orchestrator", "participants", "sagas")

_IMPORTING = (__file__, importlib.__file__, "<frozen importlib")  #: whose frames say nothing to the module's author


def imported(name: str) -> ModuleType:
    """The module; raises `InvalidDefinition` where it can't be imported, whatever keeps it from that."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise InvalidDefinition(f"{name!r} is not a module's name; write it like {_meant(name)!r}")
    if _is_hidden(name):
        raise InvalidDefinition(_hidden(name))
    try:
        return importlib.import_module(name)
    except InvalidDefinition:
        raise
    except ImportError as error:
        wanted = error.name or ""
        if _is_hidden(wanted):
            raise InvalidDefinition(_hidden(wanted)) from error
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{wanted}."):
            raise InvalidDefinition(_missing(name)) from error
        raise _broken(name, error) from error  # It is there; something that it imports is not.
    except Exception as error:
        raise _broken(name, error) from error


def named(reference: str, kind: type[T]) -> T:
    """What `module:attribute` names, of that kind; a module alone names the only one in it.

    Raises `InvalidDefinition` where there is no such thing.
    """
    module_name, colon, attribute = reference.partition(":")
    module = imported(module_name)
    if not colon:
        return _only(module, kind)
    found = getattr(module, attribute, None)
    if isinstance(found, kind):
        return found
    instead = _instead(module, attribute, kind)
    raise InvalidDefinition(f"{attribute!r} in module {module_name!r} is not a {kind.__name__}.{instead}")


def _only(module: ModuleType, kind: type[T]) -> T:
    there = {id(value): (name, value) for name, value in vars(module).items() if isinstance(value, kind)}
    match [*there.values()]:
        case []:
            raise InvalidDefinition(f"the module {module.__name__!r} has no {kind.__name__} at its top level")
        case [(_, value)]:
            return value
        case several:
            names = " or ".join(f"{module.__name__}:{name}" for name, _ in several[:5])
            raise InvalidDefinition(f"the module {module.__name__!r} has more than one: write {names}")


def _instead(module: ModuleType, attribute: str, kind: type) -> str:
    """What of that kind the module has under another name."""
    there = [name for name, value in vars(module).items() if isinstance(value, kind)]
    meant = there if len(there) == 1 else get_close_matches(attribute, there, n=1)
    return f" Did you mean {meant[0]!r}?" if meant else ""


def _is_hidden(name: str) -> bool:
    """Whether a module of a user's is not found because one of our packages has its name."""
    if name.partition(".")[0] not in OWN:
        return False
    module = name.replace(".", "/")
    files = (f"{module}.py", f"{module}/__init__.py")
    theirs = [Path(entry) for entry in sys.path if not (Path(entry) / "sagas/imports.py").is_file()]
    return any((folder / file).is_file() for folder in theirs for file in files)


def _hidden(name: str) -> str:
    own = name.partition(".")[0]
    return (
        f"your own module {name!r} can't be found, because {own!r} is the name of one of the saga service's packages: "
        f"{', '.join(OWN)}. Give your folder or file another name, like 'my_{own}'"
    )


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
