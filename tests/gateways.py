"""A payment provider for tests of pages: it keeps sessions in memory and takes no money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

from payments.exceptions import InvalidSignature, PaymentError
from payments.gateway import Event, Intent, RefundAnswer, RefundStatus, Session, SessionRequest, SessionStatus

GOOD_SIGNATURE = "t=1,v1=good"


@dataclass
class FakeGateway:
    """The part of ``payments.gateway.Gateway`` that pages and settlements use.

    Attributes:
        fault: raised instead of opening a session, when set.
    """

    sessions: dict[str, Session] = field(default_factory=dict)
    requests: list[SessionRequest] = field(default_factory=list)
    fault: PaymentError | None = None

    @classmethod
    def from_settings(cls) -> Self:
        return cls()

    def create_session(self, request: SessionRequest) -> Session:
        if self.fault is not None:
            raise self.fault
        self.requests.append(request)
        session = Session(
            id=f"cs_test_{request.attempt_key}",
            status=SessionStatus.OPEN,
            is_paid=False,
            url=f"https://checkout.stripe.example/{request.attempt_key}",
            intent_id="",
            attempt_key=request.attempt_key,
        )
        return self.sessions.setdefault(session.id, session)

    def retrieve_session(self, session_id: str) -> Session:
        return self.sessions[session_id]

    def expire_session(self, session_id: str) -> None:
        self.sessions[session_id] = replace(self.sessions[session_id], status=SessionStatus.EXPIRED)

    def list_intents(self, *, since: datetime | None = None, customer_id: str = "") -> Iterator[Intent]:
        return iter(())

    def list_open_pages(self, *, since: datetime | None = None, customer_id: str = "") -> Iterator[Session]:
        return iter(())

    def read_account(self) -> str:
        return "acct_1fake"

    def create_refund(self, *, intent_id: str, amount_minor: int, refund_key: str) -> RefundAnswer:
        return RefundAnswer(
            id=f"re_{refund_key}",
            intent_id=intent_id,
            status=RefundStatus.PENDING,
            amount_minor=amount_minor,
            currency="mxn",
            refund_key=refund_key,
            failure="",
        )

    def find_refund(self, *, intent_id: str, refund_key: str) -> RefundAnswer | None:
        return None

    def read_event(self, *, payload: bytes, signature: str) -> Event:
        if signature != GOOD_SIGNATURE:
            raise InvalidSignature("not signed for this test")
        return Event(
            id=payload.decode(),
            type="checkout.session.completed",
            object_id="cs_test_1",
            api_version="2026-01-01",
            created_at=datetime(2026, 11, 2, tzinfo=UTC),
            payload={},
        )
