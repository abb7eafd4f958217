"""What guests send about the money of a booking."""

from __future__ import annotations

from django import forms


class CancelForm(forms.Form):
    """The second step of a cancellation: the guest has read what it costs."""

    kept_minor = forms.IntegerField(min_value=0, widget=forms.HiddenInput())
