"""Cases D to F: events, things that happen at the same time, the queue."""

from __future__ import annotations

from tests.faults.case import DEATHS, HERE, PAYMENTS, REAL, WORKER, Case

CASES = (
    Case(
        "D1",
        "each event five times",
        "webhook",
        "one effect",
        (f"{PAYMENTS}/test_stripe_events.py::test_every_event_five_times_has_one_effect",),
    ),
    Case(
        "D2",
        "events in any order",
        "webhook",
        "stays paid",
        (
            f"{PAYMENTS}/test_stripe_events.py::test_a_deposit_is_recorded_once_in_every_order_of_its_events",
            f"{PAYMENTS}/test_stripe_events.py"
            "::test_a_decline_and_its_paid_link_end_paid_in_every_order_of_their_events",
            f"{PAYMENTS}/test_stripe_events.py::test_a_late_decline_does_not_demote_a_paid_balance",
        ),
    ),
    Case(
        "D4",
        "no event at all",
        "webhook",
        "the janitor completes everything",
        (f"{PAYMENTS}/test_stripe_events.py::test_without_any_event_the_janitor_completes_everything",),
    ),
    Case(
        "D5",
        "bad, old, or signed with the last secret",
        "webhook",
        "400, 400, 200",
        (f"{PAYMENTS}/test_stripe_events.py::test_only_a_fresh_signature_under_one_of_our_secrets_is_taken",),
    ),
    Case(
        "D7",
        "the event's job always fails",
        "job",
        "told, and applied once that is mended",
        (
            f"{PAYMENTS}/test_stripe_events.py"
            "::test_an_event_that_cannot_be_applied_now_stays_received_and_is_applied_later",
            f"{PAYMENTS}/test_unfinished.py"
            "::test_work_that_waits_too_long_is_told_with_the_number_of_its_list",
            f"{PAYMENTS}/test_unfinished.py::test_work_whose_job_has_ended_without_it_is_done_by_another_job",
        ),
    ),
    Case(
        "D9",
        "unknown object or type",
        "webhook",
        "kept: parked, or ignored with a reason",
        (
            f"{PAYMENTS}/test_inbox.py::test_an_event_of_an_unknown_shape_is_kept_for_a_person",
            f"{PAYMENTS}/test_stripe_events.py"
            "::test_an_event_that_concerns_no_payment_of_ours_is_kept_and_ignored_with_a_reason",
        ),
    ),
    Case(
        "D11",
        "many events in a minute",
        "webhook",
        "99 of 100 answered within 200 ms",
        (f"{HERE}/test_queue.py::test_events_are_answered_within_200_ms",),
        note="One process answers 1,000, without a web server before it.",
    ),
    Case(
        "D12",
        "the balance is paid by its link",
        "webhook",
        "no new balance is scheduled",
        (
            f"{PAYMENTS}/test_payment_link.py"
            "::test_a_balance_paid_through_the_link_is_not_charged_to_the_saved_card_nor_scheduled_again",
        ),
    ),
    Case(
        "D13",
        "a process dies between event and job",
        "inbox",
        "both or neither",
        (
            f"{PAYMENTS}/test_stripe_events.py::test_an_event_is_stored_and_its_job_deferred_in_one_transaction",
            DEATHS,
        ),
    ),
    Case(
        "E1",
        "scan, job, shell and webhook at once",
        "claim",
        "one live attempt",
        (
            f"{REAL}/test_charged_exactly_once.py"
            "::test_scan_job_shell_and_webhook_at_once_drive_one_attempt_to_one_charge",
        ),
        note="With 64 drivers and two workers.",
    ),
    Case(
        "E2",
        "many schedulers",
        "schedule",
        "one run a tick",
        (
            f"{REAL}/test_mission_rows.py"
            "::test_row_17_many_schedulers_that_look_at_the_same_minute_defer_each_tick_once",
        ),
    ),
    Case(
        "E5",
        "a change of dates during a charge",
        "claim to record",
        "one sum wins, the ledger agrees",
        (
            f"{HERE}/test_same_moment.py::test_a_change_of_dates_at_each_point_of_a_charge_leaves_one_sum",
            f"{PAYMENTS}/test_last_look.py::test_an_attempt_whose_payment_has_another_amount_takes_nothing",
        ),
    ),
    Case(
        "E7",
        "cancelled twice",
        "settlement",
        "one settlement",
        (
            f"{PAYMENTS}/test_cancellation.py::test_cancelling_twice_settles_once",
            f"{HERE}/test_same_moment.py::test_a_cancellation_at_each_point_of_a_charge_is_settled_once",
        ),
    ),
    Case(
        "E9",
        "the button of the deposit, 100 times",
        "claim",
        "one page",
        (f"{PAYMENTS}/test_deposit.py::test_the_deposit_page_is_one_page_however_often_it_is_asked_for",),
    ),
    Case(
        "E10",
        "a deadlock",
        "claim, last look, record",
        "tried again, no peso moved",
        (f"{HERE}/test_database.py::test_a_deadlock_at_a_commit_is_tried_again",),
    ),
    Case(
        "E11",
        "the booking's row is locked",
        "claim",
        "put off, not failed",
        (
            f"{REAL}/test_no_lock_during_a_call.py"
            "::test_a_booking_that_somebody_has_locked_keeps_no_other_guest_waiting",
        ),
    ),
    Case(
        "E12",
        "an answer that is out of date",
        "every call that reads",
        "nothing is decided by it for good",
        (f"{HERE}/test_stripe_away.py::test_an_answer_out_of_date_decides_nothing",),
    ),
    Case(
        "F1",
        "the charge waits 30 days ahead",
        "locks of the queue",
        "a refund still runs",
        (
            f"{PAYMENTS}/test_cancellation.py"
            "::test_a_refund_does_not_wait_for_the_charge_that_is_scheduled_weeks_ahead",
        ),
    ),
    Case(
        "F2",
        "a queueing lock is taken",
        "the booking's transaction",
        "the booking commits",
        (f"{PAYMENTS}/test_deposit.py::test_a_charge_that_waits_already_does_not_spoil_the_confirmation",),
    ),
    Case(
        "F3",
        "no worker from 2:50 to 3:20",
        "the task of 3:00",
        "it runs that day",
        (
            f"{REAL}/test_mission_rows.py"
            "::test_row_2_workers_that_were_down_from_ten_to_three_until_noon_complete_stays_that_day",
        ),
    ),
    Case(
        "F6",
        "a job that kills its worker",
        "queue",
        "parked; the others run",
        (f"{WORKER}/test_losses.py::test_a_job_that_kills_its_process_twice_is_parked_with_what_is_known",),
    ),
    Case(
        "F7",
        "no such booking",
        "arguments",
        "not_found",
        (
            f"{PAYMENTS}/test_charge.py::test_a_booking_that_does_not_exist_answers_not_found",
            f"{PAYMENTS}/test_charge.py::test_a_booking_that_vanished_while_its_job_waited_ends_its_job",
        ),
    ),
    Case(
        "F10",
        "rolled back after a defer",
        "transaction",
        "no job",
        (
            f"{PAYMENTS}/test_deposit.py"
            "::test_a_confirmation_that_is_rolled_back_leaves_neither_booking_nor_balance_nor_job",
        ),
    ),
    Case(
        "F11",
        "100,000 jobs wait",
        "claiming jobs",
        "a due charge is the next to run",
        (f"{HERE}/test_queue.py::test_behind_a_hundred_thousand_jobs_a_due_charge_runs_next",),
    ),
    Case(
        "F12",
        "finished jobs are deleted",
        "all the time",
        "nothing hangs on them",
        (f"{HERE}/test_queue.py::test_no_protocol_hangs_on_a_job_that_has_ended",),
    ),
    Case(
        "F13",
        "a job that takes all memory",
        "process",
        "the others run again; it is parked",
        (
            f"{WORKER}/test_losses.py::test_neighbours_of_a_job_that_kills_its_process_lose_no_attempt",
            f"{WORKER}/test_losses.py::test_a_job_that_kills_its_process_twice_is_parked_with_what_is_known",
        ),
        note="Parked after the second death.",
    ),
)
