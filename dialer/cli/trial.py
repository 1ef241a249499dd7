"""`dialer test-call`: one call to yourself, with everything that a campaign's file says.

The call goes the way of every call: its number is normalized, it has a contact, a row in the ledger, a pace
and an audit. It has a campaign of its own, named after the campaign and the moment, so that the campaign's
contacts and figures stay as they are and nobody else is called by it.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import anyio
import polars as pl
from cyclopts import Parameter

from dialer.attempts.unsettled import number_is_open
from dialer.base.durations import parse_duration, show_duration
from dialer.base.errors import BadInput, Busy
from dialer.calls import campaigns, runs
from dialer.calls.load import load, open_lists
from dialer.campaign import LINE_TYPES, Campaign
from dialer.cli.accounts import is_person_there
from dialer.cli.deployment import CampaignName, Config, campaign_of, open_store, settings_of
from dialer.cli.dial import dial
from dialer.cli.show import err, out, print_json
from dialer.contacts import normalize
from dialer.providers.open import reach
from dialer.run import dialing_rights
from dialer.store.database import Store
from dialer.tables.frames import read_view

SHOWN = (
    "state",
    "execution_id",
    "outcome",
    "disposition",
    "duration_s",
    "cost",
    "currency",
    "recording_url",
    "transcript",
    "sentiment",
    "error_code",
    "error",
)


def call_yourself(
    campaign: CampaignName,
    number: Annotated[str, Parameter(help="Your own number, as you would write it in the list.")],
    /,
    *,
    with_: Annotated[tuple[str, ...], Parameter(name="--with")] = (),
    for_: Annotated[str, Parameter(name="--for")] = "5m",
    yes: bool = False,
    json: bool = False,
    config: Config = None,
) -> int:
    """Call one number now, with the campaign's agent and settings, and show what came of it.

    Args:
        with_: NAME=VALUE, as many as wanted: what the list's columns would tell the agent.
        for_: How long to wait for the outcome.
        yes: Call without asking.
        json: Print one JSON document.
    """
    for_s = parse_duration(for_)
    settings = settings_of(config)
    said = campaign_of(campaign, settings)
    account = said.account(settings)
    metadata = _pairs(with_)
    phone = _dialable(number, said)
    anyio.run(reach, account, said.call.agent)
    _ask(phone, said, yes=yes)
    trial = trial_of(said, list(metadata))
    with open_store(settings, create=True) as store, dialing_rights(store):
        _refuse_open(store, phone)
        with tempfile.TemporaryDirectory(prefix="dialer-test-call-") as folder:
            file = _write_list(Path(folder), phone, metadata)
            load(store, trial, open_lists(trial, file))
        try:
            # Stays for the outcome of a call, and leaves where none may be made now.
            patient = account.model_copy(update={"outcome_wait_s": for_s})
            run_id = runs.begin(store, trial.name, campaigns.TEST_CALL)
            progress = dial(store, trial, patient, for_s=for_s, run_id=run_id)
            [contact] = read_view(store, "outcomes", trial.name).to_dicts()
        finally:
            # What was not called now must not be called by anybody later.
            campaigns.cancel(store, trial.name, "a test call is made at once or not at all")
        attempts = read_view(store, "attempts", trial.name).to_dicts()
    _show(trial.name, contact, attempts, for_s, json=json)
    if progress.exit_code:
        return progress.exit_code
    return 0 if contact["status"] in ("done", "calling") else 1


def trial_of(campaign: Campaign, columns: Sequence[str]) -> Campaign:
    """Return a campaign for one call: the same agent, account, hours and caps; nobody is redialed."""
    values = campaign.model_dump(exclude={"redial"})
    values["name"] = f"{campaign.name[:70]} (test {datetime.now(UTC):%Y-%m-%d %H:%M:%S})"
    values["on_unknown"] = "hold"
    values["hours"]["consent"] = True  # whoever calls themselves consents
    values["list"] = {
        "files": ("*.csv",),
        "phone": ("phone",),
        "metadata": tuple(columns),
        "types": LINE_TYPES,
    }
    return Campaign.model_validate(values, strict=False)


def _dialable(number: str, said: Campaign) -> str:
    """Return the number in E.164, read with the campaign's region."""
    row = normalize(pl.DataFrame({"phone": [number]}), "phone", said.list.region).to_dicts()[0]
    if row["phone"] is None:
        why = ": ".join(part for part in (row["reason"], row["detail"]) if part)
        hint = f"; {row['suggestion']}" if row["suggestion"] else ""
        raise BadInput(f"this number cannot be called: {why}{hint}")
    return str(row["phone"])


def _pairs(words: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name or name == "phone":
            raise BadInput(f"--with {word!r}: expected NAME=VALUE, with a name of your list's other columns")
        pairs[name] = value
    return pairs


def _ask(phone: str, said: Campaign, *, yes: bool) -> None:
    if yes:
        return
    question = f"Call {phone} now, by agent {said.call.agent} of account '{said.call.account}'?"
    if not is_person_there():
        raise BadInput(f"{question} There is nobody to ask; say --yes if that is meant")
    err().print(f"{question} [y/N] ", end="", markup=False)
    if input().strip().lower() not in ("y", "yes"):
        raise BadInput("nobody was called")


def _refuse_open(store: Store, phone: str) -> None:
    if number_is_open(store, phone):
        raise Busy("a call to this number is open already; try again when it is over")


def _write_list(folder: Path, phone: str, metadata: dict[str, str]) -> Path:
    file = folder / "test-call.csv"
    with file.open("w", newline="", encoding="utf-8") as handle:
        rows = csv.writer(handle)
        rows.writerow(["phone", *metadata])
        rows.writerow([phone, *metadata.values()])
    return file


def _show(
    name: str, contact: dict[str, Any], attempts: list[dict[str, Any]], for_s: float, *, json: bool
) -> None:
    last = attempts[-1] if attempts else {}
    told = {key: last[key] for key in SHOWN if last.get(key) is not None}
    if json:
        print_json({"campaign": name, "status": contact["status"], "reason": contact["reason"], **told})
        return
    for key, value in told.items():
        out().print(f"{key}: {value}", markup=False)
    if not told:
        why = contact["reason"] or "outside the campaign's hours, or not due now"
        if contact["next_call_at"] is not None:
            why += f"; the next moment would be {contact['next_call_at']:%Y-%m-%d %H:%M} UTC"
        out().print(f"not called: {why}", markup=False)
    elif contact["status"] == "calling":
        out().print(
            f"no outcome within {show_duration(for_s)}; later: dialer reconcile '{name}'", markup=False
        )
