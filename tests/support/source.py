"""The project's own source, read for the rules of tests/unit/test_tidy.py."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

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
    def dotted(self) -> list[tuple[int, str]]:
        """Line and dotted name of everything used or imported, aliases of imports resolved: `dt.now` is `datetime.datetime.now`."""
        uses = [(node.lineno, self._resolve(ast.unparse(node))) for node in ast.walk(self.tree) if _is_name(node)]
        return [*self.imports, *uses]

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

    def _resolve(self, name: str) -> str:
        first, dot, rest = name.partition(".")
        return f"{self._aliases.get(first, first)}{dot}{rest}"

    @cached_property
    def _aliases(self) -> dict[str, str]:
        found = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.asname: alias.name for alias in node.names if alias.asname}
            elif isinstance(node, ast.ImportFrom):
                found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        return found


def _is_name(node: ast.AST) -> bool:
    """`a`, `a.b`, `a.b.c`; not `f().b`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


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
