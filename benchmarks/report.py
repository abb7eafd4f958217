"""The report: a Markdown table of medians and ratios, and its place in the README; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.figures import Figure, Ratio, Sample, figures_in, median_of, ratio_of

BEGIN = "<!-- results: written by make bench -->"
END = "<!-- end of results -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One benchmark: who took part, how it was called, where it ran, and what was read.

    ``peers`` begins with the one that the others are compared with; ``left_out`` holds a sentence each.
    """

    peers: Sequence[str]
    samples: Sequence[Sample]
    command: str
    machine: Sequence[str]
    left_out: Sequence[str] = field(default_factory=tuple)


class MarkersMissing(Exception):
    """The document has no place for the results."""

    def __init__(self, *, begin: str) -> None:
        self.begin = begin
        super().__init__(f"The document needs the two lines {begin!r} and {END!r}, in this order.")


def render(run: Run) -> str:
    """Return the report: command, machine, table."""
    return "\n".join(
        [
            f"`{run.command}`",
            "",
            *(f"- {line}" for line in run.machine),
            *(f"- {sentence}" for sentence in run.left_out),
            "",
            *_table(run),
        ]
    )


def replace_results(document: str, results: str, *, begin: str = BEGIN) -> str:
    """Return a document with these results in the place of the last ones.

    Args:
        begin: the line before the results.

    Raises:
        MarkersMissing: it has no place for them.
    """
    before, has_begin, rest = document.partition(begin)
    _, has_end, after = rest.partition(END)
    if not has_begin or not has_end:
        raise MarkersMissing(begin=begin)
    return f"{before}{begin}\n\n{results}\n\n{END}{after}"


def _table(run: Run) -> list[str]:
    first, *others = run.peers
    heading = ["", *run.peers, *(f"× {other}" for other in others), "mark"]
    lines = [heading, ["---", *["--:"] * (len(heading) - 2), "---"]]
    for figure in figures_in(run.samples):
        values = [median_of(run.samples, figure=figure, peer=peer) for peer in run.peers]
        ratios = [ratio_of(run.samples, figure=figure, peer=first, to=other) for other in others]
        lines.append([_label(figure), *map(_value, values), *map(_ratio, ratios), figure.mark])
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _label(figure: Figure) -> str:
    return f"{figure.label} ({figure.unit})" if figure.unit else figure.label


def _value(value: float | None) -> str:
    return "–" if value is None else significant(value)


def _ratio(ratio: Ratio | None) -> str:
    return "–" if ratio is None else f"{significant(ratio.median)} ({significant(ratio.worst)})"


def significant(value: float) -> str:
    """Return a number with three significant digits, thousands apart, and no exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{float(f'{value:.3g}'):g}"
