"""Cases A to C: deaths, Stripe's answers and the way to them, cards and payment pages."""

from __future__ import annotations

from tests.faults.case import ANSWERS, DEATHS, HERE, KILLED, PAYMENTS, REAL, Case

CASES = (
    Case("A1", "kill -9", "after the claim", "the same attempt goes on", (KILLED, DEATHS)),
    Case(
        "A2",
        "kill -9",
        "intent created, id not stored",
        "no second intent can take money",
        (KILLED, DEATHS),
    ),
    Case(
        "A3",
        "kill -9",
        "after the last look, before the confirmation",
        "one confirmation",
        (KILLED, DEATHS),
    ),
    Case("A4", "kill -9", "confirmation not sent yet", "one confirmation after the lease", (DEATHS,)),
    Case(
        "A5",
        "kill -9",
        "money taken, answer never read",
        "paid within two minutes without webhooks",
        (
            KILLED,
            f"{HERE}/test_database.py::test_money_whose_answer_nobody_read_is_recorded_within_two_minutes",
        ),
    ),
    Case("A6", "kill -9", "answer read, not recorded", "paid once, posted once", (KILLED, DEATHS)),
    Case(
        "A7",
        "kill -9",
        "recorded, the job not ended",
        "the job answers already_paid",
        (
            f"{REAL}/test_charged_exactly_once.py"
            "::test_a_worker_killed_after_the_record_and_before_its_job_ends_charges_once",
        ),
    ),
    Case(
        "A9",
        "kill -9",
        "page made, not stored",
        "its address is shown to nobody",
        (
            DEATHS,
            f"{PAYMENTS}/test_holds.py::test_a_page_that_was_made_late_for_a_dead_attempt_is_shown_to_nobody",
            f"{PAYMENTS}/test_deposit.py"
            "::test_a_deposit_page_whose_address_was_never_stored_is_stored_by_the_janitor",
        ),
    ),
    Case(
        "A10",
        "kill -9",
        "page stored, e-mail not sent",
        "the e-mail is sent once",
        (DEATHS,),
        note="A worker that dies between the mail server's answer and its own note sends it again, under the"
        " same Message-ID.",
    ),
    Case(
        "A12",
        "Postgres stops at once",
        "claim, last look, record, inbox",
        "it goes on; nothing committed is lost",
        (
            f"{REAL}/test_database_stops.py::test_a_server_that_stops_at_once_in_a_charge_costs_no_peso",
            f"{REAL}/test_database_stops.py"
            "::test_an_event_that_meets_a_server_that_is_gone_is_taken_when_it_comes_again",
            f"{HERE}/test_database.py::test_a_database_that_goes_away_at_a_commit_costs_no_peso",
        ),
    ),
    Case(
        "B1",
        "no connection",
        "create, confirm, cancel, expire",
        "never taken for a failure",
        (
            ANSWERS,
            f"{PAYMENTS}/test_charge_faults.py::test_a_fault_that_passes_costs_a_retry_and_no_peso",
            f"{PAYMENTS}/test_charge_faults.py"
            "::test_a_fault_while_the_intent_is_cancelled_never_leaves_it_open",
        ),
    ),
    Case(
        "B2",
        "time-out after success",
        "confirm",
        "unknown, then paid",
        (
            f"{PAYMENTS}/test_charge_faults.py"
            "::test_a_timeout_after_the_money_was_taken_is_an_unknown_outcome_until_the_janitor_asks",
        ),
    ),
    Case(
        "B3",
        "time-out after a decline",
        "confirm",
        "declined once, one step of dunning",
        (
            f"{PAYMENTS}/test_charge_faults.py"
            "::test_a_timeout_after_a_decline_is_learnt_as_a_decline_with_one_link",
            f"{PAYMENTS}/test_dunning.py::test_a_decline_whose_answer_was_lost_is_one_step",
        ),
    ),
    Case(
        "B6",
        "409, the key is in use",
        "two drivers",
        "one waits, one records",
        (
            f"{PAYMENTS}/test_charge_faults.py::test_a_fault_that_passes_costs_a_retry_and_no_peso",
            f"{REAL}/test_charged_exactly_once.py"
            "::test_scan_job_shell_and_webhook_at_once_drive_one_attempt_to_one_charge",
        ),
    ),
    Case(
        "B7",
        "429 again and again",
        "a scan of many",
        "all are charged, other queues unhurt",
        (
            f"{HERE}/test_stripe_away.py::test_a_storm_of_429_delays_charges_and_loses_none",
            f"{PAYMENTS}/test_charge_faults.py"
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
            f"{PAYMENTS}/test_charge_faults.py"
            "::test_another_request_under_a_used_key_is_refused_and_gets_no_new_key",
            f"{PAYMENTS}/test_unfinished.py::test_a_charge_in_doubt_is_told_with_the_number_of_its_list",
        ),
    ),
    Case(
        "B9",
        "401, key revoked",
        "any call",
        "charging pauses, nothing has failed",
        (
            f"{PAYMENTS}/test_charge_faults.py"
            "::test_a_worker_that_meets_a_revoked_key_pauses_charging_and_costs_the_job_nothing",
            f"{REAL}/test_mission_rows.py::test_row_8_a_refused_key_stops_the_queue_and_fails_nothing",
        ),
    ),
    Case(
        "B12",
        "create answers succeeded",
        "create",
        "recorded, no confirmation",
        (
            f"{PAYMENTS}/test_charge.py"
            "::test_an_intent_that_succeeds_when_it_is_created_is_recorded_without_a_confirmation",
        ),
    ),
    Case(
        "B13",
        "an answer after 29 s",
        "confirm",
        "nobody else takes over meanwhile",
        (f"{HERE}/test_stripe_away.py::test_an_answer_after_29_seconds_meets_nobody_at_its_attempt",),
    ),
    Case(
        "B14",
        "no name is resolved for 2 h",
        "every call",
        "all charged within 30 min afterwards, once each",
        (
            f"{HERE}/test_stripe_away.py::test_after_two_hours_without_stripe_all_is_charged_within_half_an_hour",
        ),
    ),
    Case(
        "B16",
        "customer or card deleted",
        "confirm",
        "missing_method, a link is sent",
        (
            f"{PAYMENTS}/test_charge_faults.py::test_a_customer_deleted_at_stripe_leads_to_a_link_that_works",
            f"{PAYMENTS}/test_charge_faults.py::test_a_card_removed_at_stripe_leads_to_a_link_that_works",
        ),
    ),
    Case(
        "B17",
        "an outage begins while many are confirmed",
        "confirm",
        "each is charged once",
        (
            f"{HERE}/test_stripe_away.py::test_an_outage_in_the_middle_of_many_confirmations_charges_each_once",
        ),
        note="With 40 balances.",
    ),
    Case(
        "C1",
        "authentication_required",
        "confirm",
        "the intent is cancelled before there is a link",
        (
            f"{PAYMENTS}/test_charge.py"
            "::test_the_intent_is_cancelled_before_the_guest_hears_of_a_payment_link",
            f"{PAYMENTS}/test_charge.py"
            "::test_no_link_is_sent_while_it_is_not_proven_that_the_intent_is_cancelled",
        ),
    ),
    Case(
        "C3",
        "the link in two tabs, with two cards",
        "Checkout",
        "one charge",
        (f"{PAYMENTS}/test_payment_link.py::test_a_page_open_in_two_tabs_takes_one_of_two_cards",),
    ),
    Case(
        "C5",
        "no funds, then funds",
        "dunning",
        "charged once",
        (
            f"{PAYMENTS}/test_dunning.py::test_a_soft_decline_is_tried_again_and_paid_once_when_there_are_funds",
        ),
        note="A next try is a new attempt with an intent of its own: the declined one is cancelled first.",
    ),
    Case(
        "C6",
        "stolen card, do_not_try_again",
        "confirm",
        "no other try, the link only",
        (
            f"{PAYMENTS}/test_dunning.py"
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
        (f"{HERE}/test_guests_money.py::test_a_page_whose_money_takes_days_is_paid_when_it_is_there",),
    ),
    Case(
        "C9",
        "the money never comes",
        "a page whose money takes days",
        "the guest can pay again",
        (f"{HERE}/test_guests_money.py::test_a_page_whose_money_never_comes_can_be_paid_by_another",),
    ),
    Case(
        "C10",
        "no mail server for 6 h",
        "e-mail",
        "the link is sent once afterwards",
        (
            f"{HERE}/test_guests_money.py::test_a_link_is_sent_once_when_the_mail_server_is_back_after_six_hours",
            f"{PAYMENTS}/test_dunning.py"
            "::test_no_link_is_sent_for_what_was_paid_before_the_mail_server_came_back",
        ),
    ),
)
