"""Takes job arguments, secrets, e-mail addresses and card numbers out of text that is stored or logged.

The text comes from users' code and may be of any length: it is shortened before it is looked through, with a
margin, so that nothing is half hidden because a cut went through it. The work is bounded too; what would need
more is left out, never shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from django.conf import settings

from procrastinate_tasks.conf import queue_settings

LONGEST = 20_000
_MARGIN = 512
_PROBE = 32
_SHORTEST_HIDDEN_TEXT = 3
_SHORTEST_SECRET = 6
_SMALLEST_HIDDEN_NUMBER = 1000
_MOST_BITS = 14_000  # Python writes no longer number out
_MOST_VALUES = 20_000
_MOST_FOUND = 20_000
_MOST_COMPARED = 100_000_000
_MANY = 100
_WITHHELD = "(withheld: it holds too much that would have to be taken out)"

# Each begins where its first letter cannot be the middle of it: a long word is then looked at once.
_PATTERNS = (
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+")),
    ("number", re.compile(r"\b\d(?:[ -]?\d){12,18}\b")),
    ("key", re.compile(r"(?<![A-Za-z0-9])(?:[rs]k_(?:live|test|org)_|whsec_)[\w+/=-]+")),
)
_OWN_SECRETS = (
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "EMAIL_HOST_PASSWORD",
    "PROCRASTINATE_TASKS_MONITORING_TOKEN",
    "PROCRASTINATE_TASKS_ALERT_WEBHOOK_URL",
)


class _Hidden(NamedTuple):
    value: str
    name: str
    is_number: bool = False


class _Span(NamedTuple):
    start: int
    end: int
    name: str


class _TooMuch(Exception):
    pass


class Redaction:
    """What is to be taken out of the texts about one job, collected once."""

    def __init__(self, *, arguments: Mapping[str, object], visible: Collection[str] = ()) -> None:
        """Collect the values of the arguments that are not ``visible``, and the project's own secrets."""
        shown = frozenset(visible)
        hidden = {name: value for name, value in arguments.items() if name not in shown}
        found = [*_secrets(), *islice(_values_in(hidden), _MOST_VALUES)]
        self._hidden = found if len(found) < _MOST_VALUES else None

    def apply(self, text: str, *, longest: int = LONGEST) -> str:
        """Return ``text`` without them, and without its middle when it is longer than ``longest``."""
        if self._hidden is None:
            return _WITHHELD
        try:
            if len(text) <= longest:
                return _rewrite(text, _find_spans(text, self._hidden), 0, len(text))
            return _redact_ends(text, self._hidden, longest // 2)
        except _TooMuch:
            return _WITHHELD

    def apply_to_beginning(self, text: str, *, longest: int) -> str:
        """Return at most the first ``longest`` characters without them.

        Of a longer text as much as ``most_needed`` of it is enough to be given.
        """
        if self._hidden is None:
            return _WITHHELD
        head = text[: most_needed(longest)]
        try:
            spans = [*_find_spans(head, self._hidden), *_find_cut_values(head, self._hidden, at_end=True)]
            return _rewrite(head, spans, 0, min(longest, len(head)))
        except _TooMuch:
            return _WITHHELD


def most_needed(longest: int) -> int:
    """How much of a text decides what its first ``longest`` characters may show."""
    return longest + _MARGIN


def redact(
    text: str, *, arguments: Mapping[str, object], visible: Collection[str] = (), longest: int = LONGEST
) -> str:
    """Return ``text`` with each hidden argument's value replaced by the argument's name in brackets.

    Strings under three characters and numbers under 1,000 stay: they identify nobody, and a text without any
    small number cannot be read. E-mail addresses, card numbers, Stripe's keys and the project's own secrets
    (``PROCRASTINATE_TASKS_SECRET_SETTINGS``) go, wherever they come from.

    Args:
        longest: a longer text loses its middle.
    """
    return Redaction(arguments=arguments, visible=visible).apply(text, longest=longest)


def _redact_ends(text: str, hidden: Collection[_Hidden], half: int) -> str:
    head, tail = text[: half + _MARGIN], text[-half - _MARGIN :]
    border = len(tail) - half
    head_spans = [*_find_spans(head, hidden), *_find_cut_values(head, hidden, at_end=True)]
    tail_spans = [*_find_spans(tail, hidden), *_find_cut_values(tail, hidden, at_end=False)]
    left_out = f"\n[… {len(text) - 2 * half} characters left out …]\n"
    return _rewrite(head, head_spans, 0, half) + left_out + _rewrite(tail, tail_spans, border, len(tail))


def _rewrite(text: str, spans: Iterable[_Span], begin: int, end: int) -> str:
    """Return a part of the text with the spans replaced; one that crosses its border is replaced whole."""
    pieces: list[str] = []
    position = begin
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.start >= end:
            break
        if span.end <= position:
            continue
        if span.start >= position or not pieces:
            pieces += [text[position : max(span.start, position)], f"[{span.name}]"]
        position = span.end
    pieces.append(text[position:end])
    return "".join(pieces)


# --- Where something stands ---------------------------------------------------------------------------------


def _find_spans(text: str, hidden: Collection[_Hidden]) -> list[_Span]:
    found = [
        _Span(match.start(), match.end(), name)
        for name, pattern in _PATTERNS
        for match in pattern.finditer(text)
    ]
    found += islice(_find_values(text, hidden), _MOST_FOUND)
    if len(found) >= _MOST_FOUND:
        raise _TooMuch
    return found


def _find_values(text: str, hidden: Collection[_Hidden]) -> Iterator[_Span]:
    for each in _candidates(text, hidden):
        position = text.find(each.value)
        while position >= 0:
            end = position + len(each.value)
            if not (each.is_number and _is_inside_a_number(text, position, end)):
                yield _Span(position, end, each.name)
            position = text.find(each.value, position + 1 if each.is_number else end)


def _candidates(text: str, hidden: Collection[_Hidden]) -> Collection[_Hidden]:
    """Return those of many values that may stand in the text, by how they begin."""
    if len(hidden) <= _MANY:
        return hidden
    beginnings = {text[place : place + _SHORTEST_HIDDEN_TEXT] for place in range(len(text))}
    likely = [each for each in hidden if each.value[:_SHORTEST_HIDDEN_TEXT] in beginnings]
    if len(likely) * len(text) > _MOST_COMPARED:
        raise _TooMuch
    return likely


def _is_inside_a_number(text: str, start: int, end: int) -> bool:
    """Whether digits go on on either side: then it is another number."""
    return text[start - 1 : start].isdigit() or text[end : end + 1].isdigit()


def _find_cut_values(text: str, hidden: Collection[_Hidden], *, at_end: bool) -> Iterator[_Span]:
    """Find values longer than the margin of which the cut has left only the beginning, or the end."""
    for each in hidden:
        if len(each.value) <= _MARGIN:
            continue
        probe = each.value[:_PROBE] if at_end else each.value[-_PROBE:]
        position = text.find(probe)
        while position >= 0:
            if at_end and each.value.startswith(text[position:]):
                yield _Span(position, len(text), each.name)
            elif not at_end and each.value.endswith(text[: position + _PROBE]):
                yield _Span(0, position + _PROBE, each.name)
            position = text.find(probe, position + 1)


# --- What is hidden -----------------------------------------------------------------------------------------


def _values_in(named: Mapping[str, object]) -> Iterator[_Hidden]:
    """Walk through nested values without recursion: they may be as deep as JSON can be read."""
    waiting = [(name, iter((value,))) for name, value in named.items()]
    while waiting:
        name, values = waiting[-1]
        value = next(values, waiting)
        if value is waiting:
            waiting.pop()
        elif isinstance(value, Mapping):
            waiting.append((name, iter(value.values())))
        elif isinstance(value, list | tuple | set | frozenset):
            waiting.append((name, iter(value)))
        elif isinstance(value, str):
            if len(value) >= _SHORTEST_HIDDEN_TEXT:
                yield _Hidden(value, name)
        elif isinstance(value, int | float) and _identifies(value):
            yield _Hidden(str(value), name, is_number=True)


def _identifies(number: float) -> bool:
    if isinstance(number, int) and number.bit_length() > _MOST_BITS:
        return False
    return abs(number) >= _SMALLEST_HIDDEN_NUMBER


def _secrets() -> Iterator[_Hidden]:
    names = (*_OWN_SECRETS, *queue_settings().secret_settings)
    known = {name: getattr(settings, name, None) for name in names}
    for alias, database in settings.DATABASES.items():
        known[f"password of {alias}"] = database.get("PASSWORD")
    # Shorter ones protect nothing, and stand inside ordinary words.
    return (each for each in _values_in(known) if not each.is_number and len(each.value) >= _SHORTEST_SECRET)
