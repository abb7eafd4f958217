"""The local Stripe itself: requests in, answers out, no socket and no clock of its own.

A request is carried out in two steps, so that the front end can let its latency pass in between without
holding the lock: ``begin`` checks and admits it, ``finish`` acts. ``answer`` does both at once.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reyes_estancias.local_stripe import checkout, refunds
from reyes_estancias.local_stripe.admission import check_key, check_version
from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.contract import API_VERSION
from reyes_estancias.local_stripe.errors import ApiError, Document, InternalError, KeyInUse, RateLimited
from reyes_estancias.local_stripe.faults import REFUSALS, Fault, FaultKind, distort, strike
from reyes_estancias.local_stripe.forms import decode_form
from reyes_estancias.local_stripe.idempotency import KeptAnswer, find_kept, fingerprint_request, keep
from reyes_estancias.local_stripe.listing import check_expandable, expand
from reyes_estancias.local_stripe.routes import Route, find_route
from reyes_estancias.local_stripe.settings import read_settings
from reyes_estancias.local_stripe.store import Store
from reyes_estancias.local_stripe.webhooks import plan_deliveries

LOGGED_REQUESTS = 20_000


@dataclass(frozen=True, slots=True)
class Request:
    """``path`` carries the query; ``headers`` have lower-case names; ``now`` is real epoch seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str
    now: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. ``is_reset`` breaks the connection instead; ``wait_seconds`` pass before either."""

    status: int
    headers: dict[str, str]
    body: str
    events: tuple[Document, ...] = ()
    is_reset: bool = False
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that passed its checks and has not acted yet; ``wait_seconds`` pass first."""

    request: Request
    route: Route
    ids: tuple[str, ...]
    params: Document
    request_id: str
    key: str | None
    fingerprint: str
    fault: Fault | None
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One API request as a test reads it back."""

    method: str
    path: str
    status: int
    idempotency_key: str | None
    is_replay: bool
    fault: str | None


@dataclass(slots=True)
class Core:
    """The store and what lives only as long as the process: armed faults, keys in flight, the request log."""

    store: Store
    base_url: str
    faults: list[Fault] = field(default_factory=list)
    requests: deque[LoggedRequest] = field(default_factory=lambda: deque(maxlen=LOGGED_REQUESTS))
    _keys_in_flight: set[str] = field(default_factory=set)
    _allowed: deque[float] = field(default_factory=deque)
    _ticked_at: int = 0

    def answer(self, request: Request) -> Answer:
        """Carry a request out at once."""
        step = self.begin(request)
        return self.finish(step, now=request.now) if isinstance(step, Admitted) else step

    def begin(self, request: Request) -> Answer | Admitted:
        """Check a request: admit it, or answer it without acting (refused, replayed, struck by a fault)."""
        path, _, query = request.path.partition("?")
        request_id = self.store.next_id("req_")
        fault = strike(self.faults, method=request.method, path=path)
        try:
            return self._admit(request, path, query, request_id, fault)
        except ApiError as error:
            return self._log(request, fault, _refusal(error, request_id, fault))

    def finish(self, admitted: Admitted, *, now: float) -> Answer:
        """Act, keep the answer under the request's key, and plan the deliveries of its events."""
        self._keys_in_flight.discard(admitted.key or "")
        call = self.make_call(now=now, params=admitted.params, ids=admitted.ids)
        call.request_id, call.idempotency_key = admitted.request_id, admitted.key
        status, document, is_kept = _act(call, admitted)
        body = json.dumps(document)
        if admitted.key and is_kept:
            kept = KeptAnswer(admitted.key, admitted.fingerprint, status, body, admitted.request_id, call.now)
            keep(self.store, kept)
        plan_deliveries(self.store, call.events, now=now)
        answer = _finished(status, body, call, admitted)
        return self._log(admitted.request, admitted.fault, answer, key=admitted.key)

    def run(self, action: Callable[[Call], Document | None], *, now: float) -> Document:
        """Do something that comes from no API request (a guest pays, a test asks), with its events."""
        call = self.make_call(now=now)
        try:
            return action(call) or {}
        finally:
            plan_deliveries(self.store, call.events, now=now)

    def tick(self, *, now: float) -> None:
        """Let what has come due happen: sessions expire, slow charges and refunds settle."""
        at = self.make_call(now=now).now
        if at != self._ticked_at:
            self._ticked_at = at
            self.run(_let_time_pass, now=now)

    def make_call(self, *, now: float, params: Document | None = None, ids: tuple[str, ...] = ()) -> Call:
        offset = read_settings(self.store).clock_offset_seconds
        return Call(self.store, int(now) + offset, self.base_url, params or {}, ids)

    def _admit(
        self, request: Request, path: str, query: str, request_id: str, fault: Fault | None
    ) -> Answer | Admitted:
        if fault and fault.kind is FaultKind.RESET_BEFORE:
            return self._log(request, fault, Answer(0, {}, "", is_reset=True))
        if fault and fault.kind in REFUSALS:
            raise REFUSALS[fault.kind]()
        self._check_rate(request.now)
        check_key(request.headers)
        check_version(request.headers)
        route, ids = find_route(request.method, path)
        self.tick(now=request.now)
        raw = decode_form(query if request.method == "GET" else request.body)
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        fingerprint = fingerprint_request(method=request.method, path=path, raw_params=raw)
        if key and (replay := self._replay(request, key, fingerprint, fault)):
            return replay
        params = route.read_params(raw)
        check_expandable(params.get("expand", ()))
        if key:
            self._keys_in_flight.add(key)
        wait = fault.seconds if fault and fault.kind is FaultKind.SLOW_BEFORE else 0.0
        return Admitted(request, route, ids, params, request_id, key, fingerprint, fault, wait)

    def _check_rate(self, now: float) -> None:
        """Refuse a call when as many as are allowed were let through in the second before it."""
        while self._allowed and self._allowed[0] <= now - 1:
            self._allowed.popleft()
        if 0 < read_settings(self.store).calls_a_second <= len(self._allowed):
            raise RateLimited
        self._allowed.append(now)

    def _replay(self, request: Request, key: str, fingerprint: str, fault: Fault | None) -> Answer | None:
        if key in self._keys_in_flight:
            raise KeyInUse(key)
        call = self.make_call(now=request.now)
        kept = find_kept(self.store, key=key, fingerprint=fingerprint, now=call.now)
        if kept is None:
            return None
        headers = _headers(kept.request_id, kept.status) | {
            "Idempotent-Replayed": "true",
            "Idempotency-Key": key,
        }
        is_reset = fault is not None and fault.kind is FaultKind.RESET_AFTER
        body = distort(kept.body, fault)
        answer = Answer(kept.status, headers, body, is_reset=is_reset, wait_seconds=_wait_after(fault))
        return self._log(request, fault, answer, key=key, is_replay=True)

    def _log(
        self,
        request: Request,
        fault: Fault | None,
        answer: Answer,
        *,
        key: str | None = None,
        is_replay: bool = False,
    ) -> Answer:
        path = request.path.partition("?")[0]
        name = fault.kind.value if fault else None
        self.requests.append(LoggedRequest(request.method, path, answer.status, key, is_replay, name))
        return answer


