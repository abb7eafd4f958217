"""What one small fault in a SQL statement looks like: each term, lock and number changed in turn."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.mutation.mutant import Mutant

# Where a term of a condition ends, at its own depth of parentheses.
_TERM_ENDS = re.compile(
    rb"\b(AND|OR|ORDER BY|GROUP BY|LIMIT|OFFSET|FOR UPDATE|FOR NO KEY|RETURNING|UNION|WINDOW|THEN|WHERE"
    rb"|ON CONFLICT|LEFT JOIN|CROSS JOIN|JOIN)\b|,"
)
_TERM_BEGINS = re.compile(rb"\b(WHERE|AND|OR|ON|WHEN)\s+(?!CONFLICT|MATCHED|NOT MATCHED|TRUE\b)")
_SWAPS: tuple[tuple[bytes, bytes], ...] = (
    (rb" < ", b" <= "),
    (rb" <= ", b" < "),
    (rb" > ", b" >= "),
    (rb" >= ", b" > "),
    (rb"\bIS NULL\b", b"IS NOT NULL"),
    (rb"\bIS NOT NULL\b", b"IS NULL"),
    (rb"\bNOT EXISTS\b", b"EXISTS"),
    (rb"\bSKIP LOCKED\b", b""),
    (rb"\bFOR (NO KEY )?UPDATE( OF \w+)?( SKIP LOCKED)?", b""),
    (rb" DESC\b", b""),
)
_NUMBER = re.compile(rb"(?<![\w.%$'])\d+(?![\w.'])")


def mutants_of(source: bytes) -> list[Mutant]:
    """Return every mutant of a statement, in the order of its lines; a comment is left alone."""
    code = _without_comments(source)
    found = (*_dropped_terms(source, code), *_swaps(source, code), *_numbers(source, code))
    return sorted(each for each in found if each.applied_to(source) != source)


def _without_comments(source: bytes) -> bytes:
    """Return the source with blanks for comments, so that every place stays what it was."""
    return re.sub(rb"--[^\n]*", lambda comment: b" " * len(comment[0]), source)


def _dropped_terms(source: bytes, code: bytes) -> Iterator[Mutant]:
    for begin in _TERM_BEGINS.finditer(code):
        if code[: begin.start()].rstrip().upper().endswith(b"BETWEEN"):
            continue
        end = _end_of_term(code, begin.end())
        neutral = b"false" if begin[1] in (b"OR", b"WHEN") else b"true"
        yield Mutant.of(source, begin.end(), end, neutral)


def _end_of_term(code: bytes, start: int) -> int:
    depth, at = 0, start
    while at < len(code):
        if code[at : at + 1] == b"(":
            depth += 1
        elif code[at : at + 1] == b")":
            depth -= 1
            if depth < 0:
                break
        elif depth == 0 and _TERM_ENDS.match(code, at):
            break
        at += 1
    return start + len(code[start:at].rstrip())


def _swaps(source: bytes, code: bytes) -> Iterator[Mutant]:
    for pattern, new in _SWAPS:
        for place in re.finditer(pattern, code):
            yield Mutant.of(source, *place.span(), new)


def _numbers(source: bytes, code: bytes) -> Iterator[Mutant]:
    for place in _NUMBER.finditer(code):
        number = int(place[0])
        for other in (number + 1, number - 1) if number > 1 else (number + 1,):
            yield Mutant.of(source, *place.span(), str(other).encode())
