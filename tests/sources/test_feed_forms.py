"""Feeds as publishers and blogs really write them: ids, links, characters, dates, boilerplate."""

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core.charset import decoded
from newsletter.core.errors import InputError
from newsletter.core.models import Paper
from newsletter.papers.ingest import ingest_file, ingest_pages
from newsletter.sources import PaperRecord
from newsletter.sources.base import Request
from newsletter.sources.boilerplate import read_body
from newsletter.sources.crossref import Crossref
from newsletter.sources.dates import read_date
from newsletter.sources.feeds import Feed
from newsletter.sources.normalise import web_address
from tests.support.sources import DAY, as_json, fetcher, rss

ADDRESS = "https://journal.example.org/feeds/new.xml"
SOURCE = Feed(ADDRESS, "feed:journal.example.org/1")


def read(body: bytes, charset: str | None = None) -> list[PaperRecord]:
    request = Request(ADDRESS, state={"since": "2026-09-24", "page": "1"}, charset=charset)
    return list(SOURCE.parse(body, where="feed", request=request).records)


def entry(title: str, **elements: str) -> str:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in elements.items())
    return f"<item><title>{title}</title>{inner}</item>"


def titles(engine: Engine) -> list[str]:
    with Session(engine) as session:
        return list(session.exec(select(Paper.title).order_by(col(Paper.id))).all())


# Identity


def test_one_id_for_all_papers_of_a_feed_makes_them_no_one_paper(engine: Engine) -> None:
    first = entry("Soil bacteria and nitrogen in dry years", link="/a/1", guid=ADDRESS)
    second = entry("Lake sediments and carbon in wet years", link="/a/2", guid=ADDRESS)
    third = entry("Forest fires and ozone in every year", link="/a/3", guid=ADDRESS)
    pages = [SOURCE.parse(rss(first, second), where="day one")]
    assert ingest_pages(engine, SOURCE.name, pages).new == 2
    # On the next day the id stands there once, for another paper; then all three come again.
    assert ingest_pages(engine, SOURCE.name, [SOURCE.parse(rss(third), where="day two")]).new == 1
    again = ingest_pages(engine, SOURCE.name, [SOURCE.parse(rss(first, second, third), where="x")])
    assert (again.new, again.known) == (0, 3)
    assert len(titles(engine)) == 3


def test_papers_with_one_id_and_one_link_differ_by_their_titles() -> None:
    same = {"link": "https://j.org/", "guid": "https://j.org/"}
    papers = read(rss(entry("Soil bacteria", **same), entry("Lake sediments", **same)))
    assert len({paper.external_id for paper in papers}) == 2


def test_a_paper_that_changes_its_title_or_its_link_stays_one_paper(engine: Engine) -> None:
    for title, link in (("Soil bacteria and nitrogen", "/a/1"), ("Soil bacteria, and nitrogen", "/a/1"),
                        ("Soil bacteria and nitrogen", "/moved/1")):  # fmt: skip
        page = SOURCE.parse(rss(entry(title, link=link, guid="tag:1")), where="feed")
        ingest_pages(engine, SOURCE.name, [page])
    assert len(titles(engine)) == 1


@pytest.mark.parametrize("order", ["feed first", "catalogue first", "together"])
@pytest.mark.parametrize("link", ["https://x.org/articles/10.3389/fp.2026.1/full",
                                  "https://x.org/articles/10.3389/fp.2026.1/a-view-nobody-knows"])  # fmt: skip
def test_a_doi_guessed_from_a_link_never_contradicts_a_stated_one(
    engine: Engine, link: str, order: str
) -> None:
    title = "Working memory training in older adults: a randomized trial"
    listed = SOURCE.parse(rss(entry(title, link=link)), where="feed")
    work = {"DOI": "10.3389/fp.2026.1", "title": [title], "type": "journal-article"}
    stated = Crossref().parse(as_json({"message": {"items": [work]}}), where="crossref")
    pages = [listed, stated] if order != "catalogue first" else [stated, listed]
    if order == "together":
        ingest_pages(engine, "x", pages)
    else:
        for page in pages:
            ingest_pages(engine, "x", [page])
    with Session(engine) as session:
        (paper,) = session.exec(select(Paper)).all()
    assert paper.doi == "10.3389/fp.2026.1"


