"""`dialer run` and `dialer reconcile`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Annotated

import anyio
from cyclopts import Parameter
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from dialer.attempts import decide, unsettled, workers
from dialer.attempts.progress import RunProgress
from dialer.attempts.unsettled import Held
from dialer.base.clock import as_datetime
from dialer.base.durations import parse_duration
from dialer.base.errors import BadInput, Busy, DialerError
from dialer.base.ids import new_worker_id
from dialer.base.settings import Account, Settings
from dialer.calls import runs
from dialer.calls.load import load, open_lists
from dialer.calls.never_open import refuse_if_never_open
from dialer.campaign.campaign import Campaign
from dialer.cli.deployment import (
    CampaignName,
    Config,
    campaign_name,
    campaign_of,
    open_store,
    rules_of,
    settings_of,
)
from dialer.cli.show import err, loading_bar, out, print_json, print_table
from dialer.cli.stopped import stopped_as_json
from dialer.cli.unpaced import warn_of_no_pace
from dialer.providers.open import reach
from dialer.rules.heard import HeardRules
from dialer.rules.rulebook import RuleBook
from dialer.run import Run, dialing_rights, reconcile_account
from dialer.store.database import Store
from dialer.tables.query import campaign_id_of


def run(
    campaign: CampaignName,
    /,
    *,
    for_: Annotated[str | None, Parameter(name="--for")] = None,
    wait: bool = False,
    json: bool = False,
    config: Config = None,
) -> int:
    """Load what is new, call what may be called now, collect outcomes; stop when nothing is due.

    Args:
        for_: Stop after this long, for example 30m; calls in the air are waited for.
        wait: Stay until every contact is done.
        json: Print the closing figures as one JSON document.
    """
    for_s = parse_duration(for_) if for_ is not None else None
    settings = settings_of(config)
    said = campaign_of(campaign, settings)
    account = said.account(settings)
    anyio.run(reach, account, said.call.agent)
    lists = open_lists(said)
    with open_store(settings, create=True) as store, dialing_rights(store):
        refuse_if_never_open(store, said, lists, rules_of(settings))
        with loading_bar() as watch_list:
            books = load(store, said, lists, only_new=True, watch=watch_list)
        for one in books:
            if not one.skipped:
                err().print(one.line(), markup=False)
                if one.accepted + one.duplicate == 0:
                    err().print(
                        f"warning: {one.file} has nobody to call; see: dialer check {campaign}", markup=False
                    )
        warn_of_no_pace(account, settings, said)
        with stopped_as_json(store, said, json=json):
            progress = dial(store, said, account, HeardRules(settings.rules).look, for_s=for_s, wait=wait)
    if json:
        print_json(progress.as_json())
    else:
        out().print(progress.closing_line(), markup=False, soft_wrap=True)
    return progress.exit_code


def dial(
    store: Store,
    said: Campaign,
    account: Account,
    rules: Callable[[], RuleBook] | None = None,
    *,
    for_s: float | None = None,
    wait: bool = False,
    run_id: int | None = None,
) -> RunProgress:
    """Dial a loaded campaign, with a bar where stderr is a terminal; the caller has the dialing rights.

    `run_id` is the record of a run that was begun already; otherwise a person's is begun here. `rules`
    returns the calling rules that hold now.
    """
    if run_id is None:
        run_id = runs.begin(store, said.name, "dialer run")
    try:
        with _dialing_bar(said.name) as watch:
            dialing = Run(
                store, said, account, for_s=for_s, wait=wait, watch=watch, rules=rules, run_id=run_id
            )
            progress = anyio.run(dialing.go)
    except DialerError as error:
        if run_id is not None:
            runs.finish(store, run_id, str(error), error.exit_code, {})
        raise
    if run_id is not None:
        runs.finish(store, run_id, progress.ended or "", progress.exit_code, progress.as_json())
    return progress


def reconcile(
    campaign: Annotated[str | None, Parameter(help="A campaign; every campaign where left out.")] = None,
    /,
    *,
    bind: Annotated[tuple[str, str] | None, Parameter(consume_multiple=False)] = None,
    not_placed: str | None = None,
    force: bool = False,
    json: bool = False,
    config: Config = None,
) -> int:
    """Ask the provider about open calls and unknown attempts, then show what only a person can decide.

    Args:
        bind: ATTEMPT EXECUTION_ID: a person's word that the attempt is this call of the provider.
        not_placed: ATTEMPT: a person's word that it was never placed; its contact will be called again. It
            takes back a --bind to a call that the provider does not know.
        force: Take the person's word without asking the provider.
        json: Print one JSON document instead of a table.
    """
    if bind is not None and not_placed is not None:
        raise BadInput("--bind and --not-placed are said one after the other")
    if force and bind is None and not_placed is None:
        raise BadInput("--force goes with --bind or --not-placed")
    settings = settings_of(config)
    name = campaign_name(campaign, settings) if campaign is not None else None
    with open_store(settings) as store:
        with store.read() as connection:
            campaign_id_of(connection, name)
        if bind is not None:
            one = decide.doubtful(store, bind[0], name)
            account = settings.accounts.get(one.account)
            done = anyio.run(partial(decide.bind, store, account, one, bind[1], insist=force))
        elif not_placed is not None:
            one = decide.doubtful(store, not_placed, name)
            account = settings.accounts.get(one.account)
            done = anyio.run(partial(decide.free, store, account, one, insist=force))
        else:
            done = None
            _recover(store)
            _ask_providers(store, settings, name)
        left = unsettled.unknown_attempts(store, name)
    if done is not None:
        (err() if json else out()).print(done, markup=False, soft_wrap=True)
    held = sum(one.next_lookup_at_us is None for one in left)
    if json:
        print_json([{**one._asdict(), "opened_at": as_datetime(one.opened_at_us)} for one in left])
    elif left:
        _print_unknown(left, held)
    else:
        out().print("no unknown attempts")
    return 4 if held else 0


def _print_unknown(left: Sequence[Held], held: int) -> None:
    asked = len(left) - held
    parts = [f"{held} held: settle with --bind ATTEMPT EXECUTION_ID or --not-placed ATTEMPT"] if held else []
    parts += [f"{asked} looked up by dialer itself: by a run, a worker or dialer reconcile"] if asked else []
    print_table(
        f"{len(left)} unknown attempts: {'; '.join(parts)}",
        ("attempt", "campaign", "list id", "list row", "left at (UTC)", "error", "state"),
        (
            (
                one.attempt_id,
                one.campaign,
                one.list_id,
                one.list_row,
                f"{as_datetime(one.opened_at_us):%Y-%m-%d %H:%M:%S}",
                one.error_code,
                one.reason if one.next_lookup_at_us is None else "being looked up",
            )
            for one in left
        ),
    )


def _recover(store: Store) -> None:
    """Take over what dead workers left; on SQLite only where nobody dials, who would do it himself."""
    with suppress(Busy), dialing_rights(store):
        workers.recover(store, new_worker_id(), alone=store.is_sqlite)


def _ask_providers(store: Store, settings: Settings, campaign: str | None) -> None:
    for name in unsettled.accounts_with_open(store, campaign):
        if name not in settings.accounts:
            err().print(f"account '{name}' is not in dialer.toml any more; its attempts stay unknown")
            continue
        done, collected = anyio.run(reconcile_account, store, settings.accounts[name])
        err().print(
            f"{name}: {collected.ended} open calls ended, {collected.found} unknown found in the list;"
            f" {done.looked_up} unknown looked up: {done.bound} found, {done.freed} not placed,"
            f" {done.held} held, {done.later} again later",
            markup=False,
            soft_wrap=True,
        )


@contextmanager
def _dialing_bar(name: str) -> Iterator[Callable[[RunProgress], None] | None]:
    """Show the run's progress; nothing moves where stderr is no terminal."""
    console = err()
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[figures]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task(name, total=None, figures="")

        def watch(progress: RunProgress) -> None:
            counts = progress.counts
            whole = counts.submitted + progress.waiting_left
            pace = f"{progress.pace:.1f}/s" if progress.pace else "-"
            limit = f" of {progress.pace_limit:g}" if progress.pace_limit else ""
            bar.update(
                task,
                total=max(1, whole),
                completed=counts.submitted,
                figures=f"{counts.submitted} sent, {progress.open_calls} open, {progress.ended_calls} ended, "
                f"{progress.unknown_left} unknown, {pace}{limit}",
            )

        yield watch
