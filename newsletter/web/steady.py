"""Answers that take the same time whether an address is known or not."""

import asyncio
import math
import time

from fastapi.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

# Several times what the longest way through takes; who waits occupies no thread.
STEP = 0.1


class SteadyPage(HTMLResponse):
    """A page that is sent a whole number of `STEP` seconds after ``begun`` (`time.monotonic`)."""

    def __init__(self, page: HTMLResponse, *, begun: float) -> None:
        super().__init__(bytes(page.body), page.status_code)
        self.begun = begun

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then send."""
        await asyncio.sleep(seconds_left(time.monotonic() - self.begun))
        await super().__call__(scope, receive, send)


def seconds_left(passed: float) -> float:
    """How long to wait when ``passed`` seconds went by."""
    return max(1, math.ceil(passed / STEP)) * STEP - passed