# Links


def test_links_are_resolved_against_the_feeds_address_and_encoded() -> None:
    for link, url in [
        ("/articles/12", "https://journal.example.org/articles/12"),
        ("12?x=1", "https://journal.example.org/feeds/12?x=1"),
        ("//other.example.org/14", "https://other.example.org/14"),
        ("https://j.org/a b.pdf", "https://j.org/a%20b.pdf"),
        ("https://j.org/view?id={12}|3", "https://j.org/view?id=%7B12%7D%7C3"),
        ("https://j.org/études/é", "https://j.org/%C3%A9tudes/%C3%A9"),
        ("https://j.org/done%20already", "https://j.org/done%20already"),
        ("\n  https://j.org/nl\n ", "https://j.org/nl"),
        ("www.j.org/noscheme", "https://www.j.org/noscheme"),
        ("https://münchen.example/x", "https://xn--mnchen-3ya.example/x"),
    ]:
        (paper,) = read(rss(entry("A paper about links", link=link)))
        assert paper.url == url


def test_what_can_be_no_address_is_none() -> None:
    for bad in (
        "javascript:alert(1)",
        "ftp://x.org/",
        "https://",
        "https://a b/",
        "http://[::1",
        "\x00",
    ):
        assert web_address(bad) == ""
    assert web_address("mailto:a@b.c", "https://x.org/") == ""


def test_a_link_behind_a_counter_is_the_one_that_is_named() -> None:
    name = 'feedburner:origLink xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0"'
    orig = f"<{name}>https://j.org/orig</feedburner:origLink></item>"
    item = entry("T", link="https://feedproxy.example/~r/x/1").replace("</item>", orig)
    assert [paper.url for paper in read(rss(item))] == ["https://j.org/orig"]


# Characters


def document(title: str, encoding: str = "") -> str:
    declared = f' encoding="{encoding}"' if encoding else ""
    return (
        f'<?xml version="1.0"{declared}?><rss version="2.0"><channel><title>J</title><item>'
        f"<title>{title}</title><link>https://j.org/1</link></item></channel></rss>"
    )


RUSSIAN = "Исследование ледников"


@pytest.mark.parametrize(
    ("body", "header", "title"),
    [
        (document(RUSSIAN).encode("cp1251"), "windows-1251", RUSSIAN),
        (document(RUSSIAN, "utf-8").encode("cp1251"), "windows-1251", RUSSIAN),
        (document(RUSSIAN, "windows-1251").encode("cp1251"), None, RUSSIAN),
        (document(RUSSIAN, "koi8-r").encode("koi8-r"), None, RUSSIAN),
        (document(RUSSIAN).encode("cp1251"), None, RUSSIAN),
        (document(RUSSIAN).encode(), "iso-8859-1", RUSSIAN),
        (document("蛋白质结构研究镕", "gb2312").encode("gb18030"), None, "蛋白质结构研究镕"),
        (document("蛋白质结构研究镕").encode("gb18030"), "GB2312", "蛋白质结构研究镕"),
        (document("Étude", "iso-8859-1").encode("latin-1"), None, "Étude"),
        (document("“Étude”", "iso-8859-1").encode("cp1252"), None, "“Étude”"),
        (document("Étude", "no-such-charset").encode("cp1252"), "nor-this", "Étude"),
        (document("Étude à l’été é", "utf-8").encode()[:-60] + b"\xe9" + document("é").encode()[-59:], None, None),
    ],
)  # fmt: skip
def test_characters_are_read_by_the_best_evidence(
    body: bytes, header: str | None, title: str | None
) -> None:
    (paper,) = read(body, header)
    assert paper.title == title or (title is None and paper.title.startswith("Étude à l’été"))


def test_one_bad_byte_costs_one_character() -> None:
    body = document("Étude à l’été ?", "utf-8").encode().replace(b"?<", b"\xe9<")
    assert [paper.title for paper in read(body)] == ["Étude à l’été \ufffd"]
    assert decoded(b"caf\xe9 na\xefve") == "café naïve"


