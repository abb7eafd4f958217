"""The order of the benchmark, and what becomes of a peer that fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.figures import Better, Figure, Reading
from benchmarks.peer import JobsNotDone
from benchmarks.report import BEGIN, END
from benchmarks.rounds import run_rounds
from benchmarks.scale import QUICK, Scale

ROOT = Path(__file__).resolve().parents[3]
FIGURE = Figure(label="figure", unit="", better=Better.HIGHER)
TWO_ROUNDS: Any = SimpleNamespace(rounds=2)


def make_peers(*names: str) -> list[Any]:
    return [SimpleNamespace(name=name) for name in names]


def measure(peer: Any, scale: Scale) -> Iterator[Reading]:
    yield Reading(FIGURE, 1)


def test_peers_take_turns_and_another_one_begins_each_round():
    after_rounds: list[None] = []

    samples = run_rounds(
        make_peers("a", "b", "c"),
        [measure, measure],
        scale=TWO_ROUNDS,
        tell=lambda line: None,
        after_round=lambda: after_rounds.append(None),
    )

    order = [(sample.round_number, sample.peer) for sample in samples]
    assert order == [(0, name) for name in "abcabc"] + [(1, name) for name in "bcabca"]
    assert len(after_rounds) == 2


def test_a_peer_that_does_not_finish_has_no_figure_and_the_rest_goes_on(tmp_path: Path):
    log = tmp_path / "log"
    log.write_text("first\nthe reason\n")
    told: list[str] = []

    def fail_for_a(peer: Any, scale: Scale) -> Iterator[Reading]:
        if peer.name == "a":
            raise JobsNotDone(peer="a", done=1, failed=2, wanted=5, log=log)
        yield Reading(FIGURE, 1)

    samples = run_rounds(
        make_peers("a", "b"), [fail_for_a], scale=QUICK, tell=told.append, after_round=lambda: None
    )

    assert [sample.peer for sample in samples] == ["b"]
    assert "a: 1 of 5 jobs succeeded, 2 failed" in told[0]
    assert "the reason" in told[0]


def test_the_readme_has_its_place_for_results():
    readme = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")

    assert 0 < readme.find(BEGIN) < readme.find(END)
