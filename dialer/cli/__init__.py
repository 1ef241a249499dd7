"""The same by command: `dialer run CAMPAIGN` and its brothers.

Results go to stdout, everything else to stderr. Exit codes: 0 done; 1 failed; 2 wrong usage or refused
input; 3 stopped by a breaker or the provider; 4 something needs a person; 75 busy, try again later; 130
interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from dialer import __version__
from dialer.base.errors import DialerError
from dialer.base.log import configure_logging

app = App(
    name="dialer",
    help="Bulk outbound campaigns: a contact list in, calls out, every execution id in a database.",
    version=__version__,
    help_format="plaintext",
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,  # main says that
)
# By import path, so that --help does not wait for polars and SQLAlchemy.
COMMANDS = {
    "demo": ("demo:demo", "A real campaign against the bundled simulator, outcome table at the end."),
    "init": ("setup:init", "Write a commented dialer.toml and an example campaign."),
    "check": ("lists:check", "Validate a campaign's file, account and list; call nobody, write nothing."),
    "normalize": ("normalize:normalize", "Write a list's clean numbers to a file; no campaign needed."),
    "load": ("lists:load", "Turn a campaign's list into contacts and rejects."),
    "plan": ("plan:plan", "Say who would be called when, when it ends and what it costs; call nobody."),
    "why": ("why:why", "Say why each contact is not being called now, and when it can be."),
    "test-call": ("trial:call_yourself", "Call yourself once, with a campaign's settings."),
    "run": ("dial:run", "Load what is new, call what may be called now, collect outcomes."),
    "worker": ("work:worker", "Dial all running campaigns until told to stop; several side by side."),
    "due": ("due:due", "Run every campaign whose cron time has come, once; for crontab."),
    "runs": (
        "runs:runs",
        "List the runs that `run`, `test-call` and cron began: why they ended, what they did.",
    ),
    "status": ("look:status", "Show progress, pace and outcomes."),
    "pause": ("control:pause", "Stop claiming, on every worker, within seconds."),
    "resume": ("control:resume", "Let workers dial a campaign: after a pause, a stop or for the first time."),
    "cancel": ("control:cancel", "End a campaign for good: nobody who waits is called."),
    "reconcile": ("dial:reconcile", "Settle attempts whose answer was lost."),
    "export": ("look:export", "Write contacts, attempts, outcomes or rejects to a file."),
    "audit": ("look:audit", "Prove from the database that nobody was called twice and nobody lost."),
    "serve": ("serve:serve", "Receive webhooks: what came of calls, the moment the provider tells."),
    "numbers": ("numbers:numbers", "List, attach, detach, buy, release or add numbers of an account."),
    "agents": ("accounts:agents", "List the voice agents of an account."),
    "calls": ("accounts:calls", "Ask the provider about one call, end it, or read what was said."),
    "webhooks": ("accounts:webhooks", "Tell the provider where to send events, and read its log of them."),
    "simulate": ("setup:simulate", "Serve a provider's API on this machine, with a ledger of placed calls."),
}
for name, (place, words) in COMMANDS.items():
    app.command(f"dialer.cli.{place}", name=name, help=words)
database = App(name="db", help="The results database: migrations.")
database.command(
    "dialer.cli.setup:upgrade", name="upgrade", help="Bring the database to this version of dialer."
)
database.command(
    "dialer.cli.setup:check_database", name="check", help="Say whether the database is at this version."
)
app.command(database)
suppress = App(name="suppress", help="Do-not-call: who must not be called, why, and until when.")
suppress.command("dialer.cli.suppress:add", name="add", help="Add one number or prefix.")
suppress.command(
    "dialer.cli.suppress:remove",
    name="remove",
    help="Take a number or prefix off again: every entry of it, for all and for each campaign and account.",
)
suppress.command("dialer.cli.suppress:import_", name="import", help="Add a list's numbers and prefixes.")
suppress.command("dialer.cli.suppress:list_", name="list", help="List how many there are, and the newest.")
suppress.command(
    "dialer.cli.suppress:check", name="check", help="Say whether and why a number is not called."
)
app.command(suppress)
rules = App(name="rules", help="Calling hours, caps and refusals, with their sources. Not legal advice.")
rules.command("dialer.cli.rules:list_rules", name="list", help="List the rules, or those of a region.")
rules.command("dialer.cli.rules:show", name="show", help="Show everything about one rule.")
rules.command("dialer.cli.rules:check", name="check", help="Say whether and when a number may be called.")
app.command(rules)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    configure_logging()
    try:
        result = app(
            list(sys.argv[1:] if words is None else words),
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
    except CycloptsError as error:
        return _say(f"{error}\nTry: dialer --help", 2)
    except DialerError as error:
        return _say(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _say("interrupted", 130)
    except BrokenPipeError:
        # Whoever read our output has heard enough (`dialer export | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("DIALER_DEBUG"):
            traceback.print_exc()
        return _say(
            f"dialer failed in a way it should not ({type(error).__name__}: {error}); "
            "run it again with DIALER_DEBUG=1 to see where",
            1,
        )
    except BaseException as error:
        # What panics in polars, which is written in Rust, is no Exception, that nobody may pass over it.
        if type(error).__name__ != "PanicException":
            raise
        return _say(
            f"polars, which dialer is built on, failed in a way it should not ({error}); run it again, and if"
            " it fails again, send us this message with the command and a few rows of the list",
            1,
        )
    return result if isinstance(result, int) else 0


def _say(message: str, code: int) -> int:
    for line in message.splitlines() or [""]:
        print(f"dialer: {line}", file=sys.stderr)  # noqa: T201
    return code
