"""A gateway's webhooks: verified on their raw bytes by what dialer.toml says, then read by its paths."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping

from dialer.base.errors import BadInput
from dialer.providers.abilities import EventRefused, ProviderEvent
from dialer.providers.gateway.options import Events
from dialer.providers.gateway.paths import follow, read_path, text_at
from dialer.providers.gateway.records import Reader
from dialer.providers.wire import read_json


class EventPlan:
    """One gateway's webhooks, checked."""

    def __init__(self, events: Events, secret: str, reader: Reader, where: str) -> None:
        """Read the paths. Raises BadInput."""
        where = f"{where}.events"
        self._events = events
        self._secret = secret
        self._reader = reader
        self._event_id = read_path(events.event_id, f"{where}.event_id") if events.event_id else None
        self._kind = read_path(events.kind, f"{where}.kind") if events.kind else None
        self._record = read_path(events.record, f"{where}.record")
        self.proof = (events.check == "hmac") if events.believe is None else events.believe
        if "{timestamp}" in events.signed and not events.timestamp_header:
            raise BadInput(f"{where}.timestamp_header is missing: what is signed holds {{timestamp}}")
        if events.check == "header" and "signed" in events.model_fields_set:
            raise BadInput(f'{where}.signed belongs to check = "hmac"; a secret in a header signs nothing')

    def read(self, headers: Mapping[str, str], body: bytes, now_s: float) -> ProviderEvent:
        """Verify a delivery, then read it. Raises EventRefused."""
        self._verify(headers, body, now_s)
        event = read_json(body)
        if not isinstance(event, dict | list):
            raise EventRefused("the delivery is no JSON", status=400)
        digest = hashlib.sha256(body).hexdigest()
        given = headers.get(self._events.id_header.lower(), "") if self._events.id_header else ""
        if not given and self._event_id is not None:
            given = text_at(event, self._event_id)
        named = 0 < len(given) <= 200 and given.isprintable()
        return ProviderEvent(
            event_id=given if named else digest,
            kind=(text_at(event, self._kind) if self._kind is not None else "")[:200] or "event",
            execution=self._reader.read(follow(event, self._record)),
            proof=self.proof,
            duplicate_keys=(digest,),
        )

    def _verify(self, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
        events = self._events
        given = headers.get(events.header.lower(), "")
        if not given.startswith(events.prefix) or not given:
            raise EventRefused(f"the delivery has no header {events.header} as expected")
        given = given.removeprefix(events.prefix)
        timestamp = self._timestamp(headers, now_s)
        wanted = self._secret if events.check == "header" else self._signature(timestamp, body)
        if events.encoding == "hex" and events.check == "hmac":
            given = given.lower()
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            raise EventRefused("the delivery is not from the gateway: its signature or secret is wrong")

    def _timestamp(self, headers: Mapping[str, str], now_s: float) -> str:
        events = self._events
        if not events.timestamp_header:
            return ""
        text = headers.get(events.timestamp_header.lower(), "").strip()
        if re.fullmatch(r"[0-9]{9,11}(\.[0-9]{1,9})?", text) is None:
            raise EventRefused(f"the delivery has no moment in {events.timestamp_header}")
        if abs(float(text) - now_s) > events.tolerance_s:
            raise EventRefused(f"the delivery is stale: more than {events.tolerance_s:g} s from now")
        return text

    def _signature(self, timestamp: str, body: bytes) -> str:
        before, _, after = self._events.signed.replace("{timestamp}", timestamp).partition("{body}")
        signed = before.encode() + body + after.encode()
        digest = hmac.new(self._secret.encode(), signed, self._events.algorithm).digest()
        return digest.hex() if self._events.encoding == "hex" else base64.b64encode(digest).decode()
