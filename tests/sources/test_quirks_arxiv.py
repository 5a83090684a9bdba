"""What arXiv and Hugging Face do that others do not; a test for every quirk we know."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest

from newsletter.core.errors import ParseError
from newsletter.sources import Page
from newsletter.sources.arxiv_api import ArxivApi
from newsletter.sources.arxiv_oai import ArxivOai, set_of
from newsletter.sources.arxiv_rss import ArxivFeed
from newsletter.sources.file_formats import detect
from newsletter.sources.hugging_face import HuggingFace
from tests.support.sources import (
    DAY,
    after,
    answering,
    as_json,
    fetcher,
    hf_day,
    oai_error,
    oai_page,
    one,
    read,
    rss,
)

# Hugging Face Daily Papers


def test_hf_id_is_an_arxiv_id_and_the_inner_date_is_the_papers() -> None:
    (record,) = HuggingFace().parse(hf_day(1), where="hf").records
    assert record.arxiv_id == record.external_id == "2609.00001"
    # The outer publishedAt is hours off; the day of the list is submittedOnDailyAt.
    assert record.published_at == datetime(2026, 9, 21, tzinfo=UTC)
    assert (record.upvotes, record.code_url) == (7, "https://github.com/ada/number-1")


def test_hf_hidden_authors_are_skipped(corpus: Path) -> None:
    path = corpus / "payloads/hf_daily_papers/daily_papers_2026-06-12_30.json"
    hidden = {
        author["name"]
        for entry in json.loads(path.read_bytes())
        for author in entry["paper"]["authors"]
        if author["hidden"]
    }
    assert hidden
    assert not hidden & {name for paper in read(path, HuggingFace()) for name in paper.authors}


def test_hf_fields_come_and_go() -> None:
    bare = as_json(
        [{"paper": {"id": "2609.00001", "title": "T", "upvotes": None}}, {"paper": 3}, 7]
    )
    page = HuggingFace().parse(bare, where="hf")
    assert [record.title for record in page.records] == ["T"]
    assert [problem.where for problem in page.problems] == ["hf, paper 2", "hf, paper 3"]


def test_hf_never_asks_for_a_future_date_and_goes_on_after_an_empty_weekend() -> None:
    source = HuggingFace()
    first = source.first_request(date(2026, 9, 19), date(2026, 9, 20))
    assert first.params["date"] == "2026-09-19"
    second = source.parse(b"[]", where="hf", request=first).next
    assert second is not None
    assert second.params["date"] == "2026-09-20"
    assert source.parse(b"[]", where="hf", request=second).next is None


def test_hf_a_full_page_is_followed_by_the_next_one() -> None:
    source = HuggingFace()
    request = after(source, hf_day(*range(1, 101)))
    assert request is not None
    assert (request.params["date"], request.params["p"]) == ("2026-09-24", "1")
    assert int(request.params["limit"]) <= 100


# arXiv API


def test_arxiv_api_old_ids_hold_a_slash_and_published_is_the_first_versions(corpus: Path) -> None:
    path = corpus / "payloads/arxiv_api"
    (old,) = read(path / "id_list_oldstyle_astro-ph_0601001.xml", ArxivApi())
    assert old.external_id == "astro-ph/0601001"
    assert old.url == "https://arxiv.org/abs/astro-ph/0601001"
    revised = one(read(path / "query_unicode_title_2026-03-26.xml", ArxivApi()), "1102.2017")
    assert (revised.version, revised.published_at) == (
        2,
        datetime(2011, 2, 10, 0, 50, 54, tzinfo=UTC),
    )


def test_arxiv_api_primary_category_comes_first(corpus: Path) -> None:
    path = corpus / "payloads/arxiv_api/query_csAI_csLG_50_entries_2026-07-13.xml"
    assert read(path, ArxivApi())[0].categories[0] == "q-bio.NC"


def test_arxiv_api_text_is_hard_wrapped(corpus: Path) -> None:
    path = corpus / "payloads/arxiv_api/query_testing_start0_max10.xml"
    for record in read(path, ArxivApi()):
        assert "\n" not in record.title + record.abstract
        assert "  " not in record.title + record.abstract


def test_arxiv_api_a_title_may_be_zero(corpus: Path) -> None:
    (record,) = read(corpus / "payloads/arxiv_api/id_list_title_is_zero.xml", ArxivApi())
    assert record.title == "0"


def test_arxiv_api_the_doi_link_differs_from_the_pdf_by_its_title() -> None:
    body = b"""<feed xmlns="http://www.w3.org/2005/Atom"><entry>
        <id>http://arxiv.org/abs/2001.00001v1</id><title>T</title>
        <link href="https://arxiv.org/pdf/2001.00001v1" rel="related" title="pdf"/>
        <link href="https://doi.org/10.1000/ABC" rel="related" title="doi"/></entry></feed>"""
    (record,) = ArxivApi().parse(body, where="arxiv").records
    assert record.doi == "10.1000/abc"


def test_arxiv_api_unknown_ids_just_vanish(corpus: Path) -> None:
    assert read(corpus / "payloads/arxiv_api/id_list_unknown_id_empty.xml", ArxivApi()) == []


def test_arxiv_api_a_malformed_id_is_an_error_and_not_a_paper(corpus: Path) -> None:
    path = corpus / "payloads/arxiv_api/id_list_malformed_error400.xml"
    with pytest.raises(ParseError, match="incorrect id format for abc"):
        read(path, ArxivApi())


def test_arxiv_api_a_spurious_empty_page_is_asked_for_again(corpus: Path) -> None:
    empty = b"""<feed xmlns="http://www.w3.org/2005/Atom"
        xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">
        <opensearch:totalResults>50</opensearch:totalResults>
        <opensearch:startIndex>0</opensearch:startIndex></feed>"""
    full = (corpus / "payloads/arxiv_api/query_unicode_title_2026-03-26.xml").read_bytes()
    source = ArxivApi(["cs.AI"])
    with fetcher(answering(empty, empty, full)) as client:
        page, _ = client.page(source, source.first_request(DAY, DAY))
    assert len(page.records) == 3


def test_arxiv_api_slices_go_on_to_the_total_and_no_further() -> None:
    def feed(start: int, total: int) -> bytes:
        return f"""<feed xmlns="http://www.w3.org/2005/Atom"
        xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">
        <opensearch:totalResults>{total}</opensearch:totalResults>
        <opensearch:startIndex>{start}</opensearch:startIndex>
        <entry><id>http://arxiv.org/abs/2001.00001v1</id><title>T</title></entry></feed>""".encode()

    source = ArxivApi(["cs.AI", "cs.CL"])
    request = after(source, feed(0, 2))
    assert request is not None
    assert request.params["start"] == "1"
    assert "cat:cs.AI OR cat:cs.CL" in request.params["search_query"]
    assert after(source, feed(1, 2)) is None
    request = source.first_request(DAY, DAY)
    last = source.parse(feed(29_999, 50_000), where="arxiv", request=request)
    assert (last.next, last.cut_short) == (None, True)
    assert "50,000 papers match and it serves 30,000" in last.problems[0].what


