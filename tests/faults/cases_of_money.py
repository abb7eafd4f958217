"""Cases G to X: nights, refunds and disputes, clocks, releases, rights."""

from __future__ import annotations

from tests.faults.case import BOOKINGS, DEATHS, HERE, PAYMENTS, REAL, Case

_NO_FEED = "no calendar of another house is read"

CASES = (
    Case(
        "G1",
        "64 guests want overlapping nights",
        "hold",
        "no night is sold twice, no deadlock",
        (
            f"{REAL}/test_nights_are_sold_once.py"
            "::test_of_64_guests_who_want_overlapping_nights_no_two_share_one_and_none_meets_a_deadlock",
        ),
    ),
    Case(
        "G2",
        "out and in on the same day",
        "hold",
        "allowed",
        (f"{BOOKINGS}/test_constraints.py::test_a_stay_may_begin_on_the_day_another_ends",),
    ),
    Case(
        "G5",
        "a hold renewed for ever",
        "payment page",
        "capped",
        (
            f"{PAYMENTS}/test_holds.py::test_refusals_do_not_prolong_a_hold_however_often_they_are_asked_for",
            f"{BOOKINGS}/test_hold_caps.py::test_the_same_home_is_not_held_again_and_again_all_day",
        ),
    ),
    Case("G8", "an import overlaps a stay", "calendars", "alarm; the stay is untouched", nothing=_NO_FEED),
    Case("G9", "a feed that is cut or empty", "calendars", "nothing is cancelled", nothing=_NO_FEED),
    Case("G10", "a feed whose ids change", "calendars", "no phantom stays", nothing=_NO_FEED),
    Case("G11", "our own calendar comes back", "calendars", "ignored", nothing=_NO_FEED),
    Case("G12", "a feed that hangs or leads inside", "calendars", "refused", nothing=_NO_FEED),
    Case(
        "G13",
        "dates changed by hand",
        "database",
        "the same rules",
        (
            f"{BOOKINGS}/test_constraints.py::test_a_living_booking_blocks_exactly_its_nights",
            f"{BOOKINGS}/test_constraints.py::test_a_quote_never_changes",
        ),
    ),
    Case(
        "G14",
        "1 or 366 nights, past, reversed, too many guests",
        "form and SQL",
        "refused twice",
        (
            f"{BOOKINGS}/test_services.py::test_nights_that_break_a_rule_are_refused_with_what_to_do",
            f"{BOOKINGS}/test_services.py::test_more_guests_than_beds_are_refused",
            f"{BOOKINGS}/test_constraints.py::test_a_quote_keeps_the_rules_of_its_property",
        ),
    ),
    Case(
        "G15",
        "nights already slept are moved",
        "change of dates",
        "refused",
        (f"{PAYMENTS}/test_date_changes.py::test_nights_already_slept_do_not_move",),
    ),
    Case(
        "H1",
        "kill -9",
        "each step of a refund",
        "one refund",
        (
            DEATHS,
            f"{PAYMENTS}/test_refunds.py::test_a_refund_is_paid_once_whatever_becomes_of_its_request",
        ),
    ),
    Case(
        "H2",
        "a refund comes back days later",
        "webhook",
        "owed again, the guest is told",
        (f"{PAYMENTS}/test_returned_refunds.py::test_the_guest_is_told_once_however_often_stripe_says_so",),
    ),
    Case(
        "H4",
        "three parts, then all",
        "refund",
        "no more than was taken",
        (
            f"{PAYMENTS}/test_refunds_by_hand.py"
            "::test_our_own_refunds_in_part_leave_room_for_those_of_others",
            f"{PAYMENTS}/test_refunds.py::test_the_database_refuses_a_refund_of_more_than_was_taken",
        ),
    ),
    Case(
        "H6",
        "a dispute is opened, won, lost",
        "webhook",
        "posted once; collecting stops",
        (
            f"{PAYMENTS}/test_disputes.py::test_the_ledger_moves_once_in_every_order_of_events",
            f"{PAYMENTS}/test_disputes.py::test_the_balance_of_a_disputed_booking_is_not_charged",
            f"{PAYMENTS}/test_dunning.py::test_a_dispute_stops_the_tries_until_it_is_won",
        ),
    ),
    Case(
        "H7",
        "a refund of disputed money",
        "admin",
        "refused",
        (
            f"{PAYMENTS}/test_disputes.py"
            "::test_disputed_money_is_not_refunded_and_stays_owed_until_the_dispute_is_won",
            f"{PAYMENTS}/test_constraints.py::test_disputed_money_is_not_refunded",
        ),
    ),
    Case(
        "H8",
        "cancelled seven days ahead, at midnight",
        "rules",
        "the property's date decides",
        (f"{PAYMENTS}/test_cancellation.py::test_what_the_house_keeps_follows_from_the_day_at_the_property",),
    ),
    Case(
        "H10",
        "all that was paid, cancelled in time",
        "settlement",
        "all comes back",
        (
            f"{PAYMENTS}/test_date_changes.py"
            "::test_everything_a_moved_and_cheaper_stay_paid_comes_back_when_it_is_cancelled_in_time",
        ),
    ),
    Case(
        "X2",
        "a clock that is wrong",
        "host",
        "nothing is charged from 60 s on",
        (
            f"{PAYMENTS}/test_charge_faults.py::test_nothing_is_charged_by_a_clock_that_is_wrong",
            f"{PAYMENTS}/test_last_look.py"
            "::test_a_clock_that_is_wrong_at_the_confirmation_keeps_the_attempt_for_a_right_one",
        ),
    ),
    Case(
        "X4",
        "new time zone rules",
        "dates to come",
        "moved",
        nothing="the instant a balance is due is stored; new rules of a country do not move it",
    ),
    Case("X5", "deploy", "each step", "as a death", (DEATHS,), is_everywhere=True),
    Case(
        "X6",
        "rows of a newer release",
        "every path",
        "left alone",
        (f"{PAYMENTS}/test_last_look.py::test_every_path_leaves_a_charge_that_a_newer_release_has_begun",),
    ),
    Case(
        "X7",
        "charging is paused",
        "between claim and confirmation",
        "no confirmation afterwards",
        (
            f"{HERE}/test_same_moment.py::test_a_pause_at_each_point_of_a_charge_takes_nothing_until_it_ends",
            f"{PAYMENTS}/test_charging_paused.py"
            "::test_no_charge_is_confirmed_while_its_queue_is_paused_and_one_is_after_it",
        ),
    ),
    Case(
        "X8",
        "a test key live, a live key in a test",
        "start",
        "refused",
        (
            "tests/unit/payments/test_policies.py"
            "::test_a_key_is_refused_where_it_would_take_money_by_mistake_or_none",
        ),
    ),
    Case(
        "X10",
        "guessed ids and links",
        "guest pages",
        "nothing is shown",
        (f"{BOOKINGS}/test_services.py::test_the_guests_link_opens_their_booking_and_no_other",),
    ),
    Case(
        "X11",
        "UPDATE and DELETE",
        "ledger, inbox",
        "refused",
        (
            f"{PAYMENTS}/test_constraints.py::test_the_ledger_is_append_only",
            f"{PAYMENTS}/test_constraints.py::test_what_stripe_told_us_is_kept_as_it_came",
        ),
    ),
    Case(
        "X13",
        "a migration fails half-way",
        "release",
        "the old release goes on charging",
        (
            f"{REAL}/test_release.py"
            "::test_the_old_release_goes_on_charging_while_a_migration_cannot_get_its_lock",
        ),
    ),
    Case(
        "X14",
        "Postgres cannot commit",
        "last look",
        "no confirmation without it",
        (f"{HERE}/test_database.py::test_without_a_committed_last_look_nothing_is_confirmed",),
    ),
)