def _let_time_pass(call: Call) -> None:
    checkout.expire_due(call)
    checkout.settle_due(call)
    refunds.settle_due(call)


def _act(call: Call, admitted: Admitted) -> tuple[int, Document, bool]:
    """Return the status, the body, and whether an idempotency key keeps them."""
    kind = admitted.fault.kind if admitted.fault else None
    try:
        if kind is FaultKind.ERROR_BEFORE:
            raise InternalError
        document = admitted.route.endpoint(call)
        if kind is FaultKind.STALE and admitted.request.method == "GET":
            document = call.store.before(document)
        document = expand(call.store, document, call.params.get("expand", ()))
        if kind is FaultKind.ERROR_AFTER:
            raise InternalError
    except ApiError as error:
        return error.status, error.to_document(), error.is_kept
    return 200, document, True


def _finished(status: int, body: str, call: Call, admitted: Admitted) -> Answer:
    headers = _headers(admitted.request_id, status)
    if admitted.key:
        headers["Idempotency-Key"] = admitted.key
    is_reset = admitted.fault is not None and admitted.fault.kind is FaultKind.RESET_AFTER
    wait = _wait_after(admitted.fault)
    body = distort(body, admitted.fault)
    return Answer(status, headers, body, tuple(call.events), is_reset=is_reset, wait_seconds=wait)


def _refusal(error: ApiError, request_id: str, fault: Fault | None) -> Answer:
    body = json.dumps(error.to_document())
    return Answer(error.status, _headers(request_id, error.status), body, wait_seconds=_wait_after(fault))


def _wait_after(fault: Fault | None) -> float:
    return fault.seconds if fault and fault.kind is FaultKind.SLOW_AFTER else 0.0


def _headers(request_id: str, status: int) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Request-Id": request_id, "Stripe-Version": API_VERSION}
    if status == 500:
        headers["Stripe-Should-Retry"] = "false"
    return headers
