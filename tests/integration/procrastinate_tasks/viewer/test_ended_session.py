"""What a page that was left open gets once nobody is logged in any more."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.django_db

LIVE = {"X-Live-Region": "1"}


@pytest.mark.parametrize("name", ["queue_dashboard", "queue_jobs", "queue_failures", "queue_audit"])
def test_a_script_is_told_and_a_person_is_led_to_the_login(client: Client, name: str):
    address = reverse(f"admin:{name}")

    assert client.get(address, headers=LIVE).status_code == 401
    answer = client.get(address)
    assert (answer.status_code, answer["Location"]) == (302, f"{reverse('admin:login')}?next={address}")


def test_the_state_is_for_scripts_alone(client: Client):
    answer = client.get(reverse("admin:queue_state_json"))

    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Session")


def test_who_is_logged_in_and_not_of_the_office_is_told_too(client: Client):
    client.force_login(User.objects.create_user("guest"))

    assert client.get(reverse("admin:queue_jobs"), headers=LIVE).status_code == 401


def test_who_may_not_see_jobs_is_refused_in_words_and_not_sent_to_log_in(client: Client):
    client.force_login(User.objects.create_user("clerk", is_staff=True))

    assert client.get(reverse("admin:queue_jobs"), headers=LIVE).status_code == 403
