"""The files of a project, and what each name in them stands for, without importing any of them."""

from __future__ import annotations

import ast
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

LARGEST_FILE = 2_000_000
_DEEPEST_ALIAS = 20
_PASSED_OVER = {"node_modules", "site-packages", "__pycache__"}
_CELERYS = {"celery", "kombu", "billiard", "vine", "flower", "celery_once", "djcelery"}

# What a project's ``Celery(...)`` is called here, however the project calls it.
APP = "<app>"
_SHORT_NAMES = {
    "celery.app.task.Task": "celery.Task",
    "celery.app.base.Celery": "celery.Celery",
    "celery.app.shared_task": "celery.shared_task",
    "celery.app.app_or_default": APP,
    "celery.current_app": APP,
}


class Unreadable(Exception):
    """A file whose code Python itself would not take."""

    def __init__(self, *, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


@dataclass(slots=True)
class Module:
    """A parsed file; ``bound`` says what its imports, assignments and functions bind each name to."""

    path: str
    dotted: str
    tree: ast.Module
    bound: dict[str, str] = field(default_factory=dict)
    returns: dict[str, ast.expr] = field(default_factory=dict)
    assigned: dict[str, ast.expr] = field(default_factory=dict)


def find_files(root: Path) -> Iterator[Path]:
    """Yield the files below a folder in their order; environments, caches and hidden folders are left out."""
    if root.is_file():
        yield root
        return
    for folder, names, files in os.walk(root):
        here = Path(folder)
        names[:] = sorted(name for name in names if _is_the_projects(here / name))
        yield from (here / name for name in sorted(files) if (here / name).is_file())


def _is_the_projects(folder: Path) -> bool:
    hidden = folder.name.startswith(".")
    return not hidden and folder.name not in _PASSED_OVER and not (folder / "pyvenv.cfg").exists()


def parse_file(path: Path, *, shown: str) -> Module:
    """Parse one Python file.

    Raises:
        Unreadable: with the reason.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise Unreadable(path=shown, reason=f"larger than {LARGEST_FILE:,} bytes")
        tree = ast.parse(path.read_bytes(), filename=str(path))
        module = Module(path=shown, dotted=_dotted(Path(shown)), tree=tree)
        _bind_names(module)
    except (SyntaxError, ValueError, OSError, RecursionError, MemoryError) as error:
        raise Unreadable(path=shown, reason=f"{type(error).__name__}: {error}") from error
    return module


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _bind_names(module: Module) -> None:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                module.bound[bound] = alias.name if alias.asname else bound
        elif isinstance(node, ast.ImportFrom):
            origin = import_origin(module, node)
            module.bound.update(
                {alias.asname or alias.name: f"{origin}.{alias.name}" for alias in node.names}
            )
        elif isinstance(node, ast.FunctionDef):
            _bind_in_function(module, node)
    for name, value in _assignments(module.tree):
        module.assigned[name] = value


def _bind_in_function(module: Module, function: ast.FunctionDef) -> None:
    """Keep what a function makes by a call, as ``Celery(...)``, and what it returns."""
    made = {name: value for name, value in _assignments(function) if isinstance(value, ast.Call)}
    module.assigned.update(made)
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            module.returns[function.name] = made.get(getattr(node.value, "id", ""), node.value)


def _assignments(scope: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a module or function assigns itself, also below ``if`` and ``try``."""
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
        elif not isinstance(node, ast.expr | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _assignments(node)


def import_origin(module: Module, node: ast.ImportFrom) -> str:
    """Return the module of ``from … import``, dots resolved."""
    if not node.level:
        return node.module or ""
    parts = module.dotted.split(".")
    is_package = module.path.endswith("__init__.py")
    parents = parts[: len(parts) - node.level + is_package]
    return ".".join([*parents, node.module] if node.module else parents)


class Names:
    """Follows a name of the project to what it is of Celery's: ``celery.chain``, ``app``, ``app.control``."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self._by_suffix: dict[str, list[Module]] = defaultdict(list)
        for module in modules:
            parts = module.dotted.split(".")
            for start in range(len(parts)):
                self._by_suffix[".".join(parts[start:])].append(module)

    def of_celery(self, module: Module, node: ast.expr) -> str | None:
        """Return what an expression is of Celery's; None for everything else."""
        return _if_celerys(self._meaning(module, node, 0))

    def imported(self, dotted: str) -> str | None:
        """Return what an imported name is of Celery's, also through the project's own modules."""
        meaning = self._follow(dotted, 0)
        if meaning is None and "celery" in dotted.split(".") and self._split(dotted)[0] is None:
            return f"integration.{dotted}"
        return _if_celerys(meaning)

    def _meaning(self, module: Module, node: ast.expr, depth: int) -> str | None:
        """Return what an expression stands for: something of Celery's, or a module of the project."""
        if depth > _DEEPEST_ALIAS:
            return None
        if isinstance(node, ast.Attribute):
            whole = self._meaning(module, node.value, depth + 1)
            return self._follow(f"{whole}.{node.attr}", depth + 1) if whole else None
        if isinstance(node, ast.Name):
            return self._in_module(module, node.id, depth + 1)
        return self._made_by(module, node, depth) if isinstance(node, ast.Call) else None

    def _follow(self, dotted: str, depth: int) -> str | None:
        if _if_celerys(dotted):
            return _shortened(dotted)
        home, rest = self._split(dotted)
        if home is None or depth > _DEEPEST_ALIAS:
            return None
        return self._in_module(home, rest, depth + 1) if rest else dotted

    def _in_module(self, module: Module, dotted: str, depth: int) -> str | None:
        first, _, rest = dotted.partition(".")
        found = None
        if first in module.bound:
            found = self._follow(module.bound[first], depth + 1)
        elif first in module.assigned:
            found = self._meaning(module, module.assigned[first], depth + 1)
        return self._follow(f"{found}.{rest}", depth + 1) if found and rest else found

    def _made_by(self, module: Module, node: ast.Call, depth: int) -> str | None:
        """Return ``<app>`` for ``Celery(...)``, and for a function of the project that returns one."""
        called = self._meaning(module, node.func, depth + 1)
        if called == "celery.Celery":
            return APP
        if isinstance(node.func, ast.Name) and node.func.id in module.returns:
            found = self._meaning(module, module.returns[node.func.id], depth + 1)
            return found if found == APP else None
        return None

    def _split(self, dotted: str) -> tuple[Module | None, str]:
        """Return the project's module that a dotted name begins with, and the rest of it."""
        parts = dotted.split(".")
        for length in range(len(parts), 0, -1):
            homes = self._by_suffix.get(".".join(parts[:length]))
            if homes:
                return min(homes, key=lambda home: len(home.dotted)), ".".join(parts[length:])
        return None, ""


def _if_celerys(dotted: str | None) -> str | None:
    first = (dotted or "").partition(".")[0]
    return dotted if first == APP or first in _CELERYS or first.startswith("django_celery") else None


def _shortened(dotted: str) -> str:
    """Return a name of Celery's as its users know it: ``celery.app.task.Task`` is ``celery.Task``."""
    for long, short in _SHORT_NAMES.items():
        if dotted == long or dotted.startswith(f"{long}."):
            return short + dotted.removeprefix(long)
    return dotted
