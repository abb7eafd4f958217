"""Looks through a whole project: every use of Celery, and the files that could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from procrastinate_tasks.coming_from_celery.counterparts import Counterpart, Fit, counterpart_of
from procrastinate_tasks.coming_from_celery.modules import Module, Names, Unreadable, find_files, parse_file
from procrastinate_tasks.coming_from_celery.other_files import find_lines, find_lines_of_code, is_looked_at
from procrastinate_tasks.coming_from_celery.reading import Use, find_declared, find_uses


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found in a project."""

    uses: tuple[Use, ...]
    unreadable: tuple[Unreadable, ...]
    files: int

    def by_counterpart(self, fit: Fit) -> dict[Counterpart, list[Use]]:
        """Return the uses that fit so, by the row of the table, the most frequent first."""
        groups: dict[Counterpart, list[Use]] = {}
        for use in self.uses:
            row = counterpart_of(use.key)
            if row.fit is fit:
                groups.setdefault(row, []).append(use)
        return dict(sorted(groups.items(), key=lambda group: -len(group[1])))

    def count(self, fit: Fit) -> int:
        return sum(counterpart_of(use.key).fit is fit for use in self.uses)


def look_through(root: Path) -> Survey:
    """Read all files of a project; nothing of it is imported or run."""
    modules: list[Module] = []
    unreadable: list[Unreadable] = []
    uses: list[Use] = []
    paths = [path for path in find_files(root) if path.suffix == ".py" or is_looked_at(path)]
    for path in paths:
        shown = str(path.relative_to(root)) if root.is_dir() else path.name
        try:
            if path.suffix == ".py":
                modules.append(parse_file(path, shown=shown))
            else:
                uses += find_lines(path, shown=shown)
        except Unreadable as problem:
            unreadable.append(problem)
            uses += find_lines_of_code(path, shown=shown)
    names = Names(modules)
    declared = find_declared(modules, names)
    for module in modules:
        uses += find_uses(module, names, declared)
    return Survey(tuple(sorted(set(uses))), tuple(unreadable), len(paths))
