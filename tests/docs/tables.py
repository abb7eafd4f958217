"""What the queue app's pages say because the code says it. ``python -m tests.docs.tables`` writes it.

Each such part stands between ``<!-- its name -->`` and ``<!-- end of … -->``, or is a page of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import procrastinate_tasks
from procrastinate_tasks.coming_from_celery.counterparts import SECTIONS
from tests.docs.document import ROOT

PAGES = ROOT / "docs" / "queue"
PACKAGE = Path(procrastinate_tasks.__file__).parent


def table_of_counterparts() -> str:
    """Return the command's table as Markdown."""
    parts = []
    for title, rows in SECTIONS.items():
        lines = [f"| {_cell(row.celery)} | {row.fit.value} | {_cell(row.here)} |" for row in rows]
        parts.append("\n".join([f"### {title}\n", "| Celery | | here |", "|---|---|---|", *lines]))
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def front_door() -> str:
    """Return the reference of the front door's names, by what they are for, in the order of their table."""
    source = (PACKAGE / "__init__.py").read_text()
    table = source[source.index("_HOMES = {") :].partition("\n}")[0]
    parts = [
        "# The front door",
        "`from procrastinate_tasks import …`: each name is loaded when it is first asked for.",
    ]
    for comment, name, home in re.findall(r'^    (?:# (.+)|"(\w+)": "([\w.]+)",)$', table, re.MULTILINE):
        heading = f"## {comment.partition(':')[0].capitalize()}"
        parts.append(heading if comment else f"::: procrastinate_tasks.{home}.{name}")
    return "\n\n".join(parts) + "\n"


def side_doors(doors: set[str]) -> str:
    """Return the reference of the side doors: every public name of each module."""
    head = (
        "# The side doors\n\nWhat fewer projects need, by the module to import it from. "
        "The other modules move without notice."
    )
    return "\n\n".join([head, *map(_side_door, sorted(doors))]) + "\n"


def _side_door(door: str) -> str:
    is_package = PACKAGE.joinpath(*door.split(".")).is_dir()
    return f"::: procrastinate_tasks.{door}" + (
        "\n    options:\n      show_submodules: true" if is_package else ""
    )


def written(text: str, name: str, content: str) -> str:
    """Return a page's text with the named part replaced."""
    begin, end = f"<!-- {name} -->", "<!-- end of the table -->"
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n\n{content}\n\n{end}{rest.partition(end)[2]}"


def generated() -> Iterator[tuple[Path, str]]:
    """Yield each page that has something of the code's, with the text that it must have."""
    from_celery = PAGES / "guides" / "from-celery.md"
    yield from_celery, written(from_celery.read_text(), "table of counterparts", table_of_counterparts())
    yield PAGES / "reference" / "front-door.md", front_door()
    yield PAGES / "reference" / "side-doors.md", side_doors(listed_side_doors())


def listed_side_doors() -> set[str]:
    """Return the modules that the README names for a project's own use."""
    source = (ROOT / "tests" / "architecture" / "test_doors.py").read_text()
    (listed,) = re.findall(r"^SIDE_DOORS = \{(.*?)^\}", source, re.MULTILINE | re.DOTALL)
    return set(re.findall(r'"([\w.]+)"', listed))


if __name__ == "__main__":
    for path, text in generated():
        path.write_text(text)