def test_the_charset_in_the_header_reaches_the_reader() -> None:
    kind = {"content-type": "application/rss+xml; charset=windows-1251"}
    body = document(RUSSIAN).encode("cp1251")
    client = fetcher(lambda request: httpx.Response(200, content=body, headers=kind))
    page, _ = client.page(SOURCE, SOURCE.first_request(DAY, DAY))
    assert [paper.title for paper in page.records] == [RUSSIAN]


# Dates


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Wed, 25 Nov 2026 10:00:00 PDT", (25, 17)),
        ("2026-11-25 10:00:00 +0900", (25, 1)),
        ("Mi, 25 Nov 2026 10:00:00 +0100", (25, 9)),
        ("mercredi 25 novembre 2026", (25, 0)),
        ("25 de noviembre de 2026", (25, 0)),
        ("25. November 2026", (25, 0)),
        ("November 25th, 2026", (25, 0)),
        ("Wed Nov 25, 2026", (25, 0)),
        ("25/11/2026", (25, 0)),
        ("11/25/2026", (25, 0)),
        ("25.11.2026", (25, 0)),
        ("2026/11/25", (25, 0)),
        ("2026年11月25日", (25, 0)),
        ("Wed, 25 Nov 2026 24:00:00 GMT", (26, 0)),
        ("Wed, 25 Nov 2026 10:00 CET", (25, 9)),
        ("Wed, 25 Nov 26 10:00 EST", (25, 15)),
        ("Wednesday, November 25, 2026 - 10:00", (25, 10)),
        ("November 25, 2026 at 10:00", (25, 10)),
        ("2026-11-25T10:00:00Z", (25, 10)),
    ],
)
def test_odd_dates_are_read(text: str, moment: tuple[int, int]) -> None:
    assert read_date(text) == datetime(2026, 11, *moment, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["November 2026", "2026-11", "2026", "03/04/2026", "Spring 2026", "soon"]
)
def test_no_day_is_invented(text: str) -> None:
    assert read_date(text) is None
    (paper,) = read(rss(entry("A paper without a day", pubDate=text, link="/1")))
    assert paper.published_at is None


def test_dates_in_elements_of_dublin_core_and_prism_count() -> None:
    spaces = b'<rss xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/" '
    for name in ("dc:date", "prism:publicationDate", "pubDate"):
        body = rss(entry("T", **{name: "2026-11-25"}, link="/1")).replace(b"<rss ", spaces)
        assert [paper.published_at for paper in read(body)] == [datetime(2026, 11, 25, tzinfo=UTC)]


# Boilerplate


def html(*lines: str) -> str:
    return "".join(f"&lt;p&gt;{line}&lt;/p&gt;" for line in lines)


def test_a_citation_is_no_abstract_and_what_it_holds_is_used() -> None:
    lines = ("Publication date: 12 January 2026", "&lt;b&gt;Source:&lt;/b&gt; Water Research, Volume 290",
             "Author(s): Jane Doe, John Roe and Ann Poe")  # fmt: skip
    (paper,) = read(rss(entry("Microplastics", link="/1", description=html(*lines))))
    assert paper.abstract == ""
    assert paper.authors == ("Jane Doe", "John Roe", "Ann Poe")
    assert paper.categories == ("Water Research",)
    assert paper.published_at == datetime(2026, 1, 12, tzinfo=UTC)


def test_what_the_feed_says_itself_comes_before_its_boilerplate() -> None:
    lines = (
        "Author(s): J. Doe",
        "We observe things.",
        "[Phys. Rev. Lett. 130, 1] Published Tue Jan 03, 2026",
    )
    own = {
        "link": "/1",
        "pubDate": "Mon, 02 Feb 2026 00:00:00 GMT",
        "dc:creator": "Jane Doe and John Roe",
    }
    (paper,) = read(rss(entry("Shifts", description=html(*lines), **own)))
    assert paper.abstract == "We observe things."
    assert paper.authors == ("Jane Doe", "John Roe")
    assert paper.published_at == datetime(2026, 2, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "doi"),
    [
        ("Nature Catalysis, Published online: 12 May 2026; doi:10.1038/s41929-1", "10.1038/s41929-1"),
        ("Science, Volume 1, Page 1, May 2026.", None),
        ("Advanced Materials, Volume 38, Issue 5, February 2026.", None),
        ("Journal of Glaciology, Ahead of Print.", None),
        ("DOI: 10.1021/acs.1", "10.1021/acs.1"),
        ("Nature. 2026 Nov 25. doi: 10.1038/s41586-1. Online ahead of print.", "10.1038/s41586-1"),
        ("PMID:123 | DOI:10.1038/s41586-1", "10.1038/s41586-1"),
        ("The post Microplastics appeared first on A Blog.", None),
        ("© 2026 The Authors.", None),
    ],
)  # fmt: skip
def test_lines_of_boilerplate_are_known(line: str, doi: str | None) -> None:
    body = read_body(f"{line}\nWe count.")
    assert (body.abstract, body.doi) == ("We count.", doi)


