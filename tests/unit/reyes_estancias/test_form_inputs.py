"""Inputs drawn without a template are Django's own, to the letter."""

from __future__ import annotations

from typing import Any

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from reyes_estancias.form_inputs import PLAIN, InputRenderer

WIDGETS: list[forms.Widget] = [
    forms.DateInput(),
    forms.EmailInput({"autocomplete": "email"}),
    forms.HiddenInput(),
    forms.NumberInput({"min": 1, "max": 50.5}),
    forms.PasswordInput(render_value=True),
    forms.TelInput(),
    forms.TextInput({"required": True, "disabled": False, "data-x": None, "title": "a \"b\" <c> & 'd'"}),
    forms.TextInput({"placeholder": gettext_lazy("Guests"), "data-html": mark_safe("&amp;")}),
    forms.TextInput({"name": "again", "type": "search"}),
    forms.URLInput(),
]
VALUES: list[Any] = [None, "", "Lucía", 0, 12, '"><script>alert(1)</script>', mark_safe("&lt;")]


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: type(widget).__name__)
def test_an_input_is_djangos_to_the_letter(widget: forms.Widget):
    attrs = {"id": "x", "aria-describedby": "x_help"}
    by_django = [widget.render("name", value, attrs, renderer=DjangoTemplates()) for value in VALUES]

    assert widget.template_name in PLAIN
    assert [widget.render("name", value, attrs, renderer=InputRenderer()) for value in VALUES] == by_django


@pytest.mark.parametrize("template_name", sorted(PLAIN - {"django/forms/widgets/input.html"}))
def test_a_plain_input_is_nothing_but_djangos_input(template_name: str):
    source = DjangoTemplates().get_template(template_name).template.source

    assert source.strip() == '{% include "django/forms/widgets/input.html" %}'


def test_whatever_else_a_form_has_is_drawn_by_django():
    widget = forms.Select(choices=[("a", "A"), ("b", "B")])

    assert widget.render("name", "b", renderer=InputRenderer()) == widget.render(
        "name", "b", renderer=DjangoTemplates()
    )
