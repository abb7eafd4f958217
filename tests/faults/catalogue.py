"""The faults the house is held against, each by its id, with the tests that hold it; and the points of death.

The ids are stable: they name a fault in the record and in reports. What has nothing to strike in this house
says so instead of naming a test.
"""

from __future__ import annotations

from dataclasses import dataclass

_PAYMENTS = "tests/integration/payments"
_BOOKINGS = "tests/integration/bookings"
_QUEUE = "tests/integration/procrastinate_tasks"
_REAL = "tests/acceptance"
_WORKER = "tests/acceptance/procrastinate_tasks/worker"
_HERE = "tests/faults/test_cases.py"
_DEATHS = "tests/faults/test_points.py::test_a_death_at_each_point_costs_no_peso"
_ANSWERS = "tests/faults/test_points.py::test_each_call_may_be_answered_badly"
_KILLED = f"{_REAL}/test_charged_exactly_once.py::test_a_worker_killed_at_any_step_charges_each_balance_once"


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, where it strikes, what must hold then, and the tests that say whether it does.

    Attributes:
        nothing: why there is nothing to strike here; then there are no tests.
        note: where what is tested is smaller than what the case asks for, or built otherwise.
    """

    id: str
    fault: str
    where: str
    holds: str
    tests: tuple[str, ...] = ()
    nothing: str = ""
    note: str = ""


_NO_FEED = "no calendar of another house is read"

CASES = (
    Case("A1", "kill -9", "after the claim", "the same attempt goes on", (_KILLED, _DEATHS)),
    Case(
        "A2",
        "kill -9",
        "intent created, id not stored",
        "no second intent can take money",
        (_KILLED, _DEATHS),
    ),
    Case(
        "A3",
        "kill -9",
        "after the last look, before the confirmation",
        "one confirmation",
        (_KILLED, _DEATHS),
    ),
    Case("A4", "kill -9", "confirmation not sent yet", "one confirmation after the lease", (_DEATHS,)),
    Case(
        "A5",
        "kill -9",
        "money taken, answer never read",
        "paid within two minutes without webhooks",
        (_KILLED, f"{_HERE}::test_money_whose_answer_nobody_read_is_recorded_within_two_minutes"),
    ),
    Case("A6", "kill -9", "answer read, not recorded", "paid once, posted once", (_KILLED, _DEATHS)),
    Case(
        "A7",
        "kill -9",
        "recorded, the job not ended",
        "the job answers already_paid",
        (
            f"{_REAL}/test_charged_exactly_once.py"
            "::test_a_worker_killed_after_the_record_and_before_its_job_ends_charges_once",
        ),
    ),
    Case(
        "A9",
        "kill -9",
        "page made, not stored",
        "its address is shown to nobody",
        (
            _DEATHS,
            f"{_PAYMENTS}/test_holds.py::test_a_page_that_was_made_late_for_a_dead_attempt_is_shown_to_nobody",
            f"{_PAYMENTS}/test_deposit.py"
            "::test_a_deposit_page_whose_address_was_never_stored_is_stored_by_the_janitor",
        ),
    ),
    Case(
        "A10",
        "kill -9",
        "page stored, e-mail not sent",
        "the e-mail is sent once",
        (_DEATHS,),
        note="A worker that dies between the mail server's answer and its own note sends it again, under the"
        " same Message-ID.",
    ),
    Case(
        "A12",
        "Postgres ends every session",
        "claim, last look, record, inbox",
        "it goes on; nothing committed is lost",
        (f"{_HERE}::test_a_database_that_goes_away_at_a_commit_costs_no_peso",),
    ),
    Case(
        "B1",
        "no connection",
        "create, confirm, cancel, expire",
        "never taken for a failure",
        (
            _ANSWERS,
            f"{_PAYMENTS}/test_charge_faults.py::test_a_fault_that_passes_costs_a_retry_and_no_peso",
            f"{_PAYMENTS}/test_charge_faults.py"
            "::test_a_fault_while_the_intent_is_cancelled_never_leaves_it_open",
        ),
    ),
    Case(
        "B2",
        "time-out after success",
        "confirm",
        "unknown, then paid",
        (
            f"{_PAYMENTS}/test_charge_faults.py"
            "::test_a_timeout_after_the_money_was_taken_is_an_unknown_outcome_until_the_janitor_asks",
        ),
    ),
    Case(
        "B3",
        "time-out after a decline",
        "confirm",
        "declined once, one step of dunning",
        (
            f"{_PAYMENTS}/test_charge_faults.py"
            "::test_a_timeout_after_a_decline_is_learnt_as_a_decline_with_one_link",
            f"{_PAYMENTS}/test_dunning.py::test_a_decline_whose_answer_was_lost_is_one_step",
        ),
    ),
    Case(
        "B6",
        "409, the key is in use",
        "two drivers",
        "one waits, one records",
        (
            f"{_PAYMENTS}/test_charge_faults.py::test_a_fault_that_passes_costs_a_retry_and_no_peso",
            f"{_REAL}/test_charged_exactly_once.py"
            "::test_scan_job_shell_and_webhook_at_once_drive_one_attempt_to_one_charge",
        ),
    ),
    Case(
        "B7",
        "429 again and again",
        "a scan of many",
        "all are charged, other queues unhurt",
        (
            f"{_HERE}::test_a_storm_of_429_delays_charges_and_loses_none",
            f"{_PAYMENTS}/test_charge_faults.py"
            "::test_stripe_asking_for_patience_delays_every_charge_and_loses_none",
        ),
        note="With 40 balances and every second call refused; tries are 30 s apart, without jitter.",
    ),
    Case(
        "B8",
        "400, other parameters",
        "create under a used key",
        "no new key; a person is told",
        (
            f"{_PAYMENTS}/test_charge_faults.py"
            "::test_another_request_under_a_used_key_is_refused_and_gets_no_new_key",
            f"{_PAYMENTS}/test_unfinished.py::test_a_charge_in_doubt_is_told_with_the_number_of_its_list",
        ),
    ),
    Case(
        "B9",
        "401, key revoked",
        "any call",
        "charging pauses, nothing has failed",
        (
            f"{_PAYMENTS}/test_charge_faults.py"
            "::test_a_worker_that_meets_a_revoked_key_pauses_charging_and_costs_the_job_nothing",
            f"{_REAL}/test_mission_rows.py::test_row_8_a_refused_key_stops_the_queue_and_fails_nothing",
        ),
    ),
    Case(
        "B12",
        "create answers succeeded",
        "create",
        "recorded, no confirmation",
        (
            f"{_PAYMENTS}/test_charge.py"
            "::test_an_intent_that_succeeds_when_it_is_created_is_recorded_without_a_confirmation",
        ),
    ),
    Case(
        "B13",
        "an answer after 29 s",
        "confirm",
        "nobody else takes over meanwhile",
        (f"{_HERE}::test_an_answer_after_29_seconds_meets_nobody_at_its_attempt",),
    ),
    Case(
        "B14",
        "no name is resolved for 2 h",
        "every call",
        "all charged within 30 min afterwards, once each",
        (f"{_HERE}::test_after_two_hours_without_stripe_all_is_charged_within_half_an_hour",),
    ),
    Case(
        "B16",
        "customer or card deleted",
        "confirm",
        "missing_method, a link is sent",
        (
            f"{_PAYMENTS}/test_charge_faults.py"
            "::test_a_customer_deleted_at_stripe_leads_to_a_link_that_works",
            f"{_PAYMENTS}/test_charge_faults.py::test_a_card_removed_at_stripe_leads_to_a_link_that_works",
        ),
    ),
    Case(
        "B17",
        "an outage begins while many are confirmed",
        "confirm",
        "each is charged once",
        (f"{_HERE}::test_an_outage_in_the_middle_of_many_confirmations_charges_each_once",),
        note="With 40 balances.",
    ),
    Case(
        "C1",
        "authentication_required",
        "confirm",
        "the intent is cancelled before there is a link",
        (
            f"{_PAYMENTS}/test_charge.py"
            "::test_the_intent_is_cancelled_before_the_guest_hears_of_a_payment_link",
            f"{_PAYMENTS}/test_charge.py"
            "::test_no_link_is_sent_while_it_is_not_proven_that_the_intent_is_cancelled",
        ),
    ),
    Case(
        "C3",
        "the link in two tabs, with two cards",
        "Checkout",
        "one charge",
        (f"{_PAYMENTS}/test_payment_link.py::test_a_page_open_in_two_tabs_takes_one_of_two_cards",),
    ),
    Case(
        "C5",
        "no funds, then funds",
        "dunning",
        "charged once",
        (
            f"{_PAYMENTS}/test_dunning.py::test_a_soft_decline_is_tried_again_and_paid_once_when_there_are_funds",
        ),
        note="A next try is a new attempt with an intent of its own: the declined one is cancelled first.",
    ),
    Case(
        "C6",
        "stolen card, do_not_try_again",
        "confirm",
        "no other try, the link only",
        (
            f"{_PAYMENTS}/test_dunning.py"
            "::test_a_hard_decline_and_one_that_needs_the_guest_are_never_tried_again",
        ),
    ),
    Case(
        "C7",
        "the guest replaces the card",
        "before the next try",
        "the new one is used",
        nothing="a saved card is not replaced: the link takes any card",
    ),
    Case(
        "C8",
        "completed, payment_status unpaid",
        "a page whose money takes days",
        "not paid before the money is there",
        (f"{_HERE}::test_a_page_whose_money_takes_days_is_paid_when_it_is_there",),
    ),
    Case(
        "C9",
        "the money never comes",
        "a page whose money takes days",
        "the guest can pay again",
        (f"{_HERE}::test_a_page_whose_money_never_comes_can_be_paid_by_another",),
    ),
    Case(
        "C10",
        "no mail server for 6 h",
        "e-mail",
        "the link is sent once afterwards",
        (
            f"{_HERE}::test_a_link_is_sent_once_when_the_mail_server_is_back_after_six_hours",
            f"{_PAYMENTS}/test_dunning.py"
            "::test_no_link_is_sent_for_what_was_paid_before_the_mail_server_came_back",
        ),
    ),
    Case(
        "D1",
        "each event five times",
        "webhook",
        "one effect",
        (f"{_PAYMENTS}/test_stripe_events.py::test_every_event_five_times_has_one_effect",),
    ),
    Case(
        "D2",
        "events in any order",
        "webhook",
        "stays paid",
        (
            f"{_PAYMENTS}/test_stripe_events.py"
            "::test_a_deposit_is_recorded_once_in_every_order_of_its_events",
            f"{_PAYMENTS}/test_stripe_events.py"
            "::test_a_decline_and_its_paid_link_end_paid_in_every_order_of_their_events",
            f"{_PAYMENTS}/test_stripe_events.py::test_a_late_decline_does_not_demote_a_paid_balance",
        ),
    ),
    Case(
        "D4",
        "no event at all",
        "webhook",
        "the janitor completes everything",
        (f"{_PAYMENTS}/test_stripe_events.py::test_without_any_event_the_janitor_completes_everything",),
    ),
    Case(
        "D5",
        "bad, old, or signed with the last secret",
        "webhook",
        "400, 400, 200",
        (
            f"{_PAYMENTS}/test_stripe_events.py"
            "::test_only_a_fresh_signature_under_one_of_our_secrets_is_taken",
        ),
    ),
    Case(
        "D7",
        "the event's job always fails",
        "job",
        "told, and applied once that is mended",
        (
            f"{_PAYMENTS}/test_stripe_events.py"
            "::test_an_event_that_cannot_be_applied_now_stays_received_and_is_applied_later",
            f"{_PAYMENTS}/test_unfinished.py"
            "::test_work_that_waits_too_long_is_told_with_the_number_of_its_list",
            f"{_PAYMENTS}/test_unfinished.py"
            "::test_work_whose_job_has_ended_without_it_is_done_by_another_job",
        ),
    ),
    Case(
        "D9",
        "unknown object or type",
        "webhook",
        "kept: parked, or ignored with a reason",
        (
            f"{_PAYMENTS}/test_inbox.py::test_an_event_of_an_unknown_shape_is_kept_for_a_person",
            f"{_PAYMENTS}/test_stripe_events.py"
            "::test_an_event_that_concerns_no_payment_of_ours_is_kept_and_ignored_with_a_reason",
        ),
    ),
    Case(
        "D11",
        "many events in a minute",
        "webhook",
        "99 of 100 answered within 200 ms",
        (f"{_HERE}::test_events_are_answered_within_200_ms",),
        note="One process answers 1,000, without a web server before it.",
    ),
    Case(
        "D12",
        "the balance is paid by its link",
        "webhook",
        "no new balance is scheduled",
        (
            f"{_PAYMENTS}/test_payment_link.py"
            "::test_a_balance_paid_through_the_link_is_not_charged_to_the_saved_card_nor_scheduled_again",
        ),
    ),
    Case(
        "D13",
        "a process dies between event and job",
        "inbox",
        "both or neither",
        (
            f"{_PAYMENTS}/test_stripe_events.py::test_an_event_is_stored_and_its_job_deferred_in_one_transaction",
            _DEATHS,
        ),
    ),
    Case(
        "E1",
        "scan, job, shell and webhook at once",
        "claim",
        "one live attempt",
        (
            f"{_REAL}/test_charged_exactly_once.py"
            "::test_scan_job_shell_and_webhook_at_once_drive_one_attempt_to_one_charge",
        ),
        note="With 12 drivers and two workers.",
    ),
    Case(
        "E2",
        "many schedulers",
        "schedule",
        "one run a tick",
        (
            f"{_REAL}/test_mission_rows.py"
            "::test_row_17_many_schedulers_that_look_at_the_same_minute_defer_each_tick_once",
        ),
    ),
    Case(
        "E5",
        "a change of dates during a charge",
        "claim to record",
        "one sum wins, the ledger agrees",
        (
            f"{_HERE}::test_a_change_of_dates_at_each_point_of_a_charge_leaves_one_sum",
            f"{_PAYMENTS}/test_last_look.py::test_an_attempt_whose_payment_has_another_amount_takes_nothing",
        ),
    ),
    Case(
        "E7",
        "cancelled twice",
        "settlement",
        "one settlement",
        (
            f"{_PAYMENTS}/test_cancellation.py::test_cancelling_twice_settles_once",
            f"{_HERE}::test_a_cancellation_at_each_point_of_a_charge_is_settled_once",
        ),
    ),
    Case(
        "E9",
        "the button of the deposit, 100 times",
        "claim",
        "one page",
        (f"{_PAYMENTS}/test_deposit.py::test_the_deposit_page_is_one_page_however_often_it_is_asked_for",),
    ),
    Case(
        "E10",
        "a deadlock",
        "claim, last look, record",
        "tried again, no peso moved",
        (f"{_HERE}::test_a_deadlock_at_a_commit_is_tried_again",),
    ),
    Case(
        "E11",
        "the booking's row is locked",
        "claim",
        "put off, not failed",
        (
            f"{_REAL}/test_no_lock_during_a_call.py"
            "::test_a_booking_that_somebody_has_locked_keeps_no_other_guest_waiting",
        ),
    ),
    Case(
        "E12",
        "an answer that is out of date",
        "every call that reads",
        "nothing is decided by it for good",
        (f"{_HERE}::test_an_answer_out_of_date_decides_nothing",),
    ),
    Case(
        "F1",
        "the charge waits 30 days ahead",
        "locks of the queue",
        "a refund still runs",
        (
            f"{_PAYMENTS}/test_cancellation.py"
            "::test_a_refund_does_not_wait_for_the_charge_that_is_scheduled_weeks_ahead",
        ),
    ),
    Case(
        "F2",
        "a queueing lock is taken",
        "the booking's transaction",
        "the booking commits",
        (f"{_PAYMENTS}/test_deposit.py::test_a_charge_that_waits_already_does_not_spoil_the_confirmation",),
    ),
    Case(
        "F3",
        "no worker from 2:50 to 3:20",
        "the task of 3:00",
        "it runs that day",
        (
            f"{_REAL}/test_mission_rows.py"
            "::test_row_2_workers_that_were_down_from_ten_to_three_until_noon_complete_stays_that_day",
        ),
    ),
    Case(
        "F6",
        "a job that kills its worker",
        "queue",
        "parked; the others run",
        (f"{_WORKER}/test_losses.py::test_a_job_that_kills_its_process_twice_is_parked_with_what_is_known",),
    ),
    Case(
        "F7",
        "no such booking",
        "arguments",
        "not_found",
        (
            f"{_PAYMENTS}/test_charge.py::test_a_booking_that_does_not_exist_answers_not_found",
            f"{_PAYMENTS}/test_charge.py::test_a_booking_that_vanished_while_its_job_waited_ends_its_job",
        ),
    ),
    Case(
        "F10",
        "rolled back after a defer",
        "transaction",
        "no job",
        (
            f"{_PAYMENTS}/test_deposit.py"
            "::test_a_confirmation_that_is_rolled_back_leaves_neither_booking_nor_balance_nor_job",
        ),
    ),
    Case(
        "F11",
        "100,000 jobs wait",
        "claiming jobs",
        "a due charge is the next to run",
        (f"{_HERE}::test_behind_a_hundred_thousand_jobs_a_due_charge_runs_next",),
    ),
    Case(
        "F12",
        "finished jobs are deleted",
        "all the time",
        "nothing hangs on them",
        (f"{_HERE}::test_no_protocol_hangs_on_a_job_that_has_ended",),
    ),
    Case(
        "F13",
        "a job that takes all memory",
        "process",
        "the others run again; it is parked",
        (
            f"{_WORKER}/test_losses.py::test_neighbours_of_a_job_that_kills_its_process_lose_no_attempt",
            f"{_WORKER}/test_losses.py::test_a_job_that_kills_its_process_twice_is_parked_with_what_is_known",
        ),
        note="Parked after the second death.",
    ),
    Case(
        "G1",
        "64 guests want overlapping nights",
        "hold",
        "no night is sold twice, no deadlock",
        (
            f"{_REAL}/test_nights_are_sold_once.py"
            "::test_of_64_guests_who_want_overlapping_nights_no_two_share_one_and_none_meets_a_deadlock",
        ),
    ),
    Case(
        "G2",
        "out and in on the same day",
        "hold",
        "allowed",
        (f"{_BOOKINGS}/test_constraints.py::test_a_stay_may_begin_on_the_day_another_ends",),
    ),
    Case(
        "G5",
        "a hold renewed for ever",
        "payment page",
        "capped",
        (
            f"{_PAYMENTS}/test_holds.py"
            "::test_refusals_do_not_prolong_a_hold_however_often_they_are_asked_for",
            f"{_BOOKINGS}/test_hold_caps.py::test_the_same_home_is_not_held_again_and_again_all_day",
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
            f"{_BOOKINGS}/test_constraints.py::test_a_living_booking_blocks_exactly_its_nights",
            f"{_BOOKINGS}/test_constraints.py::test_a_quote_never_changes",
        ),
    ),
    Case(
        "G14",
        "1 or 366 nights, past, reversed, too many guests",
        "form and SQL",
        "refused twice",
        (
            f"{_BOOKINGS}/test_services.py::test_nights_that_break_a_rule_are_refused_with_what_to_do",
            f"{_BOOKINGS}/test_services.py::test_more_guests_than_beds_are_refused",
            f"{_BOOKINGS}/test_constraints.py::test_a_quote_keeps_the_rules_of_its_property",
        ),
    ),
    Case(
        "G15",
        "nights already slept are moved",
        "change of dates",
        "refused",
        (f"{_PAYMENTS}/test_date_changes.py::test_nights_already_slept_do_not_move",),
    ),
    Case(
        "H1",
        "kill -9",
        "each step of a refund",
        "one refund",
        (
            _DEATHS,
            f"{_PAYMENTS}/test_refunds.py::test_a_refund_is_paid_once_whatever_becomes_of_its_request",
        ),
    ),
    Case(
        "H2",
        "a refund comes back days later",
        "webhook",
        "owed again, the guest is told",
        (f"{_PAYMENTS}/test_returned_refunds.py::test_the_guest_is_told_once_however_often_stripe_says_so",),
    ),
    Case(
        "H4",
        "three parts, then all",
        "refund",
        "no more than was taken",
        (
            f"{_PAYMENTS}/test_refunds_by_hand.py"
            "::test_our_own_refunds_in_part_leave_room_for_those_of_others",
            f"{_PAYMENTS}/test_refunds.py::test_the_database_refuses_a_refund_of_more_than_was_taken",
        ),
    ),
    Case(
        "H6",
        "a dispute is opened, won, lost",
        "webhook",
        "posted once; collecting stops",
        (
            f"{_PAYMENTS}/test_disputes.py::test_the_ledger_moves_once_in_every_order_of_events",
            f"{_PAYMENTS}/test_disputes.py::test_the_balance_of_a_disputed_booking_is_not_charged",
            f"{_PAYMENTS}/test_dunning.py::test_a_dispute_stops_the_tries_until_it_is_won",
        ),
    ),
    Case(
        "H7",
        "a refund of disputed money",
        "admin",
        "refused",
        (
            f"{_PAYMENTS}/test_disputes.py"
            "::test_disputed_money_is_not_refunded_and_stays_owed_until_the_dispute_is_won",
            f"{_PAYMENTS}/test_constraints.py::test_disputed_money_is_not_refunded",
        ),
    ),
    Case(
        "H8",
        "cancelled seven days ahead, at midnight",
        "rules",
        "the property's date decides",
        (
            f"{_PAYMENTS}/test_cancellation.py"
            "::test_what_the_house_keeps_follows_from_the_day_at_the_property",
        ),
    ),
    Case(
        "H10",
        "all that was paid, cancelled in time",
        "settlement",
        "all comes back",
        (
            f"{_PAYMENTS}/test_date_changes.py"
            "::test_everything_a_moved_and_cheaper_stay_paid_comes_back_when_it_is_cancelled_in_time",
        ),
    ),
    Case(
        "X2",
        "a clock that is wrong",
        "host",
        "nothing is charged from 60 s on",
        (
            f"{_PAYMENTS}/test_charge_faults.py::test_nothing_is_charged_by_a_clock_that_is_wrong",
            f"{_PAYMENTS}/test_last_look.py"
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
    Case("X5", "deploy", "each step", "as a death", (_DEATHS,)),
    Case(
        "X6",
        "rows of a newer release",
        "every path",
        "left alone",
        (f"{_PAYMENTS}/test_last_look.py::test_every_path_leaves_a_charge_that_a_newer_release_has_begun",),
    ),
    Case(
        "X7",
        "charging is paused",
        "between claim and confirmation",
        "no confirmation afterwards",
        (
            f"{_HERE}::test_a_pause_at_each_point_of_a_charge_takes_nothing_until_it_ends",
            f"{_PAYMENTS}/test_charging_paused.py"
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
        (f"{_BOOKINGS}/test_services.py::test_the_guests_link_opens_their_booking_and_no_other",),
    ),
    Case(
        "X11",
        "UPDATE and DELETE",
        "ledger, inbox",
        "refused",
        (
            f"{_PAYMENTS}/test_constraints.py::test_the_ledger_is_append_only",
            f"{_PAYMENTS}/test_constraints.py::test_what_stripe_told_us_is_kept_as_it_came",
        ),
    ),
    Case(
        "X13",
        "a migration fails half-way",
        "release",
        "the old release goes on charging",
        (
            f"{_REAL}/test_release.py"
            "::test_the_old_release_goes_on_charging_while_a_migration_cannot_get_its_lock",
        ),
    ),
    Case(
        "X14",
        "Postgres cannot commit",
        "last look",
        "no confirmation without it",
        (f"{_HERE}::test_without_a_committed_last_look_nothing_is_confirmed",),
    ),
)

# Where a process can die, and as which case that counts. A point that is reached and not here fails a test.
POINTS = {
    "call GET account of payments.unexplained _read_account": "X5",
    "call GET checkout/sessions of payments.driver _require_nothing_unexplained": "X5",
    "call GET checkout/sessions of payments.unexplained _readable": "X5",
    "call GET checkout/sessions/cs of payments.driver _look_at_session": "A5",
    "call GET disputes of payments.protocols.reconcile _reconcile_disputes": "X5",
    "call GET disputes/dp of payments.disputes look": "H6",
    "call GET payment_intents of payments.driver _drive_checkout": "A9",
    "call GET payment_intents of payments.driver _find_intent": "A1",
    "call GET payment_intents of payments.protocols.reconcile _reconcile_charges": "X5",
    "call GET payment_intents of payments.unexplained _readable": "X5",
    "call GET payment_intents/pi of payments.driver _confirm": "A6",
    "call GET payment_intents/pi of payments.driver _drive_off_session": "A5",
    "call GET payment_intents/pi of payments.driver _record_paid_session": "A6",
    "call GET payment_intents/pi of payments.driver refresh": "A5",
    "call GET refunds of payments.protocols.reconcile _reconcile_refunds": "H1",
    "call GET refunds of payments.refunds _find": "H1",
    "call GET refunds of payments.refunds learn": "H1",
    "call GET refunds of payments.unexplained _readable": "X5",
    "call GET refunds/re of payments.protocols.stripe_event _apply_to_refund": "H2",
    "call POST checkout/sessions of payments.driver _drive_checkout": "A9",
    "call POST checkout/sessions/cs/expire of payments.driver _expire": "A9",
    "call POST payment_intents of payments.driver _drive_off_session": "A2",
    "call POST payment_intents/pi/cancel of payments.driver _cancel": "C1",
    "call POST payment_intents/pi/confirm of payments.driver _confirm": "A5",
    "call POST refunds of payments.refunds _create": "H1",
    "commit bookings.services _expire_some_holds": "X5",
    "commit bookings.services complete_departed": "X5",
    "commit payments.ledger.claims claim_balance": "A1",
    "commit payments.ledger.claims claim_checkout": "A9",
    "commit payments.ledger.claims claim_payment": "A1",
    "commit payments.ledger.claims restore_attempt": "X5",
    "commit payments.ledger.disputes record_dispute": "H6",
    "commit payments.ledger.last_look permit_confirmation": "A3",
    "commit payments.ledger.mismatches close_agreed": "X5",
    "commit payments.ledger.outcomes note_decline": "B3",
    "commit payments.ledger.outcomes note_unknown": "B2",
    "commit payments.ledger.outcomes record_intent": "A6",
    "commit payments.ledger.outcomes record_refusal": "B16",
    "commit payments.ledger.outcomes record_session_expired": "A9",
    "commit payments.ledger.outcomes store_intent": "A2",
    "commit payments.ledger.outcomes store_session": "A9",
    "commit payments.ledger.refunds book_refund": "H4",
    "commit payments.ledger.refunds record_refund": "H1",
    "commit payments.memory lock": "X5",
    "commit payments.memory note_compared": "X5",
    "commit payments.memory read": "X5",
    "commit payments.memory unlock": "X5",
    "commit payments.panels.pay_again pay_again": "H2",
    "commit payments.protocols.cancellation settle_cancellation": "E7",
    "commit payments.protocols.guest_email send_guest_email": "A10",
    "commit payments.protocols.rebuild _restore_payment": "X5",
    "commit payments.protocols.stripe_event apply_stripe_event": "D13",
    "commit payments.services _claim_page": "A9",
    "commit payments.services change_dates": "E5",
    "commit payments.services request_cancellation": "E7",
    "commit payments.webhooks _store": "D13",
}
