"""Acting on all jobs that a filter finds: looked at first, then done in batches, here or by a worker."""

from __future__ import annotations

import time

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from procrastinate_tasks.actions import bulk, reports
from procrastinate_tasks.actions.bulk import BulkPreview
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import TargetReport
from procrastinate_tasks.command_line.filtering import Choice
from procrastinate_tasks.command_line.output import ExitCode, Options, Output, code_of_counts
from procrastinate_tasks.command_line.people import Person, person_of
from procrastinate_tasks.formatting import amounts_in_words
from procrastinate_tasks.jobs.states import STATE_LABELS, JobState
from procrastinate_tasks.models import BulkOperation
from procrastinate_tasks.queries.jobs import list_ids

MOST_AT_ONCE = 1000


def run(action: Action, out: Output, options: Options, choice: Choice) -> ExitCode:
    """Tell what would become of the jobs, or act on them; exit with 3 when none matches."""
    if options["pace"] is not None and options["pace"] < 1:
        raise CommandError(_("The pace must be 1 or more jobs a minute."), returncode=ExitCode.ERROR)
    job_ids = list_ids(choice.query, limit=bulk.MOST_JOBS + 1)
    if not job_ids:
        return _tell_none(out)
    person = person_of(options)
    if options["dry_run"] or not options["yes"]:
        preview = bulk.preview(person.request(action, map(str, job_ids)), may=person.may(action))
        _write_preview(out, preview, is_dry_run=options["dry_run"])
        return code_of_counts(applied=preview.possible, others=preview.looked_at - preview.possible)
    operation = _start(action, options, choice, person, job_ids)
    if not options["background"]:
        _carry_out(operation)
    return _tell(out, operation, is_in_background=options["background"])


def _tell_none(out: Output) -> ExitCode:
    if out.as_json:
        out.json({"requested": 0})
    else:
        out.line(_("No job matches."))
    return ExitCode.NONE_MATCHED


def row_of(target: TargetReport, *, is_dry_run: bool) -> tuple[object, ...]:
    """Return a job's line in a table: its number, task, state, and what became of it."""
    sentence = _("It would be done.") if is_dry_run and target.was_applied else target.sentence
    before = target.detail.get("before")
    state = STATE_LABELS[JobState(str(before))] if before else None
    return (target.target, target.task_name, state, sentence)


# --- Looking first ----------------------------------------------------------------------------------------


def possible_sentence(possible: int, *, of: int, is_asked: bool) -> str:
    """Tell that nothing was done, for how many jobs it could be, and how, where that is a matter of --yes."""
    if not possible:
        return _("Nothing was done. It is possible for none.")
    values = {"possible": possible, "all": of}
    if not is_asked:
        return _("Nothing was done. It would be possible for %(possible)d of %(all)d.") % values
    asked = _("Nothing was done. It would be possible for %(possible)d of %(all)d: --yes does it.")
    return asked % values


def _write_preview(out: Output, preview: BulkPreview, *, is_dry_run: bool) -> None:
    if out.as_json:
        out.json(
            {
                "action": preview.action.value,
                "is_dry_run": True,
                "requested": preview.requested,
                "looked_at": preview.looked_at,
                "possible": preview.possible,
                "refused": preview.refused,
                "money_at_stake": preview.stake.amounts,
            }
        )
        return
    headings = (_("JOB"), _("TASK"), _("WAS"), _("WHAT WOULD BECOME OF IT"))
    out.table(headings, [row_of(target, is_dry_run=True) for target in preview.sample])
    if preview.looked_at > len(preview.sample):
        out.line("…")
    out.line()
    for refusal, count in preview.refused.items():
        out.line(f"{count} × {reports.refused_sentence(refusal, {'twin_id': '…'})}")
    if preview.stake.amounts:
        stake = amounts_in_words(preview.stake.amounts)
        out.line(_("Money at stake: %(stake)s") % {"stake": stake})
    values = {"possible": preview.possible, "looked_at": preview.looked_at, "requested": preview.requested}
    if preview.looked_at < preview.requested:
        out.line(_("%(requested)d jobs match; the first %(looked_at)d were looked at.") % values)
    out.line(possible_sentence(preview.possible, of=preview.looked_at, is_asked=not is_dry_run))


# --- Acting -----------------------------------------------------------------------------------------------


def _start(
    action: Action, options: Options, choice: Choice, person: Person, job_ids: list[int]
) -> BulkOperation:
    report = bulk.start(
        action,
        job_ids=job_ids,
        filters=choice.written,
        actor=person.actor,
        reason=person.reason,
        pace_per_minute=options["pace"] or bulk.usual_pace(job_ids),
        in_background=options["background"],
    )
    (target,) = report.targets
    if not target.was_applied:
        raise CommandError(target.sentence, returncode=ExitCode.ERROR)
    return BulkOperation.objects.get(pk=target.target)


def _carry_out(operation: BulkOperation) -> None:
    """Take batch after batch; who interrupts it leaves an operation that can be stopped, or started anew."""
    while bulk.run_batch(operation.pk):
        time.sleep(bulk.batch_of(operation).pause.total_seconds())


def _tell(out: Output, operation: BulkOperation, *, is_in_background: bool) -> ExitCode:
    operation.refresh_from_db()
    if out.as_json:
        names = ("id", "action", "state", "requested", "applied", "refused", "failed", "remaining")
        out.json({name: getattr(operation, name) for name in names})
    elif is_in_background:
        out.line(
            _("Bulk operation %(id)d was started, on %(count)d jobs.")
            % {"id": operation.pk, "count": operation.requested}
        )
    else:
        values = {"id": operation.pk, "applied": operation.applied, "all": operation.requested}
        out.line(_("Bulk operation %(id)d: done for %(applied)d of %(all)d.") % values)
    if is_in_background:
        return ExitCode.DONE
    if operation.failed:
        return ExitCode.ERROR
    return code_of_counts(applied=operation.applied, others=operation.requested - operation.applied)
