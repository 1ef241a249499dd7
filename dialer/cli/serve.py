"""`dialer serve`."""

from __future__ import annotations

from dialer.base.errors import BadInput
from dialer.cli.deployment import Config, open_store, settings_of
from dialer.cli.show import err, out
from dialer.web.app import build_web, serve_web
from dialer.web.webhooks import listeners_of


def serve(*, host: str = "127.0.0.1", port: int = 8080, config: Config = None) -> int:
    """Receive webhooks: what came of calls, the moment the provider tells.

    Runs beside `dialer run`, on the same database. Providers need an address that they can reach, with TLS:
    put a proxy such as caddy or nginx in front, and give them its address with the path printed here.

    Args:
        host: The address to listen on; 0.0.0.0 for every one of this machine.
        port: The port; 0 takes a free one.
    """
    if not 0 <= port <= 65535:
        raise BadInput(f"--port {port}, expected 0 to 65535")
    settings = settings_of(config)
    if not settings.accounts:
        raise BadInput("dialer.toml has no accounts, so there is nobody to hear from")
    listeners, others = listeners_of(settings.accounts)
    for sentence in others:
        err().print(sentence, markup=False)
    if not listeners:
        raise BadInput("no account of dialer.toml can be heard by webhook; see the lines above")
    with open_store(settings, create=True) as store:

        def ready(url: str) -> None:
            out().print(f"dialer serves on {url}", markup=False, soft_wrap=True)
            for one in listeners:
                proven = "" if one.verifies else "  (keep it secret: it is all that tells the provider apart)"
                out().print(f"webhooks of {one.account.name}: {url}{one.path}{proven}", markup=False)

        serve_web(build_web(store, listeners), host, port, ready)
    return 0
