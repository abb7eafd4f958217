"""The doors of the office: passwords, accounts that lock, sessions that end, a second factor for money."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth.models import Permission, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from freezegun import freeze_time

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
GOOD = "caballo-grapa-sol-9"

pytestmark = pytest.mark.django_db


def sign_in(
    client: Client, password: str = GOOD, *, username: str = "rosa", address: str = "10.0.0.1"
) -> int:
    form = {"username": username, "password": password}
    return client.post("/admin/login/", form, REMOTE_ADDR=address).status_code


def is_inside(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


@pytest.fixture
def owner() -> User:
    return User.objects.create_superuser("rosa", password=GOOD)


# --- Passwords --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["1", "password1234", "123456789012345", "rosahernandez"])
def test_a_password_that_is_guessed_soon_is_refused(password: str):
    with pytest.raises(ValidationError):
        validate_password(password, User(username="rosahernandez"))


def test_a_long_phrase_is_a_password():
    validate_password(GOOD, User(username="rosa"))


# --- Locks ------------------------------------------------------------------------------------------------


def test_an_account_is_locked_whoever_guesses_and_from_wherever(client: Client, owner: User):
    for number in range(10):
        sign_in(client, "wrong", address=f"10.0.1.{number}")

    assert sign_in(client, address="10.0.9.9") == 429
    assert not is_inside(client)


def test_a_lock_opens_by_itself_after_a_quarter_of_an_hour(client: Client, owner: User):
    with freeze_time(NOW):
        for _ in range(10):
            sign_in(client, "wrong")
    with freeze_time(NOW + timedelta(minutes=14)):
        assert sign_in(client) == 429
    with freeze_time(NOW + timedelta(minutes=31)):
        assert sign_in(client) == 302


def test_another_account_is_not_locked_with_it(client: Client, owner: User):
    User.objects.create_superuser("luis", password=GOOD)
    for _ in range(10):
        sign_in(client, "wrong")

    assert sign_in(client, username="luis") == 302


@pytest.mark.parametrize("username", ["x" * 151, "x" * 256, "9" * 50_000])
def test_a_name_longer_than_any_account_has_is_refused_and_not_written_down(client: Client, username: str):
    assert sign_in(client, username=username) == 200

    assert not is_inside(client)
    assert not AccessAttempt.objects.exists()


def test_the_owner_unlocks_somebody(admin_client: Client, owner: User):
    guesser = Client()
    for _ in range(10):
        sign_in(guesser, "wrong")

    admin_client.post("/admin/auth/user/", {"action": "unlock", "_selected_action": [owner.pk]}, follow=True)

    assert sign_in(guesser) == 302


def test_no_address_of_anybody_is_kept(client: Client, owner: User):
    sign_in(client, "wrong")
    sign_in(client)

    assert set(AccessAttempt.objects.values_list("ip_address", flat=True)) <= {None}
    assert not AccessLog.objects.exists()


# --- Sessions ---------------------------------------------------------------------------------------------


def test_a_session_that_nobody_uses_ends(client: Client, owner: User):
    with freeze_time(NOW) as clock:
        sign_in(client)
        assert is_inside(client)
        clock.tick(timedelta(minutes=119))
        assert is_inside(client)
        clock.tick(timedelta(minutes=121))
        assert not is_inside(client)


def test_a_session_ends_after_a_working_day_however_much_it_is_used(client: Client, owner: User):
    with freeze_time(NOW) as clock:
        sign_in(client)
        for _ in range(12):
            assert is_inside(client)
            clock.tick(timedelta(hours=1))
        clock.tick(timedelta(minutes=1))
        assert not is_inside(client)


def test_a_page_that_refreshes_itself_keeps_nobody_signed_in(client: Client, owner: User):
    with freeze_time(NOW) as clock:
        sign_in(client)
        assert is_inside(client)
        for _ in range(13):
            clock.tick(timedelta(minutes=10))
            client.get("/admin/", headers={"sec-fetch-mode": "cors"})
        assert not is_inside(client)


@pytest.mark.parametrize("path", ["/salud/vivo", "/metrics"])
def test_a_probe_asks_the_database_for_no_session(client: Client, owner: User, path: str):
    client.force_login(owner)

    with CaptureQueriesContext(connection) as asked:
        client.get(path)

    assert [query["sql"] for query in asked if "session" in query["sql"]] == []


# --- Second factor ----------------------------------------------------------------------------------------


def code_of(device: TOTPDevice, *, later: int = 0) -> str:
    return f"{totp(device.bin_key) if not later else totp(device.bin_key, drift=later):06d}"


@pytest.fixture
def asked(settings) -> None:
    settings.SECOND_FACTOR_REQUIRED = True


@pytest.mark.usefixtures("asked")
def test_whoever_may_move_money_sets_a_second_factor_up_before_anything_else(client: Client, owner: User):
    with freeze_time(NOW) as clock:
        sign_in(client)
        assert client.get("/admin/payments/refund/").headers["Location"].startswith("/admin/segundo-factor/")
        page = client.get("/admin/segundo-factor/").content.decode()
        device = TOTPDevice.objects.get(user=owner)
        assert "<svg" in page
        assert "style=" not in page.partition("<svg")[2].partition("</svg>")[0]

        wrong = client.post("/admin/segundo-factor/", {"token": "000000"})
        assert 'role="alert"' in wrong.content.decode()
        clock.tick(timedelta(minutes=1))
        codes = client.post("/admin/segundo-factor/", {"token": code_of(device)}).content.decode()

        assert is_inside(client)
        recovery = list(StaticToken.objects.values_list("token", flat=True))
        assert len(recovery) == 10
        assert all(code in codes for code in recovery)


@pytest.mark.usefixtures("asked")
def test_a_password_alone_opens_nothing_afterwards_and_a_recovery_code_opens_it_once(
    client: Client, owner: User
):
    device = TOTPDevice.objects.create(user=owner, confirmed=True, name="app")
    static = StaticDevice.objects.create(user=owner, name="recovery")
    static.token_set.create(token="abcd2345")
    sign_in(client)
    assert not is_inside(client)

    answer = client.post("/admin/segundo-factor/?next=/admin/payments/refund/", {"token": "abcd2345"})

    assert answer.headers["Location"] == "/admin/payments/refund/"
    assert is_inside(client)
    again = Client()
    sign_in(again)
    again.post("/admin/segundo-factor/", {"token": "abcd2345"})
    assert not is_inside(again)
    assert device.pk


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_the_way_on_leads_nowhere_else(client: Client, owner: User, target: str):
    static = StaticDevice.objects.create(user=owner, name="recovery")
    static.token_set.create(token="abcd2345")
    sign_in(client)

    answer = client.post(f"/admin/segundo-factor/?next={target}", {"token": "abcd2345"})

    assert answer.headers["Location"] == "/admin/"


@pytest.mark.usefixtures("asked")
def test_who_only_reads_needs_no_second_factor(client: Client):
    user = User.objects.create_user("ana", password=GOOD, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_booking"))

    assert sign_in(client, username="ana") == 302
    assert is_inside(client)


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("permission", ["retry_money_job", "give_up_refund", "close_reconciliationbreak"])
def test_each_permission_that_moves_money_needs_one(client: Client, permission: str):
    user = User.objects.create_user("ana", password=GOOD, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename=permission))
    sign_in(client, username="ana")

    assert not is_inside(client)


@pytest.mark.usefixtures("asked")
def test_guests_are_asked_for_nothing(client: Client):
    assert client.get("/").status_code == 200


def test_who_lost_the_telephone_sets_up_a_new_one(admin_client: Client, owner: User):
    TOTPDevice.objects.create(user=owner, confirmed=True, name="app")

    admin_client.post(
        "/admin/auth/user/", {"action": "forget_second_factor", "_selected_action": [owner.pk]}, follow=True
    )

    assert not TOTPDevice.objects.filter(user=owner).exists()
