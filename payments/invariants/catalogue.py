"""The invariants of money and nights: each is a statement that finds what breaks it.

``sql/<name>.sql`` selects (what, id) pairs and has one parameter, ``now``. Where an invariant is about
Stripe, its statement asks what our rows can show of it; what Stripe says is compared at night, and by the
memory's guard.

Some that read the same large tables share a first look: another statement, with a ``salt`` too, which selects
the names of those that may be broken. The others of them hold.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import LiteralString

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_FOLDER = Path(__file__).parent / "sql"


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something that must hold; ``broken`` says what is the case where it does not.

    Attributes:
        first_look: the name of the statement that may clear it, if there is one.
    """

    name: str
    broken: str | Promise
    first_look: str = ""

    @property
    def sql(self) -> LiteralString:
        return read_sql(self.name)


@cache
def read_sql(name: str) -> LiteralString:
    return (_FOLDER / f"{name.lower()}.sql").read_text(encoding="utf-8")


INVARIANTS = (
    Invariant("I1", _("the ledger holds at Stripe what nobody paid, or less than was paid"), "accounts"),
    Invariant("I2", _("something was charged twice")),
    Invariant("I3", _("a charge and what is recorded of it differ"), "accounts"),
    Invariant("I4", _("a guest who paid is not told so, or one who did not is"), "accounts"),
    Invariant("I5", _("something at Stripe that nobody explains may take money")),
    Invariant("I6", _("a night is sold twice, or not kept for who has it")),
    Invariant("I7", _("two attempts may take the same money, or one is in doubt and forgotten")),
    Invariant("I8", _("an account does not follow from its ledger"), "accounts"),
    Invariant("I9", _("a job runs on a dead worker, or a balance is due and not tried")),
    Invariant("I10", _("what Stripe told us is not applied")),
    Invariant("I11", _("a refund and what is recorded of it differ")),
    Invariant("I12", _("a cancelled stay keeps another sum than the rules say")),
    Invariant("I13", _("a booking went a way that no booking goes")),
    Invariant("I14", _("a guest is written to twice")),
    Invariant("I15", _("a completed stay owes, or a guest is owed money that nobody pays back")),
    Invariant("I16", _("a rule of the database is switched off")),
    Invariant("I17", _("money is on its way and nobody looks at it")),
    Invariant("I18", _("a difference with Stripe is open for a day, or nothing was compared")),
)


def named(names: Collection[str]) -> tuple[Invariant, ...]:
    """Return the invariants of these names, in their order; of no names, all."""
    return tuple(each for each in INVARIANTS if not names or each.name in names)
