"""An alert that was told and is not over: by which name people act on it, and its words for whoever reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import get_language

_KEY = "\t"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldAlert:
    """An alert as it was told at ``told_at``; ``is_silenced`` while nobody is told anew.

    ``sentence`` is in the project's language, ``sentences`` has it in others; ``silenced_until`` is None for
    one that is silenced until it is over or gets worse.
    """

    rule: str
    subject: str
    sentence: str
    told_at: datetime
    seen_at: datetime | None = None
    sentences: Mapping[str, str] = field(default_factory=dict)
    is_silenced: bool = False
    silenced_by: str = ""
    silence_note: str = ""
    silenced_until: datetime | None = None

    @property
    def words(self) -> str:
        """What is wrong, in the active language."""
        return in_active_language(self.sentence, self.sentences)

    @property
    def key(self) -> str:
        return key_of_alert(rule=self.rule, subject=self.subject)


def in_active_language(sentence: str, sentences: Mapping[str, str]) -> str:
    """Return the words for the reader's language: exactly it, or without its country, or the project's."""
    language = get_language() or ""
    return sentences.get(language) or sentences.get(language.partition("-")[0]) or sentence


def key_of_alert(*, rule: str, subject: str) -> str:
    """Return the name by which people act on an alert."""
    return f"{rule}{_KEY}{subject}" if subject else rule


def read_key(key: str) -> dict[str, str]:
    """Return the rule and the subject that a key names."""
    rule, _, subject = key.partition(_KEY)
    return {"rule": rule, "subject": subject}
