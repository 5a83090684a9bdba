"""The operator's pages, one router each."""

from fastapi import APIRouter

from newsletter.web.operator import (
    addresses,
    bounces,
    edition_changes,
    editions,
    forecast,
    jobs,
    link,
    scorecard,
    sign_ups,
    subscriber,
    subscribers,
    suppressions,
    today,
)

# "/subscribers/new" comes before "/subscribers/{subscriber_id}".
PARTS = (
    link,
    today,
    editions,
    edition_changes,
    subscribers,
    subscriber,
    addresses,
    sign_ups,
    suppressions,
    bounces,
    scorecard,
    forecast,
    jobs,
)
router = APIRouter()
for part in PARTS:
    router.include_router(part.router, prefix="/operator")
