"""Every recording, cut, flipped and swapped: parsed papers or one clear error, nothing else."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.core.errors import FetchError, InputError, ParseError
from newsletter.sources import PaperRecord, Source
from newsletter.sources.file_formats import FORMATS, detect, open_file
from newsletter.sources.normalise import LONGEST_ABSTRACT, LONGEST_ID
from tests.sources.test_sources_replay import PAPERS

# Cuts and flips for each recording; the seed is the recording's name, so a failure repeats.
ROUNDS = 12
FOLDERS = {
    "arxiv_api": "arxiv-atom",
    "arxiv_oai": "arxiv-oai",
    "arxiv_rss": "arxiv-rss",
    "biorxiv_medrxiv": "biorxiv",
    "crossref": "crossref",
    "feeds": "feed",
    "hf_daily_papers": "hf",
    "openalex": "openalex",
    "openreview": "openreview",
    "pubmed": "pubmed",
    "semantic_scholar": "semantic-scholar",
}
HTML = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


def check(record: PaperRecord) -> None:
    """What the store relies on."""
    assert record.title
    assert 0 < len(record.external_id) <= LONGEST_ID
    assert len(record.abstract) <= LONGEST_ABSTRACT
    assert record.url == "" or record.url.startswith(("http://", "https://"))
    assert record.published_at is None or record.published_at.tzinfo is not None
    assert 1 <= record.version < 2**31
    text = "".join((record.title, record.abstract, record.url, *record.authors, *record.categories))
    assert text.encode("utf-8")
    assert "\x00" not in text


def read(source: Source, body: bytes) -> list[PaperRecord]:
    """The papers of a body; an error must be one line that names source and place."""
    places: list[tuple[str, str]] = []
    records: tuple[PaperRecord, ...] = ()
    try:
        page = source.parse(body, where="recording")
        records = page.records
        places = [(problem.where, problem.what) for problem in page.problems]
    except (ParseError, FetchError) as error:
        places = [(error.where, error.what)]
    for where, what in places:
        assert where.startswith("recording")
        assert what
        assert "\n" not in where + what
    for record in records:
        check(record)
    return list(records)


def damaged(body: bytes, name: str) -> list[bytes]:
    """The body cut at places, with bytes flipped, doubled, and with a piece of itself inside."""
    dice = random.Random(name)
    found = [b"", body[:1], body[:-1], body[1:], body + body, HTML, body[::-1], b"\x00" + body]
    for _ in range(ROUNDS):
        found.append(body[: dice.randrange(len(body))])
        flipped = bytearray(body)
        for _ in range(dice.choice((1, 10, 200))):
            flipped[dice.randrange(len(body))] = dice.randrange(256)
        found.append(bytes(flipped))
        start, at = dice.randrange(len(body)), dice.randrange(len(body))
        found.append(body[:at] + body[start : start + 500] + body[at:])
    return found


@pytest.mark.parametrize("name", PAPERS)
def test_a_damaged_recording_gives_papers_or_one_clear_error(corpus: Path, name: str) -> None:
    body = (corpus / "payloads" / name).read_bytes()
    source = FORMATS[FOLDERS[name.split("/", maxsplit=1)[0]]]()
    for bad in damaged(body, name):
        read(source, bad)
        detect(bad[:65_536])


@pytest.mark.parametrize("name", [name for name, count in PAPERS.items() if count])
def test_a_cut_recording_never_gives_half_a_paper(corpus: Path, name: str) -> None:
    body = (corpus / "payloads" / name).read_bytes()
    source = FORMATS[FOLDERS[name.split("/", maxsplit=1)[0]]]()
    whole = {record.external_id: record for record in read(source, body)}
    dice = random.Random(name)
    for _ in range(ROUNDS):
        cut = read(source, body[: dice.randrange(len(body))])
        for record in cut:
            assert record.abstract == whole[record.external_id].abstract
            assert record.title == whole[record.external_id].title


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_meets_every_other_and_a_web_page(corpus: Path, format_name: str) -> None:
    source = FORMATS[format_name]()
    for name in PAPERS:
        read_any = (corpus / "payloads" / name).read_bytes()[:60_000]
        if format_name != "jsonl":
            read(source, read_any)
    if format_name != "jsonl":
        assert read(source, HTML) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    *(
                        "paper",
                        "id",
                        "title",
                        "summary",
                        "authors",
                        "name",
                        "publishedAt",
                        "upvotes",
                    ),
                    *("collection", "messages", "doi", "version", "abstract", "date", "published"),
                    *("data", "total", "paperId", "externalIds", "ArXiv", "DOI", "results", "meta"),
                    *("authorships", "primary_location", "abstract_inverted_index", "message"),
                    *("items", "author", "issued", "date-parts", "relation", "has-preprint"),
                    *("notes", "content", "value", "venue", "keywords", "externalIds", "pdate"),
                    *("esearchresult", "idlist", "count", "tags", "content_html", "date_published"),
                )
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(value=JSON, format_name=st.sampled_from([name for name in FORMATS if name != "jsonl"]))
def test_any_json_gives_papers_or_one_clear_error(value: object, format_name: str) -> None:
    source = FORMATS[format_name]()
    wrappers = {
        "hf": [value, {"paper": value}],
        "biorxiv": {"messages": [value], "collection": [value]},
        "medrxiv": {"messages": value, "collection": [value]},
        "semantic-scholar": {"total": 1, "data": [value]},
        "openalex": {"results": [value], "meta": value},
        "crossref": {"message": {"items": [value]}},
        "openreview": {"notes": [{"id": "x", "content": value}]},
        "pubmed": {"esearchresult": value},
        "feed": {"version": "https://jsonfeed.org/version/1", "items": [value]},
    }
    read(source, json.dumps(wrappers.get(format_name, value)).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 10_000,
        b"<a>" * 100_000,
        b"<rss>" + b"<item><title>x" * 20_000,
        b"<rss><item><title>" + b"<b>" * 50_000 + b"</b>" * 50_000 + b"</title></item></rss>",
        b"<rss><item><title>" + b"<a b='" * 50_000,
        b"<rss><item><description>" + b"&lt;![" * 50_000 + b"</description></item></rss>",
        b"<rss><item><description>" + b"&lt;a b='" * 50_000 + b"</description></item></rss>",
        b"\xff\xfe" + "<rss/>".encode("utf-16-le"),
        b'<?xml version="1.0" encoding="nonsense"?><feed/>',
        b'<?xml version="1.0" encoding="big5"?><feed/>',
        b'<!DOCTYPE feed SYSTEM "file:///etc/passwd"><feed/>',
        b'<!DOCTYPE f [<!ENTITY x SYSTEM "file:///etc/passwd">]><feed><entry>&x;</entry></feed>',
        b"\x1f\x8b\x08\x00garbage",
        b"file:///etc/passwd",
        b"http://127.0.0.1:9/feed",
    ],
    ids=range(17),
)
def test_hostile_bodies_end_in_an_error_and_open_nothing(body: bytes) -> None:
    for name, make in FORMATS.items():
        if name != "jsonl":
            assert all("root:" not in record.title for record in read(make(), body))


def test_a_damaged_file_is_papers_or_one_clear_error(corpus: Path, tmp_path: Path) -> None:
    for name in ("hf_daily_papers/daily_papers_2026-07-31_5.json", "feeds/rss2_aasnova_2023.xml"):
        body = (corpus / "payloads" / name).read_bytes()
        for number, bad in enumerate(damaged(body, name)):
            path = tmp_path / f"{number}.bin"
            path.write_bytes(bad)
            said = path.name
            try:
                list(open_file(path)[1])
            except (InputError, ParseError) as error:
                said = str(error)
            assert path.name in said
