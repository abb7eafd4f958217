"""What staff type: nights that they close, and bookings that guests make by telephone.

Both are written while the form is checked: only the database can say whether the nights are free, and the
page of the form is where that is told. Django's admin runs it all in one transaction.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from bookings import closures, services
from bookings.exceptions import BookingError
from bookings.forms import A_NAME, A_TELEPHONE, MOST_GUESTS, DateInput
from bookings.models import Booking, NightBlock, Property
from bookings.services import Guest


class _WritingForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form of the admin's whose row is written by a service."""

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            try:
                self.instance = self.write(self.cleaned_data)
            except BookingError as refusal:
                self.add_error(None, str(refusal))
        return self.cleaned_data

    def write(self, data: dict[str, Any]) -> Any:
        """Write the row.

        Raises:
            BookingError: why it cannot be done.
        """
        raise NotImplementedError

    def _post_clean(self) -> None:
        """Nothing is left to be put into a row."""

    def save(self, commit: bool = True) -> Any:
        return self.instance

    def save_m2m(self) -> None:
        """There is nothing of that kind."""


class ClosureForm(_WritingForm):
    home = forms.ModelChoiceField(Property.objects.all(), label=_("Property"))
    first = forms.DateField(label=_("First night"), widget=DateInput())
    until = forms.DateField(label=_("Free again from"), widget=DateInput())
    note = forms.CharField(
        label=_("Why"), max_length=200, help_text=_("For the office only: guests read that it is closed.")
    )

    class Meta:
        model = NightBlock
        fields = ()

    def write(self, data: dict[str, Any]) -> NightBlock:
        return closures.close_nights(**data, now=timezone.now())


class TelephoneForm(_WritingForm):
    home = forms.ModelChoiceField(Property.objects.filter(is_listed=True), label=_("Property"))
    check_in = forms.DateField(label=_("Check-in"), widget=DateInput())
    check_out = forms.DateField(label=_("Check-out"), widget=DateInput())
    guests = forms.IntegerField(label=_("Guests"), min_value=1, max_value=MOST_GUESTS, initial=2)
    name = forms.CharField(label=_("Full name"), max_length=200, validators=[A_NAME])
    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        help_text=_("The guest gets the link to pay the deposit there, before the nights are free again."),
    )
    phone = forms.CharField(label=_("Telephone"), max_length=40, required=False, validators=[A_TELEPHONE])

    class Meta:
        model = Booking
        fields = ()

    def write(self, data: dict[str, Any]) -> Booking:
        now = timezone.now()
        booking = services.hold_stay(
            **{name: data[name] for name in ("home", "check_in", "check_out", "guests")},
            guest=Guest(name=data["name"], email=data["email"], phone=data["phone"]),
            now=now,
            hold_for=TELEPHONE_HOLD,
        )
        announce = import_string(settings.BOOKINGS_ANNOUNCE_HOLD)
        announce(booking=booking, base_url=settings.SITE_BASE_URL, now=now)
        return booking


# Who is on the telephone has to find the e-mail first.
TELEPHONE_HOLD = timedelta(hours=2)
