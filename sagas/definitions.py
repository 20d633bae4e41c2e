"""The registry of definitions that a service knows: every saga, in every version that may still be in flight."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sagas.checks import endpoints
from sagas.contracts import AnyEndpoint
from sagas.definition import Saga
from sagas.errors import InvalidDefinition
from sagas.imports import imported, named
from sagas.schemas import same_messages


class UnknownSaga(LookupError):
    """Nobody registered a saga of that name. The message lists the known ones."""


class Definitions:
    """Sagas by name and version. Old versions stay: a running saga goes on with the one it began with."""

    def __init__(self, sagas: Iterable[Saga]) -> None:
        """Raises `InvalidDefinition` if two sagas share name and version, or different messages share a type."""
        self._sagas: dict[str, dict[int, Saga]] = {}
        problems = [problem for saga in dict.fromkeys(sagas) if (problem := self._add(saga))]
        if problems := [*problems, *_message_problems(self), *_start_problems(self.starting_on)]:
            raise InvalidDefinition(problems)

    @classmethod
    def load(cls, modules: str) -> "Definitions":
        """Every saga at module level in the modules, given as `"package.module,other.module"`.

        `module:attribute` is that saga alone.
        """
        names = [name for name in re.split(r"[,\s]+", modules) if name]
        if not names:
            raise InvalidDefinition("no module with sagas is given; write them like 'package.module,other.module'")
        return cls(saga for name in names for saga in _sagas_in(name))

    def latest(self, name: str) -> Saga:
        """The newest version, with which new sagas start; raises `UnknownSaga`."""
        versions = self._sagas.get(name)
        if versions is None:
            raise UnknownSaga(f"there is no saga {name!r}; known: {', '.join(self.names) or 'none'}")
        return versions[max(versions)]

    def get(self, name: str, version: int) -> Saga | None:
        """This very version, `None` if it isn't known here."""
        return self._sagas.get(name, {}).get(version)

    @property
    def names(self) -> tuple[str, ...]:
        """The known names, sorted."""
        return tuple(sorted(self._sagas))

    @property
    def starting_on(self) -> Mapping[str, Sequence[Saga]]:
        """By stream: the sagas that an event there starts, as their newest versions say."""
        found: dict[str, list[Saga]] = {}
        for saga in map(self.latest, self.names):
            if saga.starts_on is not None:
                found.setdefault(saga.starts_on.stream, []).append(saga)
        return found

    def __iter__(self) -> Iterator[Saga]:
        """Every version of every saga, by name and version."""
        for name in self.names:
            yield from (saga for _, saga in sorted(self._sagas[name].items()))

    def __len__(self) -> int:
        return sum(map(len, self._sagas.values()))

    def _add(self, saga: Saga) -> str | None:
        versions = self._sagas.setdefault(saga.name, {})
        if saga.version in versions:
            return f"{saga.name}: two sagas are called version {saga.version}; give the changed one a new version="
        versions[saga.version] = saga
        return None


def _sagas_in(name: str) -> list[Saga]:
    if ":" in name:
        return [named(name, Saga)]
    found = [value for value in vars(imported(name)).values() if isinstance(value, Saga)]
    if not found:
        raise InvalidDefinition(f"the module {name!r} has no saga: write one at its top level, `order = Saga(...)`")
    return found


def _message_problems(sagas: Iterable[Saga]) -> Iterator[str]:
    first: dict[str, tuple[Saga, AnyEndpoint]] = {}
    for saga in sagas:
        for endpoint in endpoints(saga.nodes):
            other, seen = first.setdefault(endpoint.type, (saga, endpoint))
            if not same_messages(seen, endpoint):
                yield (
                    f"{other.name} version {other.version} and {saga.name} version {saga.version} mean different "
                    f"messages by {endpoint.type}; leave the one in use as it is, and give the other endpoint another "
                    f"name=, such as '{endpoint.name}-2'"
                )


def _start_problems(starting_on: Mapping[str, Sequence[Saga]]) -> Iterator[str]:
    for stream, sagas in starting_on.items():
        if len({saga.starts_on.start for saga in sagas if saga.starts_on is not None}) > 1:
            names = " and ".join(saga.name for saga in sagas)
            yield f"{names} start on the stream {stream!r}, which is read once: give their events the same start="
