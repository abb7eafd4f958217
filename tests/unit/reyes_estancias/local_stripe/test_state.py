"""What the local Stripe remembers: ids, the state file, settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from reyes_estancias.local_stripe.errors import ParameterRefused
from reyes_estancias.local_stripe.forms import decode_form
from reyes_estancias.local_stripe.journal import Journal, StateFileInUse, StateFileUnreadable
from reyes_estancias.local_stripe.settings import InvalidSetting, Settings, change_settings, read_settings
from reyes_estancias.local_stripe.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deeper" / "stripe.jsonl"


def reopen(journal: Journal) -> Journal:
    journal.close()
    return Journal(journal.path)


def test_what_was_saved_is_there_after_a_restart(path):
    journal = Journal(path)
    journal.store.put("customer", "cus_1", {"name": "Ana"})
    journal.store.put("customer", "cus_2", {"name": "Luis"})
    journal.save()
    journal.store.put("customer", "cus_1", {"name": "Ana María"})
    journal.store.remove("customer", "cus_2")
    journal.save()

    again = reopen(journal)

    assert again.store.rows("customer") == [{"name": "Ana María"}]
    again.close()


def test_what_was_not_saved_is_gone(path):
    journal = Journal(path)
    journal.store.put("customer", "cus_1", {})

    again = reopen(journal)

    assert again.store.rows("customer") == []
    again.close()


def test_a_half_written_last_line_is_left_out(path):
    journal = Journal(path)
    journal.store.put("customer", "cus_1", {"name": "Ana"})
    journal.save()
    journal.close()
    with path.open("ab") as file:
        file.write(b'[["customer","cus_2",{"na')

    again = Journal(path)

    assert again.store.count("customer") == 1
    again.store.put("customer", "cus_3", {})
    again.save()
    last = reopen(again)
    assert last.store.count("customer") == 2
    last.close()


def test_a_restart_shrinks_the_file_to_what_is_there(path):
    journal = Journal(path)
    for number in range(200):
        journal.store.put("customer", "cus_1", {"name": str(number)})
        journal.save()
    grown = path.stat().st_size

    again = reopen(journal)

    assert path.stat().st_size < grown / 50
    again.close()


def test_two_processes_cannot_share_a_state_file(path):
    journal = Journal(path)

    with pytest.raises(StateFileInUse, match="another local Stripe is using"):
        Journal(path)

    journal.close()


@pytest.mark.parametrize("content", [b"hello\n", b'{"seed": "x"}\nnot json\n', b"[]\n"])
def test_a_file_of_something_else_is_refused_and_left_alone(path, content):
    path.parent.mkdir()
    path.write_bytes(content)

    with pytest.raises(StateFileUnreadable, match="is no state file"):
        Journal(path)

    assert path.read_bytes() == content


def test_an_empty_file_is_a_fresh_start(path):
    path.parent.mkdir()
    path.touch()

    journal = Journal(path)

    assert journal.store.rows("customer") == []
    journal.close()


def test_ids_never_come_twice_even_after_a_reset_or_in_another_store():
    store = Store(seed="a")
    ids = [store.next_id("pi_") for _ in range(500)]
    store.clear()
    ids += [store.next_id("pi_") for _ in range(500)]
    ids += [Store(seed="b").next_id("pi_")]

    assert len(set(ids)) == 1001
    assert all(len(each) == len("pi_") + 24 for each in ids)


def test_changes_are_reported_once_and_with_the_last_value():
    store = Store(seed="a")
    row = {"n": 1}
    store.put("customer", "cus_1", row)
    row["n"] = 2
    store.put("customer", "cus_1", row)

    assert store.take_changes() == [("customer", "cus_1", {"n": 2})]
    assert store.take_changes() == []


def test_settings_are_changed_one_by_one_and_survive_a_reset():
    store = Store(seed="a")
    change_settings(store, {"latency_ms": 300})
    change_settings(store, {"webhook_duplicates": 2, "clock_offset_seconds": -60})

    store.clear()

    assert read_settings(store) == Settings(latency_ms=300, webhook_duplicates=2, clock_offset_seconds=-60)


@pytest.mark.parametrize(
    "changes",
    [
        {"latency": 3},
        {"latency_ms": -1},
        {"latency_ms": "3"},
        {"latency_ms": True},
        {"are_webhooks_dropped": 1},
    ],
)
def test_a_setting_that_does_not_exist_or_fit_is_refused(changes):
    store = Store(seed="a")

    with pytest.raises(InvalidSetting, match="it has latency_ms"):
        change_settings(store, changes)

    assert read_settings(store) == Settings()


def test_forms_nest_as_the_sdk_writes_them():
    text = "mode=payment&line_items[0][price_data][currency]=mxn&metadata[a%20b]=&expand[]=x&expand[]=y"

    assert decode_form(text) == {
        "mode": "payment",
        "line_items": {"0": {"price_data": {"currency": "mxn"}}},
        "metadata": {"a b": ""},
        "expand": {"0": "x", "1": "y"},
    }


@pytest.mark.parametrize("text", ["a=1&a[b]=2", "[a]=1", "a[b=1", "a]b[=1"])
def test_a_malformed_name_is_refused(text):
    with pytest.raises(ParameterRefused):
        decode_form(text)