def test_arxiv_api_429_is_plain_text_and_never_reaches_the_xml_parser() -> None:
    answers = [httpx.Response(429, text="Rate exceeded."), httpx.Response(200, content=b"<feed/>")]
    source = ArxivApi(["cs.AI"])
    with fetcher(answering(*answers)) as client:
        assert client.page(source, source.first_request(DAY, DAY))[0] == Page()


# arXiv feeds


def test_arxiv_rss_kinds_are_new_cross_and_replace(corpus: Path) -> None:
    folder = corpus / "payloads/arxiv_rss"
    records = read(folder / "rss_multi_new_cross_replace_2026-09-24.xml", ArxivFeed())
    assert [record.announcement for record in records] == ["new", "cross", "replace"]
    (record,) = read(folder / "ASSEMBLED_rss_replace-cross_from_arxiv_docs.xml", ArxivFeed())
    assert record.announcement == "replace"


def test_arxiv_rss_the_text_starts_with_id_and_type_which_are_no_abstract(corpus: Path) -> None:
    path = corpus / "payloads/arxiv_rss/rss_multi_new_cross_replace_2026-09-24.xml"
    records = read(path, ArxivFeed())
    assert records[0].abstract.startswith("Local learning trains each layer")
    assert not any("Announce Type" in record.abstract for record in records)


