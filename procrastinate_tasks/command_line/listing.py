"""The verb that lists jobs."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import replace

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from procrastinate_tasks.command_line.filtering import add_filter_arguments, read_choice
from procrastinate_tasks.command_line.output import ExitCode, Options, Output, Verb
from procrastinate_tasks.formatting import count_in_words
from procrastinate_tasks.jobs.descriptions import descriptions_of
from procrastinate_tasks.jobs.states import STATE_LABELS
from procrastinate_tasks.queries.jobs import SORTED_WITHIN, JobQuery, JobRow, list_in_order
from procrastinate_tasks.queries.ordering import SORTS, Sort

_LONGEST_ERROR = 60


def add_arguments(parser: ArgumentParser) -> None:
    add_filter_arguments(parser)
    parser.add_argument(
        "--sort", choices=[sort.value for sort in Sort], help="the order, as the headings of the job list"
    )
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (default: 50)")
    add_show_arguments(parser)


def add_show_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--show-arguments", action="store_true", help="also print the arguments of jobs")


def show_list(out: Output, options: Options) -> ExitCode:
    """List the jobs that match, by default the newest first; exit with 3 when none does."""
    query, limit = _in_order(read_choice(options).query, options["sort"]), max(options["limit"], 1)
    found, is_within = _first(query, limit + 1)
    rows, has_more = found[:limit], len(found) > limit
    if out.as_json:
        out.json_lines(json_of(row, with_arguments=options["show_arguments"]) for row in rows)
    elif rows:
        _write_table(out, rows, with_arguments=options["show_arguments"])
        if is_within:
            text = _("Only the newest %(count)s that match were put in this order.")
            out.line(text % {"count": count_in_words(SORTED_WITHIN)})
        if has_more:
            out.line(_("… there are more; --limit shows them."))
    else:
        out.line(_("No job matches."))
    return ExitCode.DONE if rows else ExitCode.NONE_MATCHED


def _in_order(query: JobQuery, wanted: str | None) -> JobQuery:
    """Put the query in an order.

    Raises:
        CommandError: jobs of this state have no such order.
    """
    known = [sort.value for pair in SORTS[query.tab].values() for sort in pair]
    if wanted and wanted not in known:
        text = _("Jobs of this state cannot be sorted by %(wanted)s: choose %(known)s.")
        values = {"wanted": wanted, "known": ", ".join(known)}
        raise CommandError(text % values, returncode=ExitCode.ERROR)
    return replace(query, sort=Sort(wanted)) if wanted else query


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


def _first(query: JobQuery, most: int) -> tuple[list[JobRow], bool]:
    """Return the first jobs in the order of the query, and whether only some that match were put in it."""
    found: list[JobRow] = []
    key, is_within, has_more = "", False, True
    while has_more and len(found) < most:
        page = list_in_order(query, key=key)
        found += page.rows
        key, is_within = page.next_key, is_within or page.is_within
        has_more = bool(key)
    return found[:most], is_within


VERBS = (
    Verb(
        name="list",
        summary="jobs: the newest first, or in the order of their turns; 3 when none matches",
        run=show_list,
        add_arguments=add_arguments,
        example="jobs list --state failed --period 24h --sort ended",
    ),
)
