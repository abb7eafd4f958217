"""The verb that lists what people did."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

from django.utils.translation import gettext as _

from procrastinate_tasks.actions import audit
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import ACTION_LABELS
from procrastinate_tasks.command_line.output import ExitCode, Options, Output, Verb
from procrastinate_tasks.models import ActionOutcome, AuditEntry

_NAMES = (
    "id",
    "at",
    "actor",
    "user_id",
    "channel",
    "action",
    "target_type",
    "target_id",
    "task_name",
    "reason",
)
_NAMES_OF_RESULT = ("outcome", "refusal", "detail", "group", "request_id")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--by", metavar="NAME", help="what this person did")
    parser.add_argument("--action", choices=[action.value for action in Action])
    parser.add_argument("--target", metavar="ID", help="a job's number, or the name of a queue or schedule")
    parser.add_argument("--outcome", choices=list(ActionOutcome.values))
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (default: 50)")


def show_audit(out: Output, options: Options) -> ExitCode:
    """List the latest entries, the latest first; exit with 3 when there is none."""
    entries = _find(options)
    if out.as_json:
        out.json_lines(_json_of(entry) for entry in entries)
    elif entries:
        _write_table(out, entries)
    else:
        out.line(_("Nobody did anything of the kind."))
    return ExitCode.DONE if entries else ExitCode.NONE_MATCHED


def _find(options: Options) -> list[AuditEntry]:
    wanted = {
        "actor": options["by"],
        "action": options["action"],
        "target_id": options["target"],
        "outcome": options["outcome"],
    }
    chosen = {name: value for name, value in wanted.items() if value}
    return list(AuditEntry.objects.filter(**chosen).order_by("-id")[: max(options["limit"], 1)])


def _write_table(out: Output, entries: Sequence[AuditEntry]) -> None:
    headings = (
        _("TIME"),
        _("WHO"),
        _("THROUGH"),
        _("ACTION"),
        _("TARGET"),
        _("REASON"),
        _("WHAT BECAME OF IT"),
    )
    rows = [
        (
            entry.at,
            entry.actor,
            entry.get_channel_display(),
            ACTION_LABELS[Action(entry.action)],
            f"{entry.get_target_type_display()} {entry.target_id}",
            entry.reason,
            audit.report_of(entry).sentence,
        )
        for entry in entries
    ]
    out.table(headings, rows)


def _json_of(entry: AuditEntry) -> dict[str, object]:
    facts = {name: getattr(entry, name) for name in (*_NAMES, *_NAMES_OF_RESULT)}
    return facts | {"sentence": audit.report_of(entry).sentence}


VERBS = (
    Verb(
        name="audit",
        summary="what people did, the latest first; 3 when there is nothing",
        run=show_audit,
        add_arguments=add_arguments,
    ),
)
