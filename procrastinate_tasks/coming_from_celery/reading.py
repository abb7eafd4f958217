"""Finds the uses of Celery in one parsed file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from procrastinate_tasks.coming_from_celery.modules import APP, Module, Names, import_origin

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CALLING = {"delay", "apply_async", "delay_on_commit", "apply_async_on_commit"}
_SIGNING = {"s", "si", "signature", "subtask"}
_SPREADING = {"chunks", "map", "starmap"}
_OF_A_TASK = {
    *("retry", "request", "update_state", "replace", "max_retries", "default_retry_delay", "backend"),
    *("on_failure", "on_success", "on_retry", "after_return", "before_start", "request_stack"),
}
_TASK_DECORATORS = {"celery.shared_task", f"{APP}.task", "celery.task", "celery.task.task"}
_TASK_BASES = {"celery.Task", f"{APP}.Task", "celery.task.Task", "celery.contrib.abortable.AbortableTask"}
_SETTING = re.compile(r"[A-Z0-9_]*CELERY[A-Z0-9_]*_[A-Z0-9_]+|BROKER_URL")
_PACKAGE = re.compile(r"((?:django_|dj)?celery\w*|kombu|billiard)(?:[.:][\w.:]*)?")
_DOTTED = re.compile(r"\w{1,100}(?:\.\w{1,100}){1,20}")
_OLD_SETTINGS = {
    "celeryd_concurrency": "worker_concurrency",
    "celeryd_max_tasks_per_child": "worker_max_tasks_per_child",
    "celeryd_prefetch_multiplier": "worker_prefetch_multiplier",
    "celeryd_hijack_root_logger": "worker_hijack_root_logger",
    "celeryd_task_time_limit": "task_time_limit",
    "celeryd_task_soft_time_limit": "task_soft_time_limit",
    "celerybeat_schedule": "beat_schedule",
    "celerybeat_scheduler": "beat_scheduler",
    "always_eager": "task_always_eager",
    "eager_propagates_exceptions": "task_eager_propagates",
    "task_result_expires": "result_expires",
    "acks_late": "task_acks_late",
    "ignore_result": "task_ignore_result",
    "default_queue": "task_default_queue",
    "create_missing_queues": "task_create_missing_queues",
    "routes": "task_routes",
    "queues": "task_queues",
    "disable_rate_limits": "worker_disable_rate_limits",
    "track_started": "task_track_started",
    "redirect_stdouts": "worker_redirect_stdouts",
    "send_task_error_emails": "task_send_error_emails",
}  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """One use of Celery: where it stands, what it is by the table's keys, and how it is written."""

    path: str
    line: int
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Declared:
    """What the whole project declares: the names of its tasks, and of its classes of tasks."""

    tasks: frozenset[str]
    classes: frozenset[str]


def find_declared(modules: list[Module], names: Names) -> Declared:
    """Collect the tasks of all files; a class of tasks may inherit from another of the project's."""
    tasks: set[str] = set()
    classes: set[str] = set()
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _task_decorators(
                node, module, names
            ):
                tasks.add(node.name)
    while found := {
        node.name
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        and node.name not in classes
        and _is_task_class(node, module, names, classes)
    }:
        classes |= found
    return Declared(frozenset(tasks | classes), frozenset(classes))


def _task_decorators(
    node: ast.FunctionDef | ast.AsyncFunctionDef, module: Module, names: Names
) -> list[ast.expr]:
    return [one for one in node.decorator_list if names.of_celery(module, _called(one)) in _TASK_DECORATORS]


