-- A rule of the database that keeps money or nights is gone or switched off: the ledger, which has no chain
-- of hashes, is append-only by its trigger alone.
WITH expected (name) AS (
    SELECT unnest(ARRAY[
        'bookings_block_belongs_to_a_living_booking',
        'bookings_booking_blocks_its_nights',
        'bookings_booking_transition',
        'bookings_change_ends_once',
        'bookings_change_holds_its_nights',
        'bookings_consent_never_changes',
        'bookings_legal_text_never_changes',
        'bookings_quote_keeps_the_rules',
        'bookings_quote_never_changes',
        'payments_account_is_derived',
        'payments_account_starts_empty',
        'payments_attempt_is_reserved',
        'payments_attempt_moves_forward',
        'payments_capture_is_posted',
        'payments_dispute_is_fixed',
        'payments_disputed_money_is_not_refunded',
        'payments_disputes_stop_collection',
        'payments_events_are_kept',
        'payments_ledger_is_append_only',
        'payments_nights_stay_while_money_moves',
        'payments_payment_ends_once',
        'payments_refund_is_posted',
        'payments_refund_is_reserved',
        'payments_refund_makes_room',
        'payments_transfer_has_a_cause',
        'payments_transfer_moves_the_account'
    ])
)
SELECT 'trigger', expected.name
FROM expected
LEFT JOIN pg_trigger ON tgname = expected.name AND tgenabled IN ('O', 'A')
WHERE tgname IS NULL