def test_arxiv_rss_a_cross_may_be_v2_of_a_paper_of_2022(corpus: Path) -> None:
    path = corpus / "payloads/arxiv_rss/rss_multi_new_cross_replace_2026-09-24.xml"
    record = one(read(path, ArxivFeed()), "2205.06398")
    assert (record.version, record.doi) == (2, "10.1093/bioinformatics/btac431")
    # The announcement's day says nothing of its age.
    assert record.published_at is None


def test_arxiv_rss_the_date_is_the_announcement_day_us_eastern(corpus: Path) -> None:
    path = corpus / "payloads/arxiv_rss/rss_multi_new_cross_replace_2026-09-24.xml"
    record = one(read(path, ArxivFeed()), "2609.26811")
    assert record.published_at == datetime(2026, 9, 24, 4, tzinfo=UTC)


def test_arxiv_rss_authors_are_one_line_with_tex_accents() -> None:
    entry = r"""<item><title>T</title><guid>oai:arXiv.org:2609.00001v1</guid>
        <dc:creator>Ren\'e Descartes (U. Leiden, NL), Erd\H{o}s P\'al and Ada Lovelace</dc:creator>
        </item>"""
    (record,) = ArxivFeed().parse(rss(entry), where="rss").records
    assert record.authors == ("René Descartes", "Erdős Pál", "Ada Lovelace")


def test_arxiv_rss_a_quiet_day_has_no_items_and_a_bad_category_a_title() -> None:
    assert ArxivFeed().parse(rss(), where="rss") == Page()
    with pytest.raises(ParseError, match="Feed error for query"):
        ArxivFeed().parse(rss(title="Feed error for query: cs.XX"), where="rss")


def test_arxiv_rss_the_atom_flavour_says_the_same(corpus: Path) -> None:
    records = read(corpus / "payloads/arxiv_rss/atom_cs.AI_2025-08-20.xml", ArxivFeed())
    kinds = [record.announcement for record in records]
    assert (kinds.count("cross"), kinds.count("new")) == (5, 2)
    assert records[0].authors[0] == "Chunhua Liu"


# arXiv OAI-PMH


def test_oai_sets_are_named_group_archive_subject() -> None:
    assert set_of("cs.LG") == "cs:cs:LG"
    assert set_of("hep-th") == "physics:hep-th"
    assert set_of("astro-ph.GA") == "physics:astro-ph:GA"
    assert set_of("cs") == "cs"


def test_oai_no_records_match_is_an_empty_day() -> None:
    assert ArxivOai().parse(oai_error("noRecordsMatch"), where="oai") == Page()


def test_oai_a_token_goes_on_and_its_end_begins_the_next_set() -> None:
    source = ArxivOai(["cs.LG", "stat.ML"])
    request = after(source, oai_page(1, token="next|1"))
    assert request is not None
    # A request with a token has no other argument (OAI-PMH §3.5).
    assert request.params == {"verb": "ListRecords", "resumptionToken": "next|1"}
    following = source.parse(oai_page(2), where="oai", request=request).next
    assert following is not None
    assert following.params["set"] == "stat:stat:ML"


