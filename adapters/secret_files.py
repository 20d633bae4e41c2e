"""What holds a password may stand in a file: `SAGA_MONGO_URL_FILE` names one instead of `SAGA_MONGO_URL`.

An environment is shown to whoever may look at a process or a container; a file has an owner and a mode.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def secret(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The variable's value, else what the file holds that `{name}_FILE` names, else None.

    Raises `ValueError` for a file that can't be read.
    """
    if value := environ.get(name):
        return value
    file = environ.get(f"{name}_FILE")
    return _read(Path(file), name) if file else None


def with_files(given: Any, *names: str) -> Any:
    """What a settings class is given; each of the fields is read from the file that `{name}_file` names.

    A value that is given itself comes first. Raises `ValueError` for a file that can't be read.
    """
    files = {name: given.get(f"{name}_file") for name in names if not given.get(name)}
    return {**given, **{name: _read(Path(file), f"SAGA_{name.upper()}") for name, file in files.items() if file}}


def _read(file: Path, name: str) -> str:
    try:
        found = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ValueError(f"{name}_FILE: {file} can't be read: {why}") from None
    if not found:
        raise ValueError(f"{name}_FILE: {file} is empty")
    return found
