"""What tests of sources share: a fetcher that never waits, and answers shaped like real ones."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx

from newsletter.sources import Page, PaperRecord, Request, Source
from newsletter.sources.http_client import Fetcher

NOW = datetime(2026, 9, 24, 8, tzinfo=UTC)
DAY = date(2026, 9, 24)
Handler = Callable[[httpx.Request], httpx.Response]


class FreeTurns:
    """Every host may be asked at once; remembers what hosts asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.not_before: list[datetime] = []

    @contextmanager
    def take(self, host: str) -> Iterator["FreeTurns"]:
        self.asked.append(host)
        yield self

    def ask_not_before(self, when: datetime) -> None:
        self.not_before.append(when)

    def keep(self) -> None:
        pass


def fetcher(handler: Handler, **options: Any) -> Fetcher:
    """A fetcher whose network is ``handler``."""
    return Fetcher(
        FreeTurns(), transport=httpx.MockTransport(handler), sleep=lambda seconds: None, **options
    )


def answering(*answers: bytes | httpx.Response) -> Handler:
    """Gives the answers in turn, and the last one from then on."""
    left = list(answers)

    def handler(request: httpx.Request) -> httpx.Response:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, content=answer)

    return handler


def record(number: int, title: str | None = None, **more: Any) -> PaperRecord:
    """An arXiv paper."""
    values: dict[str, Any] = {
        "source": "arxiv",
        "external_id": f"2609.{number:05}",
        "arxiv_id": f"2609.{number:05}",
        "title": title or f"A study of the number {number} and its many uses",
        "authors": ("Ada Lovelace", "Charles Babbage"),
        "url": f"https://arxiv.org/abs/2609.{number:05}",
        "published_at": datetime(2026, 9, 21, tzinfo=UTC),
    }
    return PaperRecord(**{**values, **more})


def hf_day(*numbers: int, upvotes: int = 7) -> bytes:
    """A day's list of Hugging Face."""
    return json.dumps(
        [
            {
                "paper": {
                    "id": f"2609.{number:05}",
                    "title": f"A study of the number {number} and its many uses",
                    "summary": "We count.",
                    "authors": [{"name": "Ada Lovelace", "hidden": False}],
                    "publishedAt": "2026-09-21T00:00:00.000Z",
                    "submittedOnDailyAt": "2026-09-23T00:00:00.000Z",
                    "upvotes": upvotes,
                    "githubRepo": f"https://github.com/ada/number-{number}",
                },
                "publishedAt": "2026-09-22T13:37:00.000Z",
            }
            for number in numbers
        ]
    ).encode()


def oai_page(*numbers: int, token: str = "", versions: int = 1) -> bytes:
    """A page of arXiv's OAI server, in arXivRaw."""
    dates = "".join(
        f'<version version="v{n}"><date>Mon, 21 Sep 2026 0{n}:00:00 GMT</date></version>'
        for n in range(1, versions + 1)
    )
    records = "".join(
        f"""<record><header><identifier>oai:arXiv.org:2609.{number:05}</identifier>
        <datestamp>2026-09-23</datestamp></header><metadata>
        <arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>2609.{number:05}</id>{dates}
        <title>A study of the number {number} and its many uses</title>
        <authors>Ada Lovelace, Charles Babbage</authors><categories>cs.LG cs.CL</categories>
        <abstract>We count.</abstract></arXivRaw></metadata></record>"""
        for number in numbers
    )
    end = f"<resumptionToken>{token}</resumptionToken>" if token else ""
    return (
        '<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<ListRecords>{records}{end}</ListRecords></OAI-PMH>"
    ).encode()


def oai_error(code: str) -> bytes:
    """What an OAI server answers with HTTP 200."""
    return (
        '<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f'<error code="{code}">sorry</error></OAI-PMH>'
    ).encode()


def rss(*items: str, title: str = "News", more: str = "") -> bytes:
    """An RSS 2.0 feed."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" '
        'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:arxiv="http://arxiv.org/schemas/atom"><channel><title>{title}</title>'
        f"<link>https://example.org/</link><description>d</description>{more}{''.join(items)}"
        "</channel></rss>"
    ).encode()


def item(number: int, day: int = 23) -> str:
    """An entry of an RSS feed."""
    return (
        f"<item><title>A post about the number {number}</title>"
        f"<link>https://example.org/{number}</link><guid>https://example.org/{number}</guid>"
        f"<description>&lt;p&gt;We count.&lt;/p&gt;</description>"
        f"<pubDate>Wed, {day} Sep 2026 08:00:00 GMT</pubDate></item>"
    )


def read(path: Path, source: Source) -> list[PaperRecord]:
    """The papers of a recording."""
    return list(source.parse(path.read_bytes(), where=path.name).records)


def one(records: list[PaperRecord], name: str) -> PaperRecord:
    """The paper with this id."""
    return next(record for record in records if record.external_id == name)


def as_json(value: Any) -> bytes:
    """A body."""
    return json.dumps(value).encode()


def after(source: Source, body: bytes) -> Request | None:
    """The second question a source asks."""
    page: Page = source.parse(body, where="test", request=source.first_request(DAY, DAY))
    return page.next