def _called(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _is_task_class(node: ast.ClassDef, module: Module, names: Names, known: set[str]) -> bool:
    return any(
        names.of_celery(module, base) in _TASK_BASES or _last_name(base) in known for base in node.bases
    )


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def setting_key(name: str) -> str:
    """Return the key of a setting, whether it is written in Celery's old or new way."""
    name = name.lstrip("_").lower()
    plain = name.removeprefix("celery_")
    return f"setting.{_OLD_SETTINGS.get(name) or _OLD_SETTINGS.get(plain) or plain}"


def find_uses(module: Module, names: Names, declared: Declared) -> list[Use]:
    """Return the file's uses of Celery in their order, each once."""
    reader = _Reader(module, names, declared)
    reader.visit(module.tree)
    return sorted(reader.uses)


class _Reader(ast.NodeVisitor):
    def __init__(self, module: Module, names: Names, declared: Declared) -> None:
        self.uses: set[Use] = set()
        self._module, self._names, self._declared = module, names, declared
        self._selves: list[str] = []
        self._docstrings = set(_docstrings(module.tree))

    def _note(self, node: ast.AST, key: str) -> None:
        where = "end_lineno" if isinstance(node, ast.Attribute) else "lineno"
        text = ast.unparse(node).partition("\n")[0]
        self.uses.add(Use(self._module.path, getattr(node, where, 1), key.replace(APP, "app"), text[:120]))

    # --- imports ---

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if self._names.imported(alias.name):
                self._note(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        origin = import_origin(self._module, node)
        for alias in node.names:
            meaning = self._names.imported(f"{origin}.{alias.name}")
            if meaning in _TASK_DECORATORS:
                self._note(node, "task")
            elif meaning:
                self._note(node, meaning)

    # --- tasks ---

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._visit_text(node, node.name)
        decorators = _task_decorators(node, self._module, self._names)
        options = {option.arg: option.value for one in decorators for option in getattr(one, "keywords", [])}
        bound = "bind" in options and node.args.args
        self._selves.append(node.args.args[0].arg if bound else self._selves[-1] if self._selves else "")
        self.generic_visit(node)
        self._selves.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if node.name not in self._declared.classes:
            self.generic_visit(node)
            return
        self._note_line(node, "task.class", f"class {node.name}")
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and method.name in _OF_A_TASK:
                self._note_line(method, f"bound.{method.name}", f"def {method.name}")
        self._selves.append("self")
        self.generic_visit(node)
        self._selves.pop()

    def _note_line(self, node: ast.stmt, key: str, text: str) -> None:
        self.uses.add(Use(self._module.path, node.lineno, key, text))

    # --- calls and names ---

    def visit_Call(self, node: ast.Call) -> None:
        meaning = self._names.of_celery(self._module, node.func)
        if meaning in _TASK_DECORATORS:
            self._note(node.func, "task")
            self._note_keywords(node, "task")
        elif meaning == f"{APP}.conf.update":
            self._note(node.func, f"{APP}.conf")
            for option in node.keywords:
                self._note(option.value, setting_key(option.arg or "other"))
        elif isinstance(node.func, ast.Attribute) and node.func.attr.startswith("apply_async"):
            self._note_keywords(node, "call")
        for option in node.keywords:
            self._visit_text(option.value, option.arg or "")
        self.generic_visit(node)

    def _note_keywords(self, node: ast.Call, kind: str) -> None:
        for option in node.keywords:
            self._note(option, f"{kind}.{option.arg or 'other'}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        meaning = self._names.of_celery(self._module, node)
        if meaning:
            self._note(node, "task" if meaning in _TASK_DECORATORS else meaning)
            return
        if key := self._key_of_attribute(node):
            self._note(node, key)
        self._visit_text(node, node.attr)
        self.generic_visit(node)

    def _key_of_attribute(self, node: ast.Attribute) -> str | None:
        owner, name = _last_name(_called(node.value)), node.attr
        if name in _CALLING:
            return f"call.{name}"
        if name in _OF_A_TASK and owner and self._selves and owner == self._selves[-1]:
            return f"bound.{name}"
        if owner not in self._declared.tasks:
            return None
        if name in _SIGNING:
            return "canvas.signature"
        if name in _SPREADING:
            return f"canvas.{name}"
        return {"apply": "call.apply", "retry": "bound.retry", "AsyncResult": "celery.result"}.get(name)

    def visit_Name(self, node: ast.Name) -> None:
        meaning = self._names.of_celery(self._module, node)
        if meaning:
            self._note(node, "task" if meaning in _TASK_DECORATORS else meaning)
        self._visit_text(node, node.id)

    # --- settings ---

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._visit_setting(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._visit_setting(node.target, node.value)
        self.generic_visit(node)

    def _visit_setting(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
            name = str(target.slice.value) if self._is_conf(target.value) else ""
        elif isinstance(target, ast.Attribute) and self._is_conf(target.value):
            name = target.attr
        else:
            name = _last_name(target) if _SETTING.fullmatch(_last_name(target)) else ""
        if not name:
            return
        self._note(target, setting_key(name))
        if setting_key(name) == "setting.beat_schedule":
            self._visit_schedule(value)

    def _is_conf(self, node: ast.expr) -> bool:
        return self._names.of_celery(self._module, node) == f"{APP}.conf"

    def _visit_schedule(self, value: ast.expr) -> None:
        for name, entry in _items(value):
            self._note(name, "schedule.entry")
            parts = {part.value: worth for part, worth in _items(entry) if isinstance(part, ast.Constant)}
            when = parts.get("schedule")
            if when is not None and not self._names.of_celery(self._module, _called(when)):
                self._note(when, "schedule.interval")
            if "options" in parts:
                self._note(parts["options"], "schedule.options")

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and node not in self._docstrings:
            self._visit_text(node, node.value)
            if key := self._key_of_string(node.value):
                self._note(node, key)

    def _key_of_string(self, text: str) -> str | None:
        """Return what a string names: a package of Celery's, or what a test puts a mock in the place of."""
        if package := _PACKAGE.fullmatch(text):
            return f"package.{package[1]}"
        if not _DOTTED.fullmatch(text):
            return None
        of_celery = self._names.imported(text)
        return "test.mock" if text.rpartition(".")[2] in _CALLING or of_celery else None

    def _visit_text(self, node: ast.AST, text: str) -> None:
        if _SETTING.fullmatch(text):
            key = setting_key(text)
            line = getattr(node, "lineno", 1)
            shown = "test.eager" if key == "setting.task_always_eager" else key
            self.uses.add(Use(self._module.path, line, shown, text))


def _items(node: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield the keys and values of a dict that is written out."""
    if isinstance(node, ast.Dict):
        yield from (
            (key, value) for key, value in zip(node.keys, node.values, strict=True) if key is not None
        )


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