@pytest.mark.parametrize(
    "text",
    [
        "Published evidence shows that we, in 2020, were wrong.",
        "Volume matters in bread, and so does the oven.",
        "Date palms grow in 2026 as they did before.",
        "Source: we asked 2,000 people. Author(s) of the survey were paid.",
        "Abstract algebra is not abstract enough.",
    ],
)
def test_sentences_that_begin_like_boilerplate_stay(text: str) -> None:
    line = text if not text.startswith("Source") else f"In short, {text}"
    assert read_body(line).abstract == line


def test_authors_of_one_element_are_divided() -> None:
    for creator, names in [
        ("Doe, J., Roe, R., van der Poe, A. B.", ("J. Doe", "R. Roe", "A. B. van der Poe")),
        ("Jane Doe and John Roe", ("Jane Doe", "John Roe")),
        ("\nJane Doe, \nRichard Roe, \nAnn Poe\n", ("Jane Doe", "Richard Roe", "Ann Poe")),
        ("Doe, Jane; Roe, Richard", ("Jane Doe", "Richard Roe")),
        ("Anderson, Bo", ("Bo Anderson",)),
    ]:
        (paper,) = read(rss(entry("T", link="/1", **{"dc:creator": creator})))
        assert paper.authors == names


# Files without papers


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"esearchresult": {"count": "2", "idlist": ["38000001", "38000002"]}}', "2 PubMed ids and no papers.*efetch"),
        (b"<?xml version='1.0'?><eSearchResult><Count>1</Count><IdList><Id>38000001</Id></IdList></eSearchResult>", "1 PubMed id and no papers.*efetch"),
        (b"2611.00001\n2611.00002\n", "ids and no papers"),
        (b"10.1000/a\nhttps://doi.org/10.1000/b\n", "ids and no papers"),
        (b'["38000001", "38000002"]', "ids and no papers"),
        (b"PMID: 38000001\r\nPMID: 38000002\r\n", "ids and no papers"),
        (b"<eSearchResult><IdList><Id>38000001</Id></IdList></eSearchResult>", "1 PubMed id and no"),
        (b'{"ids": ["10.1000/a", "2101.00001"]}', "ids and no papers"),
        (b'[{"doi": "10.1000/a"}, {"doi": "10.1000/b"}]', "ids and no papers"),
        (b"doi\n10.1000/a\n10.1000/b\n", "ids and no papers"),
        (b"38000001,38000002,38000003\n", "ids and no papers"),
        (b"[38000001, 38000002]", "ids and no papers"),
        (b"https://arxiv.org/abs/2101.00001 hep-th/9901001\n", "ids and no papers"),
        (b"PMID: 1\n", "unknown format"),
        (b"@article{a, title={T}, doi={10.1000/a}}", "it is a bibliography"),
        (b"TY  - JOUR\nTI  - T\nER  -\n", "it is a bibliography"),
    ],
)  # fmt: skip
def test_a_file_of_ids_says_so_and_what_to_do(
    engine: Engine, tmp_path: Path, body: bytes, said: str
) -> None:
    path = tmp_path / "ids"
    path.write_bytes(body)
    with pytest.raises(InputError, match=said):
        ingest_file(engine, path)


def test_a_search_that_found_nothing_is_a_quiet_day(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    path.write_bytes(b'{"esearchresult": {"count": "0", "idlist": []}}')
    assert ingest_file(engine, path).announced == 0