def test_oai_an_expired_token_restarts_the_set_but_not_for_ever() -> None:
    source = ArxivOai(["cs.LG"])
    request = after(source, oai_page(1, token="old"))
    for _ in range(2):
        request = source.parse(oai_error("badResumptionToken"), where="oai", request=request).next
        assert request is not None
        assert request.params["from"] == DAY.isoformat()
    with pytest.raises(ParseError, match="tokens do not work"):
        source.parse(oai_error("badResumptionToken"), where="oai", request=request)


def test_oai_deleted_headers_are_no_papers() -> None:
    deleted = b"""<OAI-PMH><ListRecords><record><header status="deleted">
        <identifier>oai:arXiv.org:1</identifier></header></record></ListRecords></OAI-PMH>"""
    assert ArxivOai().parse(deleted, where="oai").announced == 0


def test_oai_collaborations_come_torn_into_name_parts(corpus: Path) -> None:
    path = corpus / "payloads/arxiv_oai/GetRecord_arXiv_collaboration_2016.xml"
    authors = read(path, ArxivOai())[0].authors
    assert authors[:3] == ("Keck Array", "BICEP2 Collaborations", "P. Ade")
    assert ":" not in authors


def test_oai_raw_control_characters_do_not_break_the_rest(corpus: Path) -> None:
    path = corpus / "payloads/arxiv_oai/ListRecords_not_wellformed_control_char.xml"
    assert b"\x17" in path.read_bytes()
    records = read(path, ArxivOai())
    assert records[0].authors == ("Céline Zuber-Roy",)
    # Of a text in several languages the English one is read.
    assert records[0].abstract.startswith("This article analyses the risks")


def test_oai_dublin_core_has_a_comment_among_its_descriptions(corpus: Path) -> None:
    (record,) = read(corpus / "payloads/arxiv_oai/record_oai_dc_1711.04702.xml", ArxivOai())
    assert record.arxiv_id == "1711.04702"
    assert record.authors[0] == "Deisy Morselli Gysi"
    assert "Comment:" not in record.abstract


def test_oai_a_revision_of_an_old_paper_is_not_new_but_one_from_the_same_days_is(
    corpus: Path,
) -> None:
    folder = corpus / "payloads/arxiv_oai"
    fresh = one(read(folder / "ListRecords_arXivRaw_2026-09-27.xml", ArxivOai()), "2609.27532")
    assert (fresh.version, fresh.announcement) == (2, "new")
    old = one(read(folder / "ListRecords_arXiv_hep-th_2017.xml", ArxivOai()), "1412.8323")
    assert old.announcement == "replace"


ATOM = (
    '<?xml version="1.0"?><a:feed xmlns:a="http://www.w3.org/2005/Atom" xmlns="http://none" '
    'xmlns:arxiv="http://arxiv.org/schemas/atom">{}</a:feed>'
)


def atom(number: str, title: str = "A title", more: str = "") -> bytes:
    """An answer with one paper, its elements under a prefix."""
    return ATOM.format(
        f"<a:entry><a:id>http://arxiv.org/abs/{number}</a:id><a:title>{title}</a:title>"
        f"<a:summary>We count.</a:summary>{more}</a:entry>"
    ).encode()


def test_arxiv_api_an_answer_may_name_its_elements_with_a_prefix() -> None:
    assert detect(atom("2609.00001v1")) == "arxiv-atom"
    assert len(ArxivApi().parse(atom("2609.00001v1"), where="arxiv").records) == 1
    assert ArxivApi().parse(ATOM.format("").encode(), where="arxiv") == Page()


@pytest.mark.parametrize(
    ("given", "number", "version"),
    [
        ("hep-th/9901001v3", "hep-th/9901001", 3),
        ("math.GT/0309136v1", "math/0309136", 1),
        ("0704.0001v2", "0704.0001", 2),
        ("2609.12345v12", "2609.12345", 12),
    ],
)
def test_arxiv_api_ids_of_every_age(given: str, number: str, version: int) -> None:
    (paper,) = ArxivApi().parse(atom(given), where="arxiv").records
    assert (paper.external_id, paper.arxiv_id, paper.version) == (number, number, version)


