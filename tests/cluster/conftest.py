"""A PostgreSQL database with the queue's tables, for every test of a worker."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from newsletter.cluster import schema
from newsletter.core import database


@pytest.fixture
def bare_engine(
    request: pytest.FixtureRequest,
    postgres_admin: Any,
    postgres_server: Any,
    postgres_template: str,
) -> Iterator[Engine]:
    """PostgreSQL at this version's tables, without a queue."""
    name = f"q{abs(hash(request.node.nodeid)) % 10**12}_{os.getpid()}"
    postgres_admin.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    engine = database.connect(postgres_server.get_uri(database=name))
    try:
        yield engine
    finally:
        engine.dispose()
        postgres_admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def queue_engine(bare_engine: Engine) -> Engine:
    """The same with the queue's tables."""
    schema.upgrade(bare_engine)
    return bare_engine
