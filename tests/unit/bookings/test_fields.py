"""A field of a form: its label, its help, and what is wrong with it, whatever somebody typed."""

from __future__ import annotations

from django import forms
from django.utils import translation
from django.utils.translation import gettext_lazy

from bookings.templatetags.fields import field, fields


class NoteForm(forms.Form):
    note = forms.CharField(label="Who & why", help_text="Say <so>", max_length=3)


def test_a_field_has_a_label_and_its_help():
    drawn = field(NoteForm(auto_id="%s")["note"])

    assert '<label for="note">Who &amp; why</label>' in drawn
    assert '<p class="help" id="note_helptext">Say &lt;so&gt;</p>' in drawn
    assert 'aria-describedby="note_helptext"' in drawn
    assert "wrong" not in drawn


def test_a_field_says_what_is_wrong_where_its_input_says_it_is():
    drawn = field(NoteForm({"note": "<b>no</b>"}, auto_id="%s")["note"])

    assert drawn.startswith('<div class="field field-wrong">')
    assert '<p class="wrong" id="note_error">' in drawn
    assert 'aria-describedby="note_helptext note_error"' in drawn
    assert "<b>" not in drawn


class GreetingForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Full name"))
    email = forms.CharField()


def test_what_one_person_filled_in_is_shown_to_no_other():
    def draw(data: dict[str, str] | None = None, initial: dict[str, str] | None = None) -> str:
        return fields(GreetingForm(data, initial=initial, auto_id="%s"), "name", "email")

    empty = draw()

    assert 'value="Ana"' in draw(initial={"name": "Ana"})
    assert 'value="Eva"' in draw({"name": "Eva"})
    assert draw() == empty
    assert "value" not in empty
    assert draw({}) != empty
    with translation.override("en"):
        assert draw() != empty
