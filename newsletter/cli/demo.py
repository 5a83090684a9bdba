"""`newsletter demo`: the main job on embedded defaults, then an inbox page to look at."""

import sys
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from rich.markup import escape

from newsletter.cli.common import check_port
from newsletter.cli.console import out
from newsletter.demo import inbox_page, scenario
from newsletter.demo.mailbox import Mailbox, MailboxServer
from newsletter.demo.send import postman
from newsletter.web import create_app


def demo(
    port: Annotated[int, typer.Option(help="Port for the inbox page.", min=1, max=65535)] = 8025,
    once: Annotated[bool, typer.Option("--once", help="Write the .eml files and exit.")] = False,
    output: Annotated[
        Path, typer.Option("--output", help="Folder for the demo; replaced on each run.")
    ] = Path("newsletter-demo"),
) -> None:
    """Run the whole service on sample data, then serve an inbox page with every digest."""
    if not once:
        check_port("127.0.0.1", port)
    scenario.make_folder(output)
    mailbox = Mailbox(output)
    server = MailboxServer(mailbox)
    server.start()
    try:
        settings = scenario.make_settings(output, port=port, smtp_port=server.port)
        engine = scenario.run(settings, out.print)
        letters = mailbox.letters()
        if once:
            out.print(f"\n{len(letters)} messages in {escape(str(output))}/*.eml")
            return
        app = create_app(engine, settings)
        app.include_router(inbox_page.make_router(mailbox))
        _say_what_next(port, output)
        with postman(engine, settings):
            uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")
    finally:
        server.stop()


def _say_what_next(port: int, folder: Path) -> None:
    command = escape(str(Path(sys.argv[0]).absolute()))
    out.print(
        f"\n[bold]Open http://127.0.0.1:{port}/inbox[/] to read every digest; its links work.\n"
        f"Sign up at http://127.0.0.1:{port}/ and your mails will arrive there, too.\n\n"
        "Try next, in another terminal:\n"
        f"  cd {escape(str(folder))}\n"
        f"  {command} status            counts that add up\n"
        f"  {command} send              again: nobody gets a digest twice\n"
        f"  {command} subscribers list  the sample readers\n\n"
        "Press Ctrl-C to stop. The folder stays until you run the demo again."
    )
