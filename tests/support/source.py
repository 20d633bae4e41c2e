"""The project's own source, read for the rules of tests/unit/test_tidy.py."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Source:
    """One file: its text and, for Python, what it imports and calls."""

    path: Path

    @property
    def name(self) -> str:
        """The path from the project's root, with slashes."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        """The file's text; bytes that are none are replaced."""
        return self.path.read_text(errors="replace")

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text)

    def below(self, *folders: str) -> bool:
        """Whether it is one of these files, or in one of these folders (which end with a slash)."""
        return any(self.name == folder or (folder.endswith("/") and self.name.startswith(folder)) for folder in folders)

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """Line and dotted name of everything imported: `from a import b` is `a.b`."""
        return list(self._imports())

    @cached_property
    def names(self) -> list[tuple[int, str]]:
        """Line and dotted name of everything used, as written."""
        return [(node.lineno, ast.unparse(node)) for node in ast.walk(self.tree) if _is_name(node)]

    @cached_property
    def uses(self) -> list[tuple[int, str]]:
        """Line and full name of everything imported or used from an import; not a local variable of the same name."""
        resolved = [(line, self._resolve(name)) for line, name in self.names]
        return [*self.imports, *((line, name) for line, name in resolved if name)]

    @cached_property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """All functions and methods, nested ones too."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    def _imports(self) -> Iterator[tuple[int, str]]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)

    def _resolve(self, name: str) -> str | None:
        first, dot, rest = name.partition(".")
        return f"{self._aliases[first]}{dot}{rest}" if first in self._aliases else None

    @cached_property
    def _aliases(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                # `import a.b` binds `a`.
                for alias in node.names:
                    whole = alias.name if alias.asname else alias.name.partition(".")[0]
                    found[alias.asname or whole] = whole
            elif isinstance(node, ast.ImportFrom):
                found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        return found


def _is_name(node: ast.AST) -> TypeGuard[ast.Name | ast.Attribute]:
    """`a`, `a.b`, `a.b.c`; not `f().b`."""
    inner = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return isinstance(inner, ast.Name)


@cache
def files() -> tuple[Source, ...]:
    """Every file of the project: tracked ones, and new ones that are not ignored."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return tuple(Source(ROOT / name) for name in sorted(set(names)) if name and (ROOT / name).is_file())


@cache
def python() -> tuple[Source, ...]:
    """Every Python file."""
    return tuple(file for file in files() if file.name.endswith(".py"))
