"""What every command needs: settings, the database, and how to speak to people and to programs."""

import json
import sys
from typing import Any

from rich.console import Console
from sqlalchemy import Engine

from newsletter import db
from newsletter.config import Settings, load_settings

# People read standard error, programs standard output: `--json` keeps the latter clean.
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def open_database(*required: str) -> tuple[Settings, Engine]:
    """Settings, with the ``required`` ones checked, and the migrated database.

    Raises:
        SettingsError: a setting is missing or bad.
        DatabaseError: the database cannot be opened or is not at this version's tables.
    """
    settings = load_settings()
    settings.require(*required)
    engine = db.connect(settings.database_url)
    db.require_current(engine)
    return settings, engine


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
