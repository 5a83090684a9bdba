"""A relay's own 5xx at sending time goes the same way as a bounce that comes by mail."""

import os
import subprocess
import sys
from pathlib import Path

from sqlmodel import select

from newsletter.core import database
from newsletter.core.models import Suppression, SuppressionReason
from newsletter.core.tokens import Signer
from tests.support import factories
from tests.support.smtp_sink import running_sink

SEND = [sys.executable, "-c", "from newsletter.cli import main; main()", "send", "--date"]


def test_an_unknown_address_is_suppressed_and_a_policy_refusal_is_not(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'newsletter.db'}"
    engine = database.connect(url)
    database.upgrade(engine)
    with database.session_scope(engine) as session:
        factories.make_paper(session)
        for name in ("ada", "nobody", "policy"):
            factories.make_subscriber(session, f"{name}@reader.example")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("NEWSLETTER_")}
    with running_sink() as sink:
        done = subprocess.run(
            [*SEND, "2026-11-20"],
            cwd=tmp_path,
            env=clean
            | {
                "NEWSLETTER_DATABASE_URL": url,
                "NEWSLETTER_SMTP_URL": f"smtp://127.0.0.1:{sink.port}",
                "NEWSLETTER_FROM": "papers@papers.example",
                "NEWSLETTER_SECRET_KEYS": "a key for tests that is long enough",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    assert sink.recipients() == ["ada@reader.example"]
    with database.read_scope(engine) as session:
        [suppression] = session.exec(select(Suppression)).all()
    assert suppression.reason is SuppressionReason.BOUNCED
    signer = Signer(("a key for tests that is long enough",))
    assert suppression.address_hash == signer.hash_address("nobody@reader.example")
