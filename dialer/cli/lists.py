"""`dialer check` and `dialer load`."""

from __future__ import annotations

from pathlib import Path

from dialer.calls.load import Books, check_lists, open_lists
from dialer.calls.load import load as load_lists
from dialer.cli.deployment import CampaignName, Config, campaign_of, open_store, settings_of
from dialer.cli.show import loading_bar, out, print_books, print_json
from dialer.providers.registry import check_account


def check(campaign: CampaignName, /, *, json: bool = False, config: Config = None) -> int:
    """Validate a campaign's file, account and list; call nobody, write nothing.

    Args:
        json: Print one JSON document instead of lines.
    """
    settings = settings_of(config)
    said = campaign_of(campaign, settings)
    account = said.account(settings)
    check_account(account, agent=said.call.agent)
    with loading_bar() as watch:
        all_books = check_lists(said, watch=watch)
    if json:
        print_json(
            {"campaign": said.name, "account": account.name, "lists": [vars(one) for one in all_books]}
        )
        return 0
    out().print(f"{said.name}: account {account.name}, agent {said.call.agent}", markup=False)
    print_books(all_books)
    for books in all_books:
        _print_details(books)
    return 0


def load(
    campaign: CampaignName, /, *, file: Path | None = None, json: bool = False, config: Config = None
) -> int:
    """Turn a campaign's list into contacts and rejects; a file that was loaded before is skipped.

    Args:
        file: A list to load in place of the campaign's own.
        json: Print one JSON document instead of lines.
    """
    settings = settings_of(config)
    said = campaign_of(campaign, settings)
    lists = open_lists(said, file)
    with open_store(settings, create=True) as store, loading_bar() as watch:
        all_books = load_lists(store, said, lists, only_new=True, watch=watch)
    if json:
        print_json([vars(one) for one in all_books])
    else:
        print_books(all_books)
    return 0


def _print_details(books: Books) -> None:
    console = out()
    for reason, examples in books.examples.items():
        console.print(f"  {reason}, for example:", markup=False)
        for one in examples:
            place = f"row {one.list_row}" + (f" (line {one.list_line})" if one.list_line else "")
            mend = f" -> {one.suggestion}" if one.suggestion else ""
            raw = "" if one.raw is None else f"{one.raw!r}: "
            console.print(f"    {place}: {raw}{one.detail or reason}{mend}", markup=False)
    for title, counts in (("countries", books.regions), ("line types", books.types)):
        shown = ", ".join(f"{name} {count}" for name, count in counts.most_common(12))
        console.print(f"  {title}: {shown or 'none'}", markup=False)
    if books.repaired:
        console.print(f"  repaired: {books.repaired}", markup=False)
