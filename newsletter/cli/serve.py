"""`newsletter serve`: the pages behind the links, and the webhooks."""

from typing import Annotated

import typer
import uvicorn
from rich.markup import escape

from newsletter.cli.common import check_port, open_database
from newsletter.cli.console import err
from newsletter.web import create_app
from newsletter.web.server import server_options
from newsletter.web.watchdog import WatchedServer


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8000,
) -> None:
    """Serve the web pages and webhooks until stopped."""
    settings, engine = open_database("secret_keys")
    check_port(host, port)
    err.print(f"serving http://{escape(host)}:{port}/, public address {settings.base_url}")
    config = uvicorn.Config(
        create_app(engine, settings),
        host=host,
        port=port,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        **server_options(),
    )
    WatchedServer(config).run()
