"""The Spanish catalogues are complete, compiled, and agree with each other."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from django.utils.translation import gettext, override
from django.utils.translation.template import templatize

REPOSITORY = Path(__file__).parents[3]
CATALOGUES = sorted(REPOSITORY.glob("*/locale*/es*/LC_MESSAGES/django.po"))

APPS = sorted({path.relative_to(REPOSITORY).parts[0] for path in CATALOGUES})
# How many of a call's first arguments are words to be translated, and which is the context.
CALLS = {
    "_": (0, None),
    "gettext": (0, None),
    "gettext_lazy": (0, None),
    "ngettext": (0, None),
    "pgettext": (1, 0),
    "pgettext_lazy": (1, 0),
    "npgettext": (1, 0),
}
CALL_IN_TEMPLATE = re.compile(
    r"\b(_|gettext|ngettext|pgettext|npgettext)\(((?:u?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"),?\s*)+)"
)

Key = tuple[str, str | None]


def messages(catalogue: polib.POFile | polib.MOFile) -> dict[Key, object]:
    return {(entry.msgid, entry.msgctxt): entry.msgstr_plural or entry.msgstr for entry in catalogue}


def test_every_app_that_guests_or_staff_read_has_a_catalogue():
    apps = {path.relative_to(REPOSITORY).parts[0] for path in CATALOGUES}

    assert apps >= {"bookings", "payments", "reyes_estancias"}


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-5])
def test_nothing_is_untranslated_doubtful_or_obsolete(path):
    catalogue = polib.pofile(str(path))

    assert [entry.msgid for entry in catalogue.untranslated_entries()] == []
    assert [entry.msgid for entry in catalogue.fuzzy_entries()] == []
    assert [entry.msgid for entry in catalogue.obsolete_entries()] == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-5])
def test_the_compiled_catalogue_is_the_written_one(path):
    compiled = polib.mofile(str(path.with_suffix(".mo")))

    assert messages(compiled) == messages(polib.pofile(str(path)))


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-5])
def test_a_translation_fills_in_what_the_english_fills_in(path):
    entries = [entry for entry in polib.pofile(str(path)) if "python-format" in entry.flags]

    assert [entry.msgid for entry in entries if not _same_blanks(entry)] == []


def test_a_word_is_translated_alike_in_all_apps():
    """Django merges the catalogues: where two differ, the first app would speak for both."""
    translations: dict[Key, set[str]] = defaultdict(set)
    for path in CATALOGUES:
        for key, words in messages(polib.pofile(str(path))).items():
            translations[key].add(str(words))

    assert {key: words for key, words in translations.items() if len(words) > 1} == {}


@pytest.mark.parametrize("app", APPS)
def test_every_word_in_the_code_is_in_the_catalogue(app):
    known = {
        key
        for path in REPOSITORY.glob(f"{app}/locale/es/LC_MESSAGES/django.po")
        for key in messages(polib.pofile(str(path)))
    }

    said = {*_said_in_python(REPOSITORY / app), *_said_in_templates(REPOSITORY / app)}

    assert said - known == set()


def _said_in_python(app: Path) -> Iterator[Key]:
    for path in app.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
                yield from _key(node.func.id, [_constant(argument) for argument in node.args])


def _said_in_templates(app: Path) -> Iterator[Key]:
    for path in app.glob("templates/**/*.*"):
        for name, arguments in CALL_IN_TEMPLATE.findall(templatize(path.read_text(), origin=str(path))):
            yield from _key(name, list(ast.literal_eval(f"[{arguments}]")))


def _constant(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _key(name: str, arguments: list[object]) -> Iterator[Key]:
    message_at, context_at = CALLS[name]
    message = arguments[message_at] if len(arguments) > message_at else None
    context = arguments[context_at] if context_at is not None else None
    if isinstance(message, str) and (context is None or isinstance(context, str)):
        yield message, context


def _same_blanks(entry: polib.POEntry) -> bool:
    if not entry.msgid_plural:
        return _blanks(entry.msgstr) == _blanks(entry.msgid)
    one, many = entry.msgstr_plural[0], entry.msgstr_plural[1]
    # "Every minute" has no blank, "Every %(count)d minutes" has one
    return _blanks(one) in (_blanks(entry.msgid), _blanks(entry.msgid_plural)) and (
        _blanks(many) == _blanks(entry.msgid_plural)
    )


def _blanks(text: str) -> set[str]:
    return {part.partition(")")[0] for part in text.split("%(")[1:]}


@pytest.mark.parametrize("language", ["es", "es-mx", "es-es", "es-ar"])
def test_every_spanish_reads_the_library_in_spanish(language):
    with override(language):
        assert gettext("Bulk operation") == "Operación masiva"
