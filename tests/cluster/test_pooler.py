"""A worker behind a pooler of transactions: a session of its own is nobody's."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, make_url
from sqlmodel import col, func, select

from newsletter.cluster import queue
from newsletter.cluster.site import Site
from newsletter.cluster.tasks import open_queue
from newsletter.cluster.worker import NewsletterWorker
from newsletter.core import database
from newsletter.core.database import read_scope
from newsletter.core.models import Delivery
from tests.conftest import require_program
from tests.support.database_proxy import running_proxy
from tests.support.imap_server import free_port, wait_for_port
from tests.support.readers import add_readers, settings_for
from tests.support.smtp_sink import running_sink

SETTINGS = """
[databases]
{name} = host=127.0.0.1 port={server} dbname={name} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
"""


@pytest.fixture
def pooled(queue_engine: Engine, tmp_path: Path) -> Iterator[Engine]:
    """The same database through pgbouncer, which has four connections to it."""
    program = require_program("pgbouncer")
    url = make_url(queue_engine.url.render_as_string(hide_password=False))
    port = free_port()
    file = tmp_path / "pgbouncer.ini"
    as_whom = ["-u", "nobody"] if os.getuid() == 0 else []
    # By a port: the server's socket is in a folder that only its user may enter.
    socket = f"{url.query['host']}/.s.PGSQL.5432"
    with running_proxy(socket, "127.0.0.1") as (proxy, _), (tmp_path / "log").open("wb") as log:
        file.write_text(
            SETTINGS.format(name=url.database, server=proxy.port, user=url.username, port=port)
        )
        for path in (file, *file.parents[:3]):
            path.chmod(0o755)
        pooler = subprocess.Popen([program, *as_whom, file], stdout=log, stderr=log)
        try:
            wait_for_port(port)
            user = quote(url.username or "")
            engine = database.connect(
                f"postgresql://{user}@127.0.0.1:{port}/{url.database}?prepare_threshold=none"
            )
            yield engine
            engine.dispose()
        finally:
            pooler.terminate()
            pooler.wait(10)


def test_a_worker_prepares_and_sends_through_four_connections_that_change_hands(
    pooled: Engine,
) -> None:
    add_readers(pooled, 12)
    said: list[str] = []

    async def look() -> None:
        async with open_queue(pooled) as app:
            await queue.put(app, "look", "look", timestamp=0)

    with running_sink() as sink:
        settings = settings_for(pooled, sink.port)
        asyncio.run(look())
        worker = NewsletterWorker(
            Site(settings, pooled), concurrency=2, say=said.append, wait=False
        )
        asyncio.run(worker.run())
        assert len(sink.accepted) == 12, said
    with read_scope(pooled) as session:
        rows = session.exec(select(Delivery.status, func.count()).group_by(col(Delivery.status)))
        assert [(str(status), number) for status, number in rows] == [("sent", 12)]
    assert not [line for line in said if "error" in line]
