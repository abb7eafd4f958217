"""What a verb of ``manage.py jobs`` is."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from procrastinate_tasks.command_line.exit_codes import ExitCode
from procrastinate_tasks.command_line.output import Output

Options = Mapping[str, Any]


def add_nothing(parser: ArgumentParser) -> None:
    """Take no argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb: its name, what its help says, its arguments, and what it does."""

    name: str
    summary: str
    run: Callable[[Output, Options], ExitCode]
    add_arguments: Callable[[ArgumentParser], None] = add_nothing
    example: str = ""
