"""The Spanish catalogues are complete, compiled, and agree with each other."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polib
import pytest
from django.utils.translation import gettext, ngettext, override
from django.utils.translation.template import templatize

from procrastinate_tasks.formatting import moment_in_words

REPOSITORY = Path(__file__).parents[2]
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


# Where the office is spoken to; what guests read says tú.
_OFFICE = (
    "job_descriptions",
    "job_sentences",
    "monitoring",
    "unfinished",
    "setup_checks",
    "panels/",
    "admin.py",
)
_TO_A_FRIEND = re.compile(
    r"\b(mira|revisa|pon|usa|escribe|corrige|aplica (?!el evento)|agrega|aumenta|reinicia|reanuda|lee (?!en )"
    r"|quita|intenta|baja|consulta|instala|inicia un[oa]|elimina|copia|vuelve|no vuelvas|tus?)\b",
    re.IGNORECASE,
)
_OTHER_WORDS = re.compile(r"trabajador|periódico|candado de cola|en definitiva|diferir", re.IGNORECASE)


def _words_of(entry: polib.POEntry) -> list[str]:
    return [entry.msgstr, *entry.msgstr_plural.values()]


def _office_words() -> Iterator[str]:
    for path in CATALOGUES:
        for entry in polib.pofile(str(path)):
            places = [name for name, _line in entry.occurrences]
            if path.parts[-5] == "procrastinate_tasks" or any(
                part in place for place in places for part in _OFFICE
            ):
                yield from _words_of(entry)


def test_the_office_is_addressed_as_usted():
    orders = [words for words in _office_words() if _orders_a_friend(words)]

    assert orders == []


def _orders_a_friend(words: str) -> bool:
    sentences = re.split(r"(?<=[.;:]) |, y (?=después)", words)
    return any(_TO_A_FRIEND.match(sentence) for sentence in sentences)


@pytest.mark.parametrize(
    "words", ["Revisa la red.", "Falló. Mira el error.", "Agrega procesos", "No vuelvas a cobrar"]
)
def test_an_order_to_a_friend_is_noticed(words):
    assert _orders_a_friend(words)


def test_the_guide_of_production_speaks_as_the_office_does():
    guide = (REPOSITORY / "docs" / "guia-de-produccion.md").read_text(encoding="utf-8")

    assert (
        re.findall(r"\b(?:tus?|tuy[oa]s?|trabajador(?:es)?|puedes|tienes|quieres)\b", guide, re.IGNORECASE)
        == []
    )


def test_one_thing_has_one_word_in_the_office():
    assert [words for words in _office_words() if _OTHER_WORDS.search(words)] == []


@pytest.mark.parametrize(("number", "words"), [(1, "1 resultado"), (2, "2 resultados")])
def test_a_list_of_the_admin_counts_in_spanish(number, words):
    with override("es-mx"):
        assert ngettext("%(counter)s result", "%(counter)s results", number) % {"counter": number} == words


def test_a_value_that_another_row_has_is_told_without_guessing_genders():
    told = "%(model_name)s with this %(field_label)s already exists."
    with override("es-mx"):
        words = gettext(told) % {"model_name": "Propiedad", "field_label": "Dirección en el sitio"}

    assert words == "Ya hay un registro de Propiedad con el mismo dato en «Dirección en el sitio»."


def test_a_moment_reads_as_an_office_writes_it():
    at = datetime(2026, 11, 29, 1, 19, 5, tzinfo=ZoneInfo("America/Mexico_City"))

    with override("es-mx"):
        assert moment_in_words(at) == "29 nov 2026, 1:19:05"
        assert moment_in_words(at, to_the_second=False) == "29 nov 2026, 1:19"
