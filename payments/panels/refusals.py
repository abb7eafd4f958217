"""What staff are told when what they ask for cannot be done now: on the next page, and never as an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _

from payments.exceptions import BookingBusy, PaymentRefused, PaymentUnderWay


@contextmanager
def telling_refusals(request: HttpRequest) -> Iterator[None]:
    """Do something for staff; what is refused is told in words, and the next thing is done all the same."""
    try:
        yield
    except (BookingBusy, PaymentUnderWay):
        messages.warning(request, _("The booking is busy at this moment. Try again."))
    except PaymentRefused as refusal:
        messages.warning(request, str(refusal))
