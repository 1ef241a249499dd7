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

from cyclopts import App, CycloptsError

from dialer import __version__
from dialer.base.errors import DialerError
from dialer.base.log import configure_logging

app = App(
    name="dialer",
    help="Bulk outbound campaigns: a contact list in, calls out, every execution id in a database.",
    version=__version__,
    help_format="plaintext",
)
# By import path, so that --help does not wait for polars and SQLAlchemy.
app.command("dialer.cli.demo:demo")
app.command("dialer.cli.setup:init")
app.command("dialer.cli.lists:check")
app.command("dialer.cli.lists:load")
app.command("dialer.cli.dial:run")
app.command("dialer.cli.control:pause")
app.command("dialer.cli.control:resume")
app.command("dialer.cli.control:cancel")
app.command("dialer.cli.look:status")
app.command("dialer.cli.dial:reconcile")
app.command("dialer.cli.look:export")
app.command("dialer.cli.look:audit")
app.command("dialer.cli.setup:simulate")
database = App(name="db", help="The results database: migrations.")
database.command("dialer.cli.setup:upgrade")
database.command("dialer.cli.setup:check_database", name="check")
app.command(database)


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
    return result if isinstance(result, int) else 0


def _say(message: str, code: int) -> int:
    print(f"dialer: {message}", file=sys.stderr)  # noqa: T201
    return code
