"""Obligations, attempts, refunds, the ledger, disputes, what Stripe told us, and what guests are told."""

from __future__ import annotations

import uuid

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.text
from django.db import migrations, models

import payments.dunning_policies
import payments.policies


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("bookings", "0001_tables"),
    ]

    operations = [
        migrations.CreateModel(
            name="Payment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            (payments.policies.PaymentKind["DEPOSIT"], "deposit"),
                            (payments.policies.PaymentKind["BALANCE"], "balance"),
                            (payments.policies.PaymentKind["TOPUP"], "top-up"),
                            (payments.policies.PaymentKind["EXTENSION"], "extension"),
                            (payments.policies.PaymentKind["FEE"], "cancellation fee"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("seq", models.PositiveSmallIntegerField(default=1, verbose_name="number")),
                ("amount_minor", models.BigIntegerField(verbose_name="amount (centavos)")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            (payments.policies.PaymentStatus["PENDING"], "to be charged"),
                            (payments.policies.PaymentStatus["PROCESSING"], "being charged"),
                            (payments.policies.PaymentStatus["UNKNOWN"], "outcome unknown"),
                            (payments.policies.PaymentStatus["REQUIRES_ACTION"], "waiting for the guest"),
                            (payments.policies.PaymentStatus["FAILED"], "declined"),
                            (payments.policies.PaymentStatus["PAID"], "paid"),
                            (payments.policies.PaymentStatus["VOID"], "void"),
                        ],
                        default=payments.policies.PaymentStatus["PENDING"],
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=100, verbose_name="reason")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                (
                    "booking",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="bookings.booking",
                        verbose_name="booking",
                    ),
                ),
            ],
            options={
                "verbose_name": "payment",
                "verbose_name_plural": "payments",
                "ordering": ("booking", "id"),
                "permissions": (("waive_debt", "Can waive debts that nothing collects"),),
            },
        ),
        migrations.CreateModel(
            name="InvariantCheck",
            fields=[
                (
                    "name",
                    models.CharField(
                        max_length=10, primary_key=True, serialize=False, verbose_name="invariant"
                    ),
                ),
                ("checked_at", models.DateTimeField(verbose_name="checked")),
                ("broken_since", models.DateTimeField(null=True, verbose_name="broken since")),
                ("count", models.PositiveIntegerField(default=0, verbose_name="rows")),
                ("rows", models.JSONField(default=list, verbose_name="which")),
                (
                    "problem",
                    models.CharField(blank=True, max_length=200, verbose_name="why it could not be checked"),
                ),
                ("seconds", models.FloatField(default=0, verbose_name="seconds")),
            ],
            options={
                "verbose_name": "invariant",
                "verbose_name_plural": "invariants",
                "ordering": (django.db.models.functions.text.Length("name"), "name"),
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="AccessLink",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("email", models.EmailField(max_length=254, verbose_name="e-mail")),
                ("language", models.CharField(max_length=10, verbose_name="language")),
                ("base_url", models.URLField()),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("expires_at", models.DateTimeField(verbose_name="until")),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent")),
                ("dropped_at", models.DateTimeField(blank=True, null=True, verbose_name="dropped")),
            ],
            options={
                "verbose_name": "link to my bookings",
                "verbose_name_plural": "links to my bookings",
                "default_permissions": (),
                "indexes": [models.Index(fields=["created_at"], name="payments_access_links_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("created_at"))),
                        name="payments_access_link_ends",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sent_at", None), ("dropped_at", None), _connector="OR"),
                        name="payments_access_link_is_sent_or_dropped",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BookingAccount",
            fields=[
                (
                    "booking",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="account",
                        serialize=False,
                        to="bookings.booking",
                    ),
                ),
                ("owed_minor", models.BigIntegerField(default=0, verbose_name="owed")),
                ("in_flight_minor", models.BigIntegerField(default=0, verbose_name="being charged")),
                ("captured_minor", models.BigIntegerField(default=0, verbose_name="charged")),
                ("refunding_minor", models.BigIntegerField(default=0, verbose_name="being refunded")),
                ("refunded_minor", models.BigIntegerField(default=0, verbose_name="refunded")),
                (
                    "disputed_minor",
                    models.BigIntegerField(db_default=0, default=0, verbose_name="held in disputes"),
                ),
                (
                    "lost_minor",
                    models.BigIntegerField(db_default=0, default=0, verbose_name="lost in disputes"),
                ),
                ("stripe_customer_id", models.CharField(blank=True, max_length=255)),
                ("stripe_payment_method_id", models.CharField(blank=True, max_length=255)),
            ],
            options={
                "verbose_name": "account of a booking",
                "verbose_name_plural": "accounts of bookings",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "owed_minor__gte",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                models.F("captured_minor"), "+", models.F("in_flight_minor")
                                            ),
                                            "-",
                                            models.F("refunding_minor"),
                                        ),
                                        "-",
                                        models.F("refunded_minor"),
                                    ),
                                    "-",
                                    models.F("lost_minor"),
                                ),
                            )
                        ),
                        name="payments_never_take_more_than_is_owed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "captured_minor__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("refunding_minor"), "+", models.F("refunded_minor")
                                ),
                            )
                        ),
                        name="payments_never_refund_more_than_was_taken",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("captured_minor__gte", 0),
                            ("disputed_minor__gte", 0),
                            ("in_flight_minor__gte", 0),
                            ("lost_minor__gte", 0),
                            ("owed_minor__gte", 0),
                            ("refunded_minor__gte", 0),
                            ("refunding_minor__gte", 0),
                        ),
                        name="payments_account_sums_are_not_negative",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Debt",
            fields=[],
            options={
                "verbose_name": "debt",
                "verbose_name_plural": "who owes what, what comes next",
                "proxy": True,
                "default_permissions": ("view",),
                "indexes": [],
                "constraints": [],
            },
            bases=("payments.payment",),
        ),
        migrations.CreateModel(
            name="GuestVisit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("started_at", models.DateTimeField(verbose_name="begun")),
                ("ends_at", models.DateTimeField(verbose_name="until")),
                (
                    "link",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="visit",
                        to="payments.accesslink",
                    ),
                ),
            ],
            options={
                "verbose_name": "visit of a guest",
                "verbose_name_plural": "visits of guests",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="LedgerTransfer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("source_type", models.CharField(max_length=40, verbose_name="cause")),
                ("source_id", models.CharField(max_length=255, verbose_name="id of the cause")),
                (
                    "debit",
                    models.CharField(
                        choices=[
                            ("receivable", "owed by the guest"),
                            ("lodging", "lodging income"),
                            ("cleaning", "cleaning income"),
                            ("tax", "tax payable"),
                            ("cancellation", "cancellation income"),
                            ("stripe", "held by Stripe"),
                            ("disputes", "held in disputes"),
                            ("dispute_losses", "lost in disputes"),
                        ],
                        max_length=20,
                        verbose_name="debit",
                    ),
                ),
                (
                    "credit",
                    models.CharField(
                        choices=[
                            ("receivable", "owed by the guest"),
                            ("lodging", "lodging income"),
                            ("cleaning", "cleaning income"),
                            ("tax", "tax payable"),
                            ("cancellation", "cancellation income"),
                            ("stripe", "held by Stripe"),
                            ("disputes", "held in disputes"),
                            ("dispute_losses", "lost in disputes"),
                        ],
                        max_length=20,
                        verbose_name="credit",
                    ),
                ),
                ("amount_minor", models.BigIntegerField(verbose_name="amount (centavos)")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("posted_at", models.DateTimeField(verbose_name="posted")),
                (
                    "booking",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="transfers",
                        to="bookings.booking",
                        verbose_name="booking",
                    ),
                ),
            ],
            options={
                "verbose_name": "ledger transfer",
                "verbose_name_plural": "ledger",
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="PaymentAttempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("n", models.PositiveSmallIntegerField(verbose_name="attempt")),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            (payments.policies.Channel["OFF_SESSION"], "saved card"),
                            (payments.policies.Channel["CHECKOUT"], "payment page"),
                        ],
                        max_length=12,
                        verbose_name="channel",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            (payments.policies.AttemptState["CLAIMED"], "claimed"),
                            (payments.policies.AttemptState["CREATED"], "created"),
                            (payments.policies.AttemptState["CONFIRMING"], "confirming"),
                            (payments.policies.AttemptState["PROCESSING"], "processing"),
                            (payments.policies.AttemptState["UNKNOWN"], "unknown"),
                            (payments.policies.AttemptState["OPEN"], "open"),
                            (payments.policies.AttemptState["SUCCEEDED"], "succeeded"),
                            (payments.policies.AttemptState["DECLINED"], "declined"),
                            (payments.policies.AttemptState["CANCELED"], "canceled"),
                            (payments.policies.AttemptState["EXPIRED"], "expired"),
                        ],
                        default=payments.policies.AttemptState["CLAIMED"],
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("amount_minor", models.BigIntegerField(verbose_name="amount (centavos)")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("key", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("stripe_customer_id", models.CharField(blank=True, max_length=255)),
                ("stripe_payment_method_id", models.CharField(blank=True, max_length=255)),
                ("base_url", models.URLField()),
                ("session_expires_at", models.DateTimeField(blank=True, null=True)),
                ("stripe_intent_id", models.CharField(blank=True, max_length=255, null=True, unique=True)),
                ("stripe_session_id", models.CharField(blank=True, max_length=255, null=True, unique=True)),
                ("session_url", models.TextField(blank=True)),
                ("decline_code", models.CharField(blank=True, max_length=100, verbose_name="decline code")),
                (
                    "advice_code",
                    models.CharField(
                        blank=True, db_default="", max_length=40, verbose_name="advice of the bank"
                    ),
                ),
                (
                    "proof",
                    models.CharField(blank=True, max_length=200, verbose_name="proof that it takes no money"),
                ),
                ("confirm_n", models.PositiveSmallIntegerField(db_default=1, default=1)),
                ("confirm_asked_at", models.DateTimeField(blank=True, null=True)),
                ("protocol_version", models.PositiveSmallIntegerField(default=3)),
                ("check_at", models.DateTimeField(verbose_name="next look")),
                ("checks", models.PositiveSmallIntegerField(default=0, verbose_name="looks")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("updated_at", models.DateTimeField(verbose_name="last change")),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="payments.payment",
                        verbose_name="payment",
                    ),
                ),
            ],
            options={
                "verbose_name": "payment attempt",
                "verbose_name_plural": "payment attempts",
                "ordering": ("payment", "n"),
            },
        ),
        migrations.CreateModel(
            name="Dispute",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "stripe_dispute_id",
                    models.CharField(max_length=255, unique=True, verbose_name="dispute at Stripe"),
                ),
                ("amount_minor", models.BigIntegerField(verbose_name="amount (centavos)")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("reason", models.CharField(max_length=100, verbose_name="reason")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            (
                                payments.policies.DisputeStatus["WARNING_NEEDS_RESPONSE"],
                                "inquiry, waits for our answer",
                            ),
                            (
                                payments.policies.DisputeStatus["WARNING_UNDER_REVIEW"],
                                "inquiry, with the bank",
                            ),
                            (payments.policies.DisputeStatus["WARNING_CLOSED"], "inquiry closed"),
                            (payments.policies.DisputeStatus["NEEDS_RESPONSE"], "waits for our evidence"),
                            (payments.policies.DisputeStatus["UNDER_REVIEW"], "with the bank"),
                            (
                                payments.policies.DisputeStatus["APPEAL_NEEDS_RESPONSE"],
                                "appeal, waits for our evidence",
                            ),
                            (payments.policies.DisputeStatus["APPEAL_UNDER_REVIEW"], "appeal, with the bank"),
                            (payments.policies.DisputeStatus["WON"], "won"),
                            (payments.policies.DisputeStatus["LOST"], "lost to the cardholder"),
                            (payments.policies.DisputeStatus["PREVENTED"], "prevented"),
                            (payments.policies.DisputeStatus["OTHER"], "look at Stripe"),
                        ],
                        max_length=30,
                        verbose_name="status",
                    ),
                ),
                (
                    "withheld_minor",
                    models.BigIntegerField(default=0, verbose_name="taken by the bank (centavos)"),
                ),
                ("is_refundable", models.BooleanField(verbose_name="can still be refunded")),
                ("due_by", models.DateTimeField(blank=True, null=True, verbose_name="evidence due by")),
                ("opened_at", models.DateTimeField(verbose_name="opened")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("updated_at", models.DateTimeField(verbose_name="last change")),
                (
                    "attempt",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disputes",
                        to="payments.paymentattempt",
                        verbose_name="attempt",
                    ),
                ),
            ],
            options={
                "verbose_name": "dispute",
                "verbose_name_plural": "disputes",
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="ReconciliationBreak",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            (
                                payments.policies.BreakKind["FOREIGN_CHARGE"],
                                "Stripe took money that no attempt of ours asked for",
                            ),
                            (
                                payments.policies.BreakKind["CHARGE_DIFFERS"],
                                "a charge is not at Stripe what it is here",
                            ),
                            (
                                payments.policies.BreakKind["FOREIGN_REFUND"],
                                "Stripe paid money back that no refund of ours asked for",
                            ),
                            (
                                payments.policies.BreakKind["REFUND_DIFFERS"],
                                "a refund is not at Stripe what it is here",
                            ),
                            (
                                payments.policies.BreakKind["UNKNOWN_CUSTOMER"],
                                "Stripe does not know the guest's account with it",
                            ),
                            (
                                payments.policies.BreakKind["FORGOTTEN"],
                                "Stripe paid money back, and what asked for it was lost",
                            ),
                        ],
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                ("stripe_id", models.CharField(max_length=255, verbose_name="object at Stripe")),
                ("ours", models.CharField(blank=True, max_length=200, verbose_name="here")),
                ("theirs", models.CharField(max_length=200, verbose_name="at Stripe")),
                ("found_at", models.DateTimeField(verbose_name="found")),
                ("seen_at", models.DateTimeField(verbose_name="last seen")),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
                ("closed_by", models.CharField(blank=True, max_length=150, verbose_name="closed by")),
                ("explanation", models.TextField(blank=True, verbose_name="explanation")),
                (
                    "booking",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="breaks",
                        to="bookings.booking",
                        verbose_name="booking",
                    ),
                ),
            ],
            options={
                "verbose_name": "difference with Stripe",
                "verbose_name_plural": "differences with Stripe",
                "ordering": ("-found_at",),
                "permissions": (("close_reconciliationbreak", "Can close differences with Stripe"),),
            },
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("amount_minor", models.BigIntegerField(verbose_name="amount (centavos)")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("reason", models.CharField(max_length=40, verbose_name="reason")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            (payments.policies.RefundState["REQUESTED"], "requested"),
                            (payments.policies.RefundState["SUBMITTED"], "on its way"),
                            (payments.policies.RefundState["SUCCEEDED"], "refunded"),
                            (payments.policies.RefundState["FAILED"], "failed"),
                            (payments.policies.RefundState["VOID"], "given up"),
                        ],
                        default=payments.policies.RefundState["REQUESTED"],
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("key", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("stripe_refund_id", models.CharField(blank=True, max_length=255, null=True, unique=True)),
                ("failure", models.CharField(blank=True, max_length=200, verbose_name="failure")),
                ("check_at", models.DateTimeField(verbose_name="next look")),
                ("checks", models.PositiveSmallIntegerField(default=0, verbose_name="looks")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("updated_at", models.DateTimeField(verbose_name="last change")),
                (
                    "attempt",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="payments.paymentattempt",
                        verbose_name="attempt",
                    ),
                ),
                (
                    "replaces",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replacement",
                        to="payments.refund",
                        verbose_name="instead of the refund",
                    ),
                ),
            ],
            options={
                "verbose_name": "refund",
                "verbose_name_plural": "refunds",
                "ordering": ("id",),
                "permissions": (("give_up_refund", "Can give up refunds that failed"),),
            },
        ),
        migrations.CreateModel(
            name="GuestEmail",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("hold", "dates held"),
                            ("confirmed", "booking confirmed"),
                            ("changed", "dates changed"),
                            ("arrival", "arrival is near"),
                            ("receipt", "balance received"),
                            ("balance_soon", "balance falls due soon"),
                            ("payment_link", "payment link"),
                            ("cancelled", "booking cancelled"),
                            ("refund_sent", "refund sent"),
                            ("refund_failed", "refund came back"),
                        ],
                        max_length=20,
                        verbose_name="kind",
                    ),
                ),
                ("version", models.PositiveIntegerField(db_default=0, default=0, verbose_name="version")),
                ("base_url", models.URLField()),
                ("facts", models.JSONField(db_default={}, default=dict, editable=False)),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent")),
                ("dropped_at", models.DateTimeField(blank=True, null=True, verbose_name="dropped")),
                (
                    "booking",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="emails",
                        to="bookings.booking",
                        verbose_name="booking",
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="emails",
                        to="payments.payment",
                        verbose_name="payment",
                    ),
                ),
                (
                    "refund",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="emails",
                        to="payments.refund",
                        verbose_name="refund",
                    ),
                ),
            ],
            options={
                "verbose_name": "e-mail to a guest",
                "verbose_name_plural": "e-mails to guests",
                "ordering": ("id",),
                "permissions": (("handle_guest_data", "Can export and erase what we know of a guest"),),
            },
        ),
        migrations.CreateModel(
            name="StripeEvent",
            fields=[
                ("event_id", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("type", models.CharField(max_length=100, verbose_name="type")),
                ("object_id", models.CharField(db_index=True, max_length=255, verbose_name="object")),
                ("api_version", models.CharField(blank=True, max_length=40)),
                ("payload", models.JSONField()),
                ("body", models.BinaryField(null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("received", "received"),
                            ("applied", "applied"),
                            ("ignored", "ignored"),
                            ("parked", "for a person"),
                        ],
                        default="received",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=200, verbose_name="note")),
                ("created_at", models.DateTimeField(verbose_name="happened")),
                ("received_at", models.DateTimeField(verbose_name="received")),
                ("applied_at", models.DateTimeField(blank=True, null=True, verbose_name="applied")),
                (
                    "is_fetched",
                    models.BooleanField(db_default=False, default=False, verbose_name="fetched by ourselves"),
                ),
                (
                    "repetitions",
                    models.PositiveIntegerField(db_default=0, default=0, verbose_name="repetitions"),
                ),
            ],
            options={
                "verbose_name": "Stripe event",
                "verbose_name_plural": "Stripe events",
                "ordering": ("-received_at",),
                "indexes": [
                    models.Index(fields=["received_at"], name="payments_events_newest"),
                    models.Index(
                        condition=models.Q(("state", "received")),
                        fields=["received_at"],
                        name="payments_events_to_apply",
                    ),
                    models.Index(
                        condition=models.Q(("state", "parked")),
                        fields=["received_at"],
                        name="payments_events_parked",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["received", "applied", "ignored", "parked"])),
                        name="payments_event_state_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StripeMemory",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("account_id", models.CharField(blank=True, max_length=255, verbose_name="Stripe account")),
                ("compared_at", models.DateTimeField(blank=True, null=True, verbose_name="compared")),
                (
                    "epoch",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        max_length=200,
                        verbose_name="state of the database",
                    ),
                ),
                (
                    "events_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="events known until"),
                ),
                (
                    "reading_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="events are being read until"),
                ),
                ("locked_at", models.DateTimeField(blank=True, null=True, verbose_name="locked")),
            ],
            options={
                "verbose_name": "what we know of Stripe",
                "verbose_name_plural": "what we know of Stripe",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="payments_stripe_memory_is_one_row"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Dunning",
            fields=[
                (
                    "payment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="dunning",
                        serialize=False,
                        to="payments.payment",
                    ),
                ),
                ("step", models.PositiveSmallIntegerField(verbose_name="refusals")),
                (
                    "decline_class",
                    models.CharField(
                        choices=[
                            (payments.dunning_policies.DeclineClass["SOFT"], "the card may be asked again"),
                            (
                                payments.dunning_policies.DeclineClass["HARD"],
                                "the card must not be asked again",
                            ),
                            (payments.dunning_policies.DeclineClass["DATA"], "the guest has to do something"),
                        ],
                        max_length=4,
                        verbose_name="class",
                    ),
                ),
                ("last_code", models.CharField(max_length=100, verbose_name="decline code")),
                ("next_at", models.DateTimeField(blank=True, null=True, verbose_name="next try")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("updated_at", models.DateTimeField(verbose_name="last change")),
            ],
            options={
                "verbose_name": "dunning",
                "verbose_name_plural": "dunning",
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_at__isnull", False)),
                        fields=["next_at"],
                        name="payments_dunning_due",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("step__gte", 1), ("step__lte", 8)), name="payments_dunning_ends"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "decline_class__in",
                                [
                                    payments.dunning_policies.DeclineClass["SOFT"],
                                    payments.dunning_policies.DeclineClass["HARD"],
                                    payments.dunning_policies.DeclineClass["DATA"],
                                ],
                            )
                        ),
                        name="payments_dunning_class_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("next_at__isnull", True),
                            models.Q(
                                ("decline_class", payments.dunning_policies.DeclineClass["SOFT"]),
                                ("step__lt", 8),
                            ),
                            _connector="OR",
                        ),
                        name="payments_only_soft_declines_are_tried_again",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                fields=("booking", "kind", "seq"), name="payments_payment_number"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("kind", payments.policies.PaymentKind["BALANCE"]),
                    models.Q(("status", payments.policies.PaymentStatus["VOID"]), _negated=True),
                ),
                fields=("booking",),
                name="payments_one_balance_per_booking",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [payments.policies.PaymentKind["TOPUP"], payments.policies.PaymentKind["EXTENSION"]],
                    ),
                    models.Q(
                        (
                            "status__in",
                            [
                                payments.policies.PaymentStatus["PAID"],
                                payments.policies.PaymentStatus["VOID"],
                            ],
                        ),
                        _negated=True,
                    ),
                ),
                fields=("booking",),
                name="payments_one_open_surcharge_per_booking",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0)), name="payments_payment_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            payments.policies.PaymentKind["DEPOSIT"],
                            payments.policies.PaymentKind["BALANCE"],
                            payments.policies.PaymentKind["TOPUP"],
                            payments.policies.PaymentKind["EXTENSION"],
                            payments.policies.PaymentKind["FEE"],
                        ],
                    )
                ),
                name="payments_payment_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        [
                            payments.policies.PaymentStatus["PENDING"],
                            payments.policies.PaymentStatus["PROCESSING"],
                            payments.policies.PaymentStatus["UNKNOWN"],
                            payments.policies.PaymentStatus["REQUIRES_ACTION"],
                            payments.policies.PaymentStatus["FAILED"],
                            payments.policies.PaymentStatus["PAID"],
                            payments.policies.PaymentStatus["VOID"],
                        ],
                    )
                ),
                name="payments_payment_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgertransfer",
            constraint=models.UniqueConstraint(
                fields=("source_type", "source_id"), name="payments_each_cause_posts_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgertransfer",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0)), name="payments_transfer_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgertransfer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("debit", models.F("credit")), _negated=True),
                    (
                        "credit__in",
                        [
                            "receivable",
                            "lodging",
                            "cleaning",
                            "tax",
                            "cancellation",
                            "stripe",
                            "disputes",
                            "dispute_losses",
                        ],
                    ),
                    (
                        "debit__in",
                        [
                            "receivable",
                            "lodging",
                            "cleaning",
                            "tax",
                            "cancellation",
                            "stripe",
                            "disputes",
                            "dispute_losses",
                        ],
                    ),
                ),
                name="payments_transfer_has_two_sides",
            ),
        ),
        migrations.AddIndex(
            model_name="paymentattempt",
            index=models.Index(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            payments.policies.AttemptState["CLAIMED"],
                            payments.policies.AttemptState["CREATED"],
                            payments.policies.AttemptState["CONFIRMING"],
                            payments.policies.AttemptState["PROCESSING"],
                            payments.policies.AttemptState["UNKNOWN"],
                            payments.policies.AttemptState["OPEN"],
                        ],
                    )
                ),
                fields=["check_at"],
                name="payments_attempts_to_look_at",
            ),
        ),
        migrations.AddIndex(
            model_name="paymentattempt",
            index=models.Index(
                condition=models.Q(("state", payments.policies.AttemptState["DECLINED"])),
                fields=["updated_at"],
                name="payments_attempts_declined",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentattempt",
            constraint=models.UniqueConstraint(fields=("payment", "n"), name="payments_attempt_number"),
        ),
        migrations.AddConstraint(
            model_name="paymentattempt",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            payments.policies.AttemptState["CLAIMED"],
                            payments.policies.AttemptState["CREATED"],
                            payments.policies.AttemptState["CONFIRMING"],
                            payments.policies.AttemptState["PROCESSING"],
                            payments.policies.AttemptState["UNKNOWN"],
                            payments.policies.AttemptState["OPEN"],
                            payments.policies.AttemptState["SUCCEEDED"],
                        ],
                    )
                ),
                fields=("payment",),
                name="payments_one_live_or_won_attempt",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentattempt",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0)), name="payments_attempt_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentattempt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "channel__in",
                        [payments.policies.Channel["OFF_SESSION"], payments.policies.Channel["CHECKOUT"]],
                    ),
                    (
                        "state__in",
                        [
                            payments.policies.AttemptState["CLAIMED"],
                            payments.policies.AttemptState["CREATED"],
                            payments.policies.AttemptState["CONFIRMING"],
                            payments.policies.AttemptState["PROCESSING"],
                            payments.policies.AttemptState["UNKNOWN"],
                            payments.policies.AttemptState["OPEN"],
                            payments.policies.AttemptState["SUCCEEDED"],
                            payments.policies.AttemptState["DECLINED"],
                            payments.policies.AttemptState["CANCELED"],
                            payments.policies.AttemptState["EXPIRED"],
                        ],
                    ),
                ),
                name="payments_attempt_words_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentattempt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "state__in",
                            [
                                payments.policies.AttemptState["DECLINED"],
                                payments.policies.AttemptState["CANCELED"],
                                payments.policies.AttemptState["EXPIRED"],
                            ],
                        ),
                        _negated=True,
                    ),
                    models.Q(("proof", ""), _negated=True),
                    _connector="OR",
                ),
                name="payments_dead_attempt_has_proof",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentattempt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "state__in",
                            [
                                payments.policies.AttemptState["CREATED"],
                                payments.policies.AttemptState["CONFIRMING"],
                                payments.policies.AttemptState["SUCCEEDED"],
                            ],
                        ),
                        _negated=True,
                    ),
                    ("stripe_intent_id__isnull", False),
                    _connector="OR",
                ),
                name="payments_money_is_moved_by_a_stored_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentattempt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", payments.policies.AttemptState["OPEN"]), _negated=True),
                    models.Q(
                        ("stripe_session_id__isnull", False), models.Q(("session_url", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="payments_open_session_is_stored",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount_minor__gt", 0),
                    (
                        "status__in",
                        [
                            payments.policies.DisputeStatus["WARNING_NEEDS_RESPONSE"],
                            payments.policies.DisputeStatus["WARNING_UNDER_REVIEW"],
                            payments.policies.DisputeStatus["WARNING_CLOSED"],
                            payments.policies.DisputeStatus["NEEDS_RESPONSE"],
                            payments.policies.DisputeStatus["UNDER_REVIEW"],
                            payments.policies.DisputeStatus["APPEAL_NEEDS_RESPONSE"],
                            payments.policies.DisputeStatus["APPEAL_UNDER_REVIEW"],
                            payments.policies.DisputeStatus["WON"],
                            payments.policies.DisputeStatus["LOST"],
                            payments.policies.DisputeStatus["PREVENTED"],
                            payments.policies.DisputeStatus["OTHER"],
                        ],
                    ),
                    ("withheld_minor__gte", 0),
                ),
                name="payments_dispute_makes_sense",
            ),
        ),
        migrations.AddConstraint(
            model_name="reconciliationbreak",
            constraint=models.UniqueConstraint(
                fields=("kind", "stripe_id"), name="payments_one_break_per_object"
            ),
        ),
        migrations.AddConstraint(
            model_name="reconciliationbreak",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            payments.policies.BreakKind["FOREIGN_CHARGE"],
                            payments.policies.BreakKind["CHARGE_DIFFERS"],
                            payments.policies.BreakKind["FOREIGN_REFUND"],
                            payments.policies.BreakKind["REFUND_DIFFERS"],
                            payments.policies.BreakKind["FORGOTTEN"],
                            payments.policies.BreakKind["UNKNOWN_CUSTOMER"],
                        ],
                    )
                ),
                name="payments_break_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="reconciliationbreak",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at__isnull", True), ("closed_by", ""), ("explanation", "")),
                    models.Q(
                        ("closed_at__isnull", False),
                        models.Q(("closed_by", ""), _negated=True),
                        models.Q(("explanation", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="payments_closed_break_is_explained",
            ),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            payments.policies.RefundState["REQUESTED"],
                            payments.policies.RefundState["SUBMITTED"],
                        ],
                    )
                ),
                fields=["check_at"],
                name="payments_refunds_to_look_at",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount_minor__gt", 0),
                    (
                        "state__in",
                        [
                            payments.policies.RefundState["REQUESTED"],
                            payments.policies.RefundState["SUBMITTED"],
                            payments.policies.RefundState["SUCCEEDED"],
                            payments.policies.RefundState["FAILED"],
                            payments.policies.RefundState["VOID"],
                        ],
                    ),
                ),
                name="payments_refund_makes_sense",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "state__in",
                            [
                                payments.policies.RefundState["SUBMITTED"],
                                payments.policies.RefundState["SUCCEEDED"],
                            ],
                        ),
                        _negated=True,
                    ),
                    ("stripe_refund_id__isnull", False),
                    _connector="OR",
                ),
                name="payments_refund_at_stripe_has_its_id",
            ),
        ),
        migrations.AddIndex(
            model_name="guestemail",
            index=models.Index(
                condition=models.Q(("dropped_at", None), ("sent_at", None)),
                fields=["created_at"],
                name="payments_emails_to_send",
            ),
        ),
        migrations.AddConstraint(
            model_name="guestemail",
            constraint=models.UniqueConstraint(
                fields=("booking", "kind", "payment", "refund", "version"),
                name="payments_one_email_per_version",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="guestemail",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "hold",
                            "confirmed",
                            "changed",
                            "arrival",
                            "receipt",
                            "balance_soon",
                            "payment_link",
                            "cancelled",
                            "refund_sent",
                            "refund_failed",
                        ],
                    )
                ),
                name="payments_email_kind_known",
            ),
        ),
    ]
