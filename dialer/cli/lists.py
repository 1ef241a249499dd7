"""`dialer check` and `dialer load`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from dialer.base.encodings import named_encoding
from dialer.base.errors import BadInput
from dialer.calls.load import check_lists, open_lists
from dialer.calls.load import load as load_lists
from dialer.campaign import Campaign
from dialer.cli.checked import print_check
from dialer.cli.deployment import CampaignName, Config, campaign_of, open_store, rules_of, settings_of
from dialer.cli.expected import hours_lines, reach_json, reach_lines, sighted, warn_of_never
from dialer.cli.guess import which_phone, which_region
from dialer.cli.show import loading_bar, out, print_books, print_json
from dialer.cli.unpaced import warn_of_no_pace
from dialer.providers.registry import check_account


def check(
    campaign: CampaignName, /, *, encoding: str | None = None, json: bool = False, config: Config = None
) -> int:
    """Validate a campaign's file, account and list; call nobody, write nothing.

    Rows are counted as if nothing were loaded yet. Of the database it looks at the do-not-call list, and at
    which files were loaded before.

    Args:
        encoding: The encoding of the list, such as cp1250, in place of the campaign's or the one found.
        json: Print one JSON document instead of lines.
    """
    settings = settings_of(config)
    said = _read_as(campaign_of(campaign, settings), encoding)
    account = said.account(settings)
    check_account(account, agent=said.call.agent)
    if said.list.phone is None:
        raise BadInput(which_phone(said))
    lists = open_lists(said)
    with sighted(said, settings) as seen, loading_bar() as watch:
        all_books = check_lists(said, lists, watch, seen.see)
        before = seen.loaded_before(lists)
    now_us = round(datetime.now(UTC).timestamp() * 1e6)
    found = seen.reach(rules_of(settings), now_us)
    warn_of_no_pace(account, settings, said)
    if json:
        listed = [
            {**vars(books), "found": one.info.found(), "columns": one.info.columns}
            | {"encoding": one.info.encoding, "delimiter": one.info.delimiter, "loaded_before": loaded}
            for one, books, loaded in zip(lists, all_books, before, strict=True)
        ]
        expected = reach_json(found, seen.do_not_call)
        print_json({"campaign": said.name, "account": account.name, "lists": listed, **expected})
        return 0
    out().print(f"{said.name}: account {account.name}, agent {said.call.agent}", markup=False)
    for one, books, loaded in zip(lists, all_books, before, strict=True):
        print_check(one.info, books)
        if loaded:
            out().print("  was loaded before, as it is: load and run pass over it", markup=False)
        if books.reasons["no_region"] and not (said.list.region or said.list.region_column):
            out().print(f"  {which_region(one, said)}", markup=False, soft_wrap=True)
    for line in (*hours_lines(said, now_us), *reach_lines(found, seen.do_not_call)):
        out().print(line, markup=False, soft_wrap=True)
    return 0


def load(
    campaign: CampaignName,
    /,
    *,
    file: Path | None = None,
    encoding: str | None = None,
    json: bool = False,
    config: Config = None,
) -> int:
    """Turn a campaign's list into contacts and rejects; a file that was loaded before is skipped.

    Args:
        file: A list to load in place of the campaign's own.
        encoding: The encoding of the list, such as cp1250, in place of the campaign's or the one found.
        json: Print one JSON document instead of lines.
    """
    settings = settings_of(config)
    said = _read_as(campaign_of(campaign, settings), encoding)
    lists = open_lists(said, file)
    with open_store(settings, create=True) as store, loading_bar() as watch:
        all_books = load_lists(store, said, lists, only_new=True, watch=watch)
        warn_of_never(store, said, rules_of(settings))
    if json:
        print_json([vars(one) for one in all_books])
    else:
        print_books(all_books)
    return 0


def _read_as(campaign: Campaign, encoding: str | None) -> Campaign:
    """Return the campaign with its list in another encoding, where one is named."""
    if encoding is None:
        return campaign
    try:
        section = campaign.list.model_copy(update={"encoding": named_encoding(encoding)})
    except ValueError as error:
        raise BadInput(f"--encoding {encoding}: expected {error}") from error
    return campaign.model_copy(update={"list": section})
