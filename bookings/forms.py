"""What guests and staff type about stays and properties."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from bookings.availability import Stay
from bookings.models import Property
from bookings.policies import HORIZON
from bookings.services import Guest

MOST_GUESTS = 50
# A letter in any script: spaces of no width alone are a name that nobody can read.
A_NAME = RegexValidator(r"[^\W\d_]", _("Write a name that can be read."))
A_TELEPHONE = RegexValidator(r"^[\d\s()+.\-]+$", _("Use digits only, such as 55 1234 5678."))


class DateInput(forms.DateInput):
    """The browser's own date picker, which speaks ISO dates whatever the language of the page."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class NightsForm(forms.Form):
    """Two dates, between today and the horizon of the calendar."""

    check_in = forms.DateField(label=_("Check-in"), widget=DateInput())
    check_out = forms.DateField(label=_("Check-out"), widget=DateInput())

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        for name in ("check_in", "check_out"):
            self.fields[name].widget.attrs |= {"min": today.isoformat(), "max": self._last_day.isoformat()}

    @property
    def _last_day(self) -> date:
        return self.today + HORIZON

    def clean_check_in(self) -> date | None:
        return self._within_horizon("check_in")

    def clean_check_out(self) -> date | None:
        return self._within_horizon("check_out")

    def _within_horizon(self, name: str) -> date | None:
        day: date | None = self.cleaned_data[name]
        if day is not None and day > self._last_day:
            raise forms.ValidationError(_("Choose a date within the next two years."))
        return day


class StayForm(NightsForm):
    """The stay a guest asks a property for."""

    guests = forms.IntegerField(label=_("Guests"), min_value=1, max_value=MOST_GUESTS, initial=2)

    @property
    def stay(self) -> Stay | None:
        """The stay that was asked for, ``None`` while the form is empty or wrong."""
        if not self.is_bound or not self.is_valid() or not self.cleaned_data["check_in"]:
            return None
        return Stay(**{name: self.cleaned_data[name] for name in ("check_in", "check_out", "guests")})


class SearchForm(StayForm):
    """The stay a guest looks for among all properties: both dates, or none to see them all."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["check_in"].required = self.fields["check_out"].required = False

    @property
    def guest_count(self) -> int | None:
        """The number of guests that was asked for, with or without dates."""
        return self.cleaned_data.get("guests") if self.is_bound and self.is_valid() else None

    def clean(self) -> dict[str, Any]:
        check_in, check_out = self.cleaned_data.get("check_in"), self.cleaned_data.get("check_out")
        if check_in and check_out and check_out <= check_in:
            self.add_error("check_out", _("Check-out must be after check-in. Correct the dates."))
        elif check_in and not check_out and "check_out" not in self.errors:
            self.add_error("check_out", _("Add this date too."))
        elif check_out and not check_in and "check_in" not in self.errors:
            self.add_error("check_in", _("Add this date too."))
        return self.cleaned_data


class EmailForm(forms.Form):
    """Where we write to a guest."""

    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        help_text=_("Your confirmation and your receipts go there."),
        widget=forms.EmailInput({"autocomplete": "email"}),
    )


class ContactForm(EmailForm):
    """Who asks for a stay, and how to reach them."""

    field_order = ("name", "email", "phone")

    name = forms.CharField(
        label=_("Full name"),
        max_length=200,
        validators=[A_NAME],
        widget=forms.TextInput({"autocomplete": "name"}),
    )
    phone = forms.CharField(
        label=_("Telephone (optional)"),
        max_length=40,
        required=False,
        validators=[A_TELEPHONE],
        widget=forms.TextInput({"autocomplete": "tel", "type": "tel"}),
    )

    @property
    def guest(self) -> Guest:
        details = {name: self.cleaned_data[name] for name in ("name", "email", "phone")}
        return Guest(**details, language=get_language() or settings.LANGUAGE_CODE)


class ConsentForm(forms.Form):
    """That a guest accepts the terms and the privacy notice, in the versions that the page showed."""

    accepts = forms.BooleanField(
        error_messages={"required": _("Read them and tick the box: without it we cannot hold the dates.")}
    )
    versions = forms.CharField(max_length=20, widget=forms.HiddenInput())

    def __init__(self, *args: Any, current: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.current = current

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("accepts") and self.cleaned_data.get("versions") != self.current:
            self.add_error(
                "accepts", _("These texts have changed since you opened the page. Please read them again.")
            )
        return self.cleaned_data


class PesosField(forms.DecimalField):
    """Pesos and centavos on the screen, whole centavos behind it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 12, "decimal_places": 2, "min_value": 0, **kwargs})

    def prepare_value(self, value: Any) -> Any:
        return Decimal(value).scaleb(-2) if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        pesos: Decimal | None = super().clean(value)
        return None if pesos is None else int(pesos.scaleb(2))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class PropertyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A property as staff edit it: amounts in pesos."""

    nightly_rate_minor = PesosField(label=_("Price per night (MXN)"), min_value=Decimal("0.01"))
    cleaning_fee_minor = PesosField(label=_("Cleaning fee (MXN)"), initial=10_000)

    class Meta:
        model = Property
        fields = (
            "name",
            "slug",
            "town",
            "summary",
            "timezone",
            "capacity",
            "bedrooms",
            "beds",
            "bathrooms",
            "amenities",
            "address",
            "map_url",
            "house_rules",
            "host_name",
            "host_phone",
            "arrival_instructions",
            "nightly_rate_minor",
            "cleaning_fee_minor",
            "tax_bps",
            "lodging_tax_bps",
            "min_nights",
            "max_nights",
            "is_listed",
        )
