"""Rules that every Python file of the project keeps."""

from __future__ import annotations

import ast
import sys

from tests.architecture.source import all_python_files, imported_modules, parse, place, product_files

LONGEST_FUNCTION = 50
LONGEST_FILE = 400

# manage.py and wsgi.py name the settings module there; everything else is settings.py's to read.
READERS_OF_THE_ENVIRONMENT = {
    *("settings.py", "wsgi.py", "reloading.py", "runserver_with_worker.py"),
    "process_parts.py",  # to put it back, whatever it says
}
SIGNAL_MODULES = ("django.dispatch", "django.db.models.signals")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_no_function_imports_anything():
    offenders = {
        place(path, statement)
        for path in all_python_files()
        for function in ast.walk(parse(path))
        if isinstance(function, Function)
        for statement, _ in imported_modules(function)
    }

    assert offenders == set()


def test_packages_have_empty_init_files():
    # Django imports the first two alone, so they have to import their modules; the third is the front door.
    offenders = [
        path
        for path in all_python_files()
        if path.name == "__init__.py"
        and path.parent.name not in {"admin", "models", "procrastinate_tasks"}
        and path.read_text().strip()
    ]

    assert offenders == []


def test_policies_import_the_standard_library_only():
    offenders = [
        f"{place(path, statement)} imports {module}"
        for path in product_files()
        if path.name.endswith("policies.py")
        for statement, module in imported_modules(parse(path))
        if module.partition(".")[0] not in sys.stdlib_module_names
    ]

    assert offenders == []


def test_only_the_settings_read_the_environment():
    offenders = [
        place(path, node)
        for path in product_files()
        if path.name not in READERS_OF_THE_ENVIRONMENT
        for node in _reads_of_the_environment(parse(path))
    ]

    assert offenders == []


def _reads_of_the_environment(tree: ast.Module) -> list[ast.Attribute]:
    """Return where the environment is named, but for where a variable is set for libraries to find."""
    written = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
    }
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and id(node) not in written
        if ast.unparse(node) in {"os.environ", "os.getenv", "environ.Env"}
    ]


def test_apps_do_not_speak_through_signals():
    offenders = [
        place(path, statement)
        for path in product_files()
        for statement, module in imported_modules(parse(path))
        if module.startswith(SIGNAL_MODULES)
    ]

    assert offenders == []


def test_functions_stay_short():
    offenders = [
        f"{place(path, function)} {function.name}"
        for path in product_files()
        for function in ast.walk(parse(path))
        if isinstance(function, Function) and _lines_of_code(function) > LONGEST_FUNCTION
    ]

    assert offenders == []


def _lines_of_code(function: Function) -> int:
    """Count the lines of a function, its docstring left out."""
    documented = function.body[0] if ast.get_docstring(function) else None
    docstring_lines = (documented.end_lineno or 0) - documented.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring_lines


def test_files_stay_short():
    offenders = [path for path in product_files() if len(path.read_text().splitlines()) > LONGEST_FILE]

    assert offenders == []
