"""The storm's report says what was kept, what was broken, and under which circumstances."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.storm.test_verdict import make_evidence
from tests.workers.storm.evidence import Evidence
from tests.workers.storm.faults import Strike
from tests.workers.storm.plan import FaultKind
from tests.workers.storm.report import Circumstances, write_report
from tests.workers.storm.storm import Aftermath
from tests.workers.storm.verdict import judge


def write(evidence: Evidence) -> str:
    aftermath = Aftermath(
        began_at=0.0,
        load_ended_at=1800.0,
        calm_at=1801.5,
        strikes=[Strike(FaultKind.KILL_WORKER, 0.75), Strike(FaultKind.CRASH, 2.25)],
        evidence=evidence,
    )
    circumstances = Circumstances(
        seed=7, command="make soak", commit="abc1234", postgres="18.6", load_averages=(0.5, 2.5)
    )
    return write_report(aftermath=aftermath, verdict=judge(evidence), circumstances=circumstances)


def test_a_clean_storm_is_told_with_its_numbers():
    report = write(make_evidence())

    assert report.startswith("# Soak: 30 minutes")
    assert "Every promise was kept." in report
    assert "| seed | 7 |" in report
    assert "1800 s of load, then 1.5 s until nothing was left to do" in report
    assert "2 faults struck, 1 of them SIGKILLs" in report
    assert "| 0 | no job is left waiting or `doing` |" in report
    assert "| 1 | SIGKILL of a worker | 0.75 | 0 | – |" in report
    assert "| 0 | SIGKILL of a child | – | 0 | – |" in report
    assert "`make soak` at commit abc1234" in report


def test_broken_promises_are_counted_and_named():
    report = write(replace(make_evidence(), effects=[]))

    assert "PROMISES WERE BROKEN" in report
    assert "| 1 | no job is lost" in report
    assert "- job 1 (storm.write 1) succeeded and left no row" in report
