"""AgentPhone, pretended: what one account holds - agents, numbers, webhooks, messages, calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dialer.base.clock import Clock, as_datetime
from dialer.simulator.agentphone.errors import Problem, invalid, not_found
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.ledger import PlacedCall

COUNTRIES = {"US": "+1415555", "CA": "+1416555"}
"""Countries that numbers are sold in, and how their numbers begin."""

NUMBERS_MAX = 10
"""Numbers of one account."""

AGENT_DEFAULTS: dict[str, Any] = {
    "description": None,
    "voiceMode": "webhook",
    "systemPrompt": None,
    "beginMessage": None,
    "voice": None,
    "modelTier": "balanced",
    "language": "en-US",
    "enableMessaging": True,
}


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where an account, or one of its agents, hears events."""

    webhook_id: str
    url: str
    secret: str
    context_limit: int
    timeout_s: int
    created_at: str

    def as_json(self) -> dict[str, Any]:
        """Return it as the API shows it, secret included."""
        return {
            "id": self.webhook_id,
            "url": self.url,
            "secret": self.secret,
            "status": "active",
            "contextLimit": self.context_limit,
            "timeout": self.timeout_s,
            "createdAt": self.created_at,
        }


class AgentPhoneAccount:
    """One account; it begins with a hosted agent, one in webhook mode, and three numbers, one free."""

    def __init__(
        self, index: int, config: SimulatorConfig, clock: Clock, next_id: Callable[[str], str]
    ) -> None:
        self.index = index
        self._config = config
        self._clock = clock
        self._next_id = next_id
        self.agents: dict[str, dict[str, Any]] = {}
        self.numbers: dict[str, dict[str, Any]] = {}
        self.messages: dict[str, list[dict[str, Any]]] = {}
        self.webhook: Webhook | None = None
        self.agent_webhooks: dict[str, Webhook] = {}
        self.calls: list[PlacedCall] = []
        hosted = self.create_agent(
            {"name": "Reminders", "voiceMode": "hosted", "systemPrompt": "You remind people of appointments."}
        )
        by_webhook = self.create_agent({"name": "Survey", "voiceMode": "webhook"})
        for agent in (hosted, by_webhook, None):
            self.create_number("US", agent["id"] if agent else None)

    def now_text(self, back_s: int = 0) -> str:
        """Return the present as the API writes it."""
        return as_datetime(self._clock.now_us() - back_s * 1_000_000).strftime("%Y-%m-%dT%H:%M:%SZ")

    def agent(self, agent_id: str) -> dict[str, Any]:
        """Return an agent. Raises Problem."""
        if agent_id not in self.agents:
            raise not_found("Agent not found")
        return self.agents[agent_id]

    def number(self, number_id: Any) -> dict[str, Any]:
        """Return a number, released ones too. Raises Problem."""
        if not isinstance(number_id, str) or number_id not in self.numbers:
            raise not_found("Phone number not found", "PHONE_NUMBER_NOT_FOUND")
        return self.numbers[number_id]

    def live_numbers(self) -> list[dict[str, Any]]:
        """Return the numbers that are not released."""
        return [number for number in self.numbers.values() if number["status"] != "released"]

    def numbers_of(self, agent_id: str) -> list[dict[str, Any]]:
        """Return an agent's numbers, in the order in which the account got them."""
        return [number for number in self.live_numbers() if number["agentId"] == agent_id]

    def webhook_of(self, agent_id: str | None) -> Webhook | None:
        """Return where an agent's events go: to its own webhook and only there, else to the account's."""
        return self.agent_webhooks.get(agent_id or "") or self.webhook

    def create_agent(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Create an agent. Raises Problem."""
        if not isinstance(wanted.get("name"), str) or not wanted["name"]:
            raise invalid("name", "field required", 422)
        if wanted.get("voiceMode", "webhook") not in ("webhook", "hosted"):
            raise invalid("voiceMode", "expected webhook or hosted", 422)
        if wanted.get("voiceMode") == "hosted" and not wanted.get("systemPrompt"):
            raise invalid("systemPrompt", "systemPrompt is required when voiceMode is hosted")
        agent_id = self._next_id("agt")
        agent = {"id": agent_id, **AGENT_DEFAULTS, **wanted, "createdAt": self.now_text()}
        self.agents[agent_id] = agent
        return agent

    def create_number(
        self, country: str, agent_id: str | None, area_code: str | None = None
    ) -> dict[str, Any]:
        """Buy a number. Raises Problem."""
        if country not in COUNTRIES:
            raise invalid("country", f"Country {country} is not supported. Supported: US, CA")
        if agent_id is not None:
            self.agent(agent_id)
        if len(self.live_numbers()) >= NUMBERS_MAX:
            raise Problem(
                400,
                f"Number limit reached. Your plan allows {NUMBERS_MAX} numbers",
                "VALIDATION_ERROR_NUMBER_LIMIT",
                "validation_error",
            )
        number_id = self._next_id("num")
        start = f"+1{area_code}555" if area_code else COUNTRIES[country]
        number = {
            "id": number_id,
            "phoneNumber": f"{start}{int(number_id[4:]) % 10_000:04d}",
            "country": country,
            "status": "active",
            "type": "sms",
            "agentId": agent_id,
            "createdAt": self.now_text(),
        }
        self.numbers[number_id] = number
        self.messages[number_id] = [
            self._message(number, serial) for serial in range(self._config.messages_per_number)
        ]
        return number

    def _message(self, number: dict[str, Any], serial: int) -> dict[str, Any]:
        """Return a message that came `serial` minutes before the number was bought; newest first."""
        return {
            "id": f"msg_{number['id'][4:]}_{serial + 1}",
            "from_": f"+1555987{serial % 10_000:04d}",
            "to": number["phoneNumber"],
            "body": f"Message {serial + 1}",
            "receivedAt": self.now_text(back_s=60 * (serial + 1)),
            "direction": "inbound",
            "channel": "sms",
        }