@pytest.mark.parametrize(
    ("comment", "kind"),
    [
        ("This paper has been withdrawn by the authors", "replace"),
        ("Withdrawn: an error in Lemma 3", "replace"),
        ("12 pages; we study withdrawn drugs", "new"),
        ("", "new"),
    ],
)
def test_arxiv_api_a_withdrawn_paper_is_never_new(comment: str, kind: str) -> None:
    more = f"<arxiv:comment>{comment}</arxiv:comment>"
    (paper,) = ArxivApi().parse(atom("2609.00001v2", more=more), where="arxiv").records
    assert paper.announcement == kind


OLD_ITEM = """<item rdf:about="http://arxiv.org/abs/{0}">
<title>{1}. (arXiv:{0}v{2} [cs.LG]{3})</title>
<link>http://arxiv.org/abs/{0}</link><description>&lt;p&gt;We count.&lt;/p&gt;</description>
<dc:creator> &lt;a href="http://arxiv.org/a/one_j_1"&gt;Jos&amp;#xe9; One&lt;/a&gt;, \
&lt;a href="http://arxiv.org/a/two_b_1"&gt;B. Two&lt;/a&gt;</dc:creator></item>"""


def test_arxiv_rss_until_2024_was_rdf_with_the_id_in_the_title() -> None:
    items = [
        OLD_ITEM.format("1912.12345", "Deep Things", 1, ""),
        OLD_ITEM.format("1812.12345", "Older Things", 4, " UPDATED"),
        OLD_ITEM.format("1912.54321", "Things", 1, " CROSS LISTED"),
    ]
    body = (
        '<?xml version="1.0"?>\n<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<channel rdf:about="http://arxiv.org/"><title>cs.LG</title></channel>{"".join(items)}'
        "</rdf:RDF>"
    ).encode()
    assert detect(body) == "arxiv-rss"
    papers = ArxivFeed().parse(body, where="arxiv-rss").records
    assert [(p.external_id, p.version, p.announcement) for p in papers] == [
        ("1912.12345", 1, "new"),
        ("1812.12345", 4, "replace"),
        ("1912.54321", 1, "cross"),
    ]
    assert (papers[0].title, papers[0].abstract) == ("Deep Things", "We count.")
    assert papers[0].authors == ("José One", "B. Two")


def test_oai_the_oldest_format_has_authors_in_one_line_and_no_dates() -> None:
    body = oai_page(1).replace(b"arXivRaw", b"arXivOld").replace(b"2609.00001<", b"hep-th/9901001<")
    (paper,) = ArxivOai().parse(body, where="oai").records
    assert (paper.external_id, paper.abstract) == ("hep-th/9901001", "We count.")
    assert paper.authors == ("Ada Lovelace", "Charles Babbage")


@pytest.mark.parametrize("verb", ["Identify", "ListIdentifiers", "ListSets"])
def test_oai_an_answer_to_another_question_is_no_empty_day(verb: str) -> None:
    body = oai_page(1)
    start, end = body.index(b"<ListRecords>"), body.index(b"</OAI-PMH>")
    with pytest.raises(ParseError, match="expected OAI-PMH records"):
        ArxivOai().parse(body[:start] + f"<{verb}/>".encode() + body[end:], where="oai")


def test_oai_a_withdrawn_paper_is_never_new() -> None:
    comment = b"<comments>This paper has been withdrawn</comments><categories>"
    body = oai_page(1).replace(b"<categories>", comment)
    (paper,) = ArxivOai().parse(body, where="oai").records
    assert paper.announcement == "replace"


def test_hf_keys_come_in_any_order() -> None:
    (listed,) = json.loads(hf_day(1))
    for keys in (sorted(listed), sorted(listed, reverse=True)):
        assert detect(as_json([{key: listed[key] for key in keys}])) == "hf"
