"""The operator's pages, one router each."""

from fastapi import APIRouter

from newsletter.web.operator import link, today

PARTS = (link, today)
router = APIRouter()
for part in PARTS:
    router.include_router(part.router, prefix="/operator")
