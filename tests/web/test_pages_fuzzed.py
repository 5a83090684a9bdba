"""Every address of the site with generated input: no answer is a server's error."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from sqlalchemy import Engine

from newsletter.core.config import Settings
from newsletter.core.tokens import Purpose
from newsletter.web import create_app
from tests.support.live_site import serving
from tests.support.visits import KEY, SIGNER, add_reader, send_digest

# For each address, method and body; twenty found no more than eight.
EXAMPLES = 8
FIELDS = (
    "email", "text", "categories", "authors", "seed_papers", "cadence", "time_zone", "pick",
    "weekday", "send_hour", "max_papers", "min_score", "weekly_budget", "length", "popularity",
    "outside_picks", "outside_picks-there", "vacation_until", "back", "topic-0-id",
    "topic-0-name", "topic-0-text", "topic-0-keywords", "topic-0-quota", "topic-0-mutes",
    "topic-0-seed_papers", "topic-1-name", "List-Unsubscribe",
)  # fmt: skip


def with_bodies(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, with the forms that the pages read by hand."""
    form = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in FIELDS},
        "additionalProperties": {"type": "string"},
    }
    kinds = ("application/x-www-form-urlencoded", "multipart/form-data")
    for operations in schema["paths"].values():
        if "post" in operations:
            content = {kind: {"schema": form} for kind in kinds}
            operations["post"]["requestBody"] = {"content": content}
    return schema


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore:Duplicate Operation ID")  # GET and HEAD share a function
def test_no_address_answers_with_a_servers_error(sqlite_engine: Engine) -> None:
    public_id = add_reader(sqlite_engine)
    delivery, _ = send_digest(sqlite_engine, public_id)
    app = create_app(sqlite_engine, Settings(secret_keys=KEY))
    # Behind these the generated values meet the code; forged tokens end at the door.
    tokens = {
        "account": SIGNER.sign(Purpose.ERASE, public_id, lifetime=3600),
        "archive": SIGNER.sign(Purpose.PREFERENCES, public_id),
        "click": SIGNER.sign(Purpose.CLICK, str(delivery)),
        "confirm": SIGNER.sign(Purpose.CONFIRM, public_id, lifetime=3600),
        "feed": SIGNER.sign(Purpose.FEED, public_id),
        "feedback": SIGNER.sign(Purpose.FEEDBACK, str(delivery)),
        "preferences": SIGNER.sign(Purpose.PREFERENCES, public_id),
        "receipt": SIGNER.sign(Purpose.RECEIPT, str(delivery)),
        "unsubscribe": SIGNER.sign(Purpose.UNSUBSCRIBE, public_id),
        "view": SIGNER.sign(Purpose.VIEW, str(delivery)),
    }
    schema = schemathesis.openapi.from_dict(with_bodies(app.openapi()))
    operations: list[Any] = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operations.append(found.ok())
    codes: dict[int, int] = {}
    with serving(app) as url:
        # What erases comes last.
        for operation in sorted(operations, key=lambda each: each.path.endswith("/erase")):
            genuine = tokens.get(operation.path.strip("/").split("/")[0])
            for token in {genuine, None}:
                known = {"token": token} if token and "{token}" in operation.path else None

                @settings(
                    max_examples=EXAMPLES,
                    deadline=None,
                    database=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                @given(case=operation.as_strategy(path_parameters=known))
                def check(case: schemathesis.Case[Any]) -> None:
                    answer = case.call(base_url=url, timeout=30, allow_redirects=False)
                    codes[answer.status_code] = codes.get(answer.status_code, 0) + 1
                    assert answer.status_code < 500, case.as_curl_command()

                check()
    assert {200, 404, 415, 422} <= codes.keys(), codes
