"""The verb that lists jobs."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from procrastinate_tasks.command_line.filtering import add_filter_arguments, read_choice
from procrastinate_tasks.command_line.output import ExitCode, Options, Output, Verb
from procrastinate_tasks.jobs.descriptions import descriptions_of
from procrastinate_tasks.jobs.states import STATE_LABELS
from procrastinate_tasks.queries.jobs import JobQuery, JobRow, list_in_order

_LONGEST_ERROR = 60


def add_arguments(parser: ArgumentParser) -> None:
    add_filter_arguments(parser)
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (default: 50)")
    add_show_arguments(parser)


def add_show_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--show-arguments", action="store_true", help="also print the arguments of jobs")


def show_list(out: Output, options: Options) -> ExitCode:
    """List the newest jobs that match; exit with 3 when none does."""
    query, limit = read_choice(options).query, max(options["limit"], 1)
    found = list(_first(query, limit + 1))
    rows, has_more = found[:limit], len(found) > limit
    if out.as_json:
        out.json_lines(json_of(row, with_arguments=options["show_arguments"]) for row in rows)
    elif rows:
        _write_table(out, rows, with_arguments=options["show_arguments"])
        if has_more:
            out.line(_("… there are more; --limit shows them."))
    else:
        out.line(_("No job matches."))
    return ExitCode.DONE if rows else ExitCode.NONE_MATCHED


def json_of(row: JobRow, *, with_arguments: bool) -> dict[str, object]:
    """Return what scripts get of a job."""
    facts: dict[str, object] = {
        "id": row.id,
        "task": row.task_name,
        "queue": row.queue_name,
        "state": row.state.value,
        "attempts": row.attempts,
        "scheduled_at": row.scheduled_at,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "changed_at": row.changed_at,
        "last_outcome": row.last_outcome,
        "last_exception": row.last_exception,
        "last_message": row.last_message,
    }
    return facts | {"arguments": row.args} if with_arguments else facts


def _write_table(out: Output, rows: Sequence[JobRow], *, with_arguments: bool) -> None:
    descriptions = descriptions_of(rows)
    headings = [
        _("JOB"),
        _("STATE"),
        _("WHAT"),
        _("QUEUE"),
        _("ATTEMPTS"),
        _("CHANGED"),
        _("DUE"),
        _("ERROR"),
    ]
    table: list[list[object]] = [
        [
            row.id,
            STATE_LABELS[row.state],
            descriptions[row.id].sentence,
            row.queue_name,
            row.attempts,
            row.changed_at,
            row.scheduled_at if row.status == "todo" else None,
            error_of(row),
        ]
        for row in rows
    ]
    if with_arguments:
        headings.append(_("ARGUMENTS"))
        for line, row in zip(table, rows, strict=True):
            line.append(row.args)
    out.table(headings, table)


def error_of(row: JobRow) -> str:
    """Return the last error's name and the beginning of its message."""
    name = row.last_exception.rpartition(".")[2]
    text = f"{name}: {row.last_message}" if row.last_message else name
    return text if len(text) <= _LONGEST_ERROR else f"{text[: _LONGEST_ERROR - 1]}…"


def _first(query: JobQuery, most: int) -> Iterator[JobRow]:
    """Yield the first jobs in the order of the query, a page at a time."""
    key = ""
    while most > 0:
        page = list_in_order(query, key=key)
        yield from page.rows[:most]
        most -= len(page.rows)
        key = page.next_key
        if not key:
            return


VERBS = (
    Verb(
        name="list",
        summary="jobs: the newest first, or in the order of their turns; 3 when none matches",
        run=show_list,
        add_arguments=add_arguments,
        example="jobs list --state failed --period 24h",
    ),
)
