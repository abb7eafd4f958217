"""``python -m tests.docs.reference SITE``: has the built site every public name of the queue app's doors?"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.docs.tables import PACKAGE, front_door, listed_side_doors


def public_names() -> Iterator[str]:
    """Yield the dotted name of whatever a project may import."""
    yield from re.findall(r"^::: ([\w.]+)$", front_door(), re.MULTILINE)
    for door in sorted(listed_side_doors()):
        place = PACKAGE.joinpath(*door.split("."))
        for path in sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]:
            module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
                ".__init__"
            )
            yield from (f"{module}.{name}" for name in names_in(path))


def names_in(path: Path) -> Iterator[str]:
    """Yield the public classes, functions and their methods that a module defines."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
            yield node.name
            inner = node.body if isinstance(node, ast.ClassDef) else []
            methods = (one.name for one in inner if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
            yield from (f"{node.name}.{method}" for method in methods if method[0] != "_")


def anchors(site: Path) -> set[str]:
    """Return the anchors of the reference's pages."""
    pages = (page.read_text(encoding="utf-8") for page in (site / "reference").glob("*.html"))
    return {anchor for page in pages for anchor in re.findall(r'id="(procrastinate_tasks\.[\w.]+)"', page)}


def main() -> None:
    """Say how many names there are, and end with those that the reference lacks."""
    wanted = set(public_names())
    missing = sorted(wanted - anchors(Path(sys.argv[1])))
    if missing:
        sys.exit("The reference lacks: " + ", ".join(missing))
    sys.stdout.write(f"The documentation is built; its reference has all {len(wanted)} public names.\n")


if __name__ == "__main__":
    main()
