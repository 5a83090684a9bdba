"""What other services do; a test for every quirk we know."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from newsletter.core.errors import FetchError, ParseError
from newsletter.sources import Page, PaperRecord
from newsletter.sources.biorxiv import Biorxiv, tidy_abstract
from newsletter.sources.crossref import Crossref
from newsletter.sources.file_formats import detect
from newsletter.sources.openalex import OpenAlex
from newsletter.sources.openreview import OpenReview
from newsletter.sources.pubmed import PubMed
from newsletter.sources.semantic_scholar import SemanticScholar
from tests.support.sources import (
    DAY,
    FreeTurns,
    after,
    answering,
    as_json,
    fetcher,
    one,
    read,
)

# bioRxiv and medRxiv


def biorxiv_answer(count: int, total: object) -> bytes:
    rows = [{"doi": f"10.1101/{n}", "title": "T", "version": "1"} for n in range(count)]
    return as_json(
        {"messages": [{"status": "ok", "cursor": 0, "total": total}], "collection": rows}
    )


def test_biorxiv_the_total_is_a_string() -> None:
    request = after(Biorxiv(), biorxiv_answer(100, "150"))
    assert request is not None
    assert request.url.endswith("/details/biorxiv/2026-09-24/2026-09-24/100/json")
    assert after(Biorxiv(), biorxiv_answer(100, "100")) is None
    assert after(Biorxiv(), biorxiv_answer(100, None)) is None


def test_biorxiv_a_record_is_a_version_and_only_the_first_is_new(corpus: Path) -> None:
    path = corpus / "payloads/biorxiv_medrxiv/biorxiv_details_2026-07_new_doi_prefix.json"
    records = read(path, Biorxiv())
    assert [record.announcement for record in records] == ["new", "new", "replace"]
    # A record's date is its version's; the first one's stands in the DOI.
    assert records[2].published_at == datetime(2025, 12, 19, tzinfo=UTC)


def test_biorxiv_both_doi_prefixes_are_dois(corpus: Path) -> None:
    folder = corpus / "payloads/biorxiv_medrxiv"
    new = read(folder / "biorxiv_details_2026-07_new_doi_prefix.json", Biorxiv())
    old = read(folder / "biorxiv_details_2024_page0_100.json", Biorxiv())
    assert {str(r.doi).split("/")[0] for r in new} == {"10.64898"}
    assert {str(r.doi).split("/")[0] for r in old} == {"10.1101"}


def test_biorxiv_a_withdrawn_preprint_is_never_new(corpus: Path) -> None:
    path = corpus / "payloads/biorxiv_medrxiv/biorxiv_details_2024_page0_100.json"
    withdrawn = [r for r in read(path, Biorxiv()) if r.title.startswith("WITHDRAWN:")]
    assert [record.announcement for record in withdrawn] == ["replace", "replace"]


def test_biorxiv_the_journals_doi_is_the_same_paper(corpus: Path) -> None:
    path = corpus / "payloads/biorxiv_medrxiv/biorxiv_details_2024_page0_100.json"
    record = one(read(path, Biorxiv()), "10.1101/565721")
    assert record.related_dois == ("10.1016/j.cell.2019.09.004",)


def test_medrxiv_headings_are_separated_from_the_text(corpus: Path) -> None:
    path = corpus / "payloads/biorxiv_medrxiv/medrxiv_details_2024_records0-29.json"
    starts = {record.abstract[:26] for record in read(path, Biorxiv("medrxiv"))}
    assert "Background: Undernutrition" in starts
    assert tidy_abstract("AbstractThe aim. MethodsWe count. RESULTSIt works.") == (
        "The aim. Methods: We count. RESULTS: It works."
    )
    assert tidy_abstract("Backgrounds differ. AIMS2 is a name.") == (
        "Backgrounds differ. AIMS2 is a name."
    )


def test_medrxiv_residue_of_typesetting_goes_and_greek_letters_come() -> None:
    assert tidy_abstract("The {varepsilon}4 allele at 180{degrees} by {chi}2, NF-{kappa}B") == (
        "The ε4 allele at 180° by χ2, NF-κB"
    )
    assert tidy_abstract("A tool, PO_SCPLOWEAFOWLC_SCPLOW.") == "A tool, PEAFOWL."
    assert tidy_abstract("Seen. O_FIG O_LINKSMALLFIG WIDTH=200 SRC='x' M_FIG C_FIG") == "Seen."
    assert tidy_abstract("In contextO_ST_ABSEvidence before this studyC_ST_ABSNone.") == (
        "In context. Evidence before this study: None."
    )
    assert tidy_abstract("Key PointsO_LIOneC_LIO_LITwoC_LI") == "Key Points One; Two"


# Semantic Scholar


def test_s2_nothing_found_has_no_data_key() -> None:
    assert SemanticScholar().parse(b'{"total": 0, "offset": 0}', where="s2") == Page()


def test_s2_a_batch_is_a_bare_array_with_nulls(corpus: Path) -> None:
    path = corpus / "payloads/semantic_scholar/paper_batch_with_null_entry.json"
    assert None in json.loads(path.read_bytes())
    assert len(read(path, SemanticScholar())) == 3


def test_s2_bulk_goes_on_by_token_and_search_by_next() -> None:
    source = SemanticScholar(["graphs"])
    bulk = after(source, as_json({"total": 3, "token": "abc", "data": []}))
    assert bulk is not None
    assert bulk.params["token"] == "abc"
    found = after(source, as_json({"total": 3, "next": 100, "data": []}))
    assert found is not None
    assert found.params["offset"] == "100"
    assert after(source, as_json({"total": 3, "token": None, "data": []})) is None


def test_s2_abstract_date_and_pdf_may_be_null(corpus: Path) -> None:
    folder = corpus / "payloads/semantic_scholar"
    assert read(folder / "paper_search_null_abstract.json", SemanticScholar())[0].abstract == ""
    swin = read(folder / "paper_search_transformer.json", SemanticScholar())[0]
    assert (swin.published_at, swin.arxiv_id) == (None, "2103.14030")
    assert swin.doi == "10.1109/iccv48922.2021.00986"


@pytest.mark.parametrize("key", ["error", "message"])
def test_s2_errors_stand_under_either_key(key: str) -> None:
    with pytest.raises(ParseError, match="no such field"):
        SemanticScholar().parse(as_json({key: "no such field"}), where="s2")


# OpenAlex


def test_openalex_the_abstract_is_an_inverted_index_and_may_be_null(corpus: Path) -> None:
    work = {"id": "https://openalex.org/W1", "title": "T"}
    index = {"graphs": [1, 3], "We": [0], "and": [2], "bad": ["x", -1, 10**12]}
    body = as_json({"results": [{**work, "abstract_inverted_index": index}]})
    assert OpenAlex().parse(body, where="oa").records[0].abstract == "We graphs and graphs"
    path = corpus / "payloads/openalex/works_select_projection.json"
    assert [record.abstract for record in read(path, OpenAlex())] == ["", ""]


def test_openalex_ids_are_urls(corpus: Path) -> None:
    record = read(corpus / "payloads/openalex/works_search_2026.json", OpenAlex())[0]
    assert (record.external_id, record.doi) == ("W3146366485", "10.1016/j.neucom.2021.03.091")


def test_openalex_the_first_of_january_may_mean_a_year_only() -> None:
    work = {"id": "https://openalex.org/W1", "title": "T", "publication_date": "2021-01-01"}
    (record,) = OpenAlex().parse(as_json({"results": [work]}), where="oa").records
    assert (str(record.published_at)[:4], record.published_precision) == ("2021", "year")


def test_openalex_preprint_and_article_are_places_of_one_work() -> None:
    places = [
        {"landing_page_url": "http://arxiv.org/abs/2609.00001"},
        {"landing_page_url": "https://doi.org/10.1101/2026.09.01.1"},
    ]
    work = {"id": "https://openalex.org/W1", "title": "T", "locations": places}
    (record,) = OpenAlex().parse(as_json({"results": [work]}), where="oa").records
    assert (record.arxiv_id, record.related_dois) == ("2609.00001", ("10.1101/2026.09.01.1",))


# Crossref


def crossref(work: dict[str, Any]) -> PaperRecord:
    body = as_json({"message": {"items": [{"DOI": "10.1/x", "title": ["T"], **work}]}})
    return Crossref().parse(body, where="crossref").records[0]


def test_crossref_titles_are_lists_and_authors_may_be_missing(corpus: Path) -> None:
    records = read(corpus / "payloads/crossref/works_cursor_page1.json", Crossref())
    assert records[0].title == "Widget Mania: Using a GUI Widget Framework"
    assert records[0].authors == ()
    body = as_json({"message": {"items": [{"DOI": "10.1000/x", "title": []}]}})
    assert "no title" in Crossref().parse(body, where="crossref").problems[0].what


def test_crossref_date_parts_may_be_null_or_stop_at_the_year() -> None:
    created = {"date-parts": [[2007, 9, 8]]}
    nothing = crossref({"issued": {"date-parts": [[None]]}, "created": created})
    assert nothing.published_at == datetime(2007, 9, 8, tzinfo=UTC)
    year = crossref({"issued": {"date-parts": [[2020]]}})
    assert year.published_at == datetime(2020, 1, 1, tzinfo=UTC)
    assert crossref({"issued": {"date-parts": [[2020, 13, 40]]}}).published_at is None


def test_crossref_abstracts_are_jats_with_a_heading_of_their_own(corpus: Path) -> None:
    path = corpus / "payloads/crossref/work_preprint_posted-content.json"
    (record,) = read(path, Crossref())
    assert record.abstract.startswith("Understanding the effects of rare genetic variants")
    assert "<" not in record.abstract


def test_crossref_a_preprint_names_its_article(corpus: Path) -> None:
    (record,) = read(corpus / "payloads/crossref/work_preprint_posted-content.json", Crossref())
    assert record.related_dois == ("10.1016/j.xgen.2025.100814",)


def test_crossref_an_unknown_doi_is_a_plain_text_404() -> None:
    source = Crossref(["x"])
    refusal = httpx.Response(404, text="Resource not found.")
    with (
        fetcher(answering(refusal)) as client,
        pytest.raises(
            FetchError, match=r"404 Not Found: not JSON: it starts 'Resource not found\.'"
        ),
    ):
        client.page(source, source.first_request(DAY, DAY))


# PubMed


def test_pubmed_text_inside_markup_is_read_with_it(corpus: Path) -> None:
    folder = corpus / "payloads/pubmed"
    (old,) = read(folder / "efetch_pretty_printed_2019.xml", PubMed())
    assert "fast-acting β₂-agonist may be" in old.abstract
    recent = read(folder / "efetch_5_articles_2026.xml", PubMed())
    assert recent[0].title.startswith("Early timepoint 99mTc-DPD whole body")
    assert recent[0].abstract.startswith("Background: Cardiac transthyretin")


def test_pubmed_collective_names_are_authors() -> None:
    body = b"""<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article>
        <ArticleTitle>T</ArticleTitle><AuthorList><Author><LastName>Lovelace</LastName>
        <ForeName>Ada</ForeName></Author><Author><CollectiveName>The Counting Group
        </CollectiveName></Author></AuthorList></Article></MedlineCitation></PubmedArticle>
        </PubmedArticleSet>"""
    (record,) = PubMed().parse(body, where="pubmed").records
    assert record.authors == ("Ada Lovelace", "The Counting Group")


def test_pubmed_dois_in_the_reference_list_belong_to_others() -> None:
    body = b"""<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article>
        <ArticleTitle>T</ArticleTitle></Article></MedlineCitation><PubmedData><ArticleIdList>
        <ArticleId IdType="pubmed">1</ArticleId></ArticleIdList><ReferenceList><Reference>
        <ArticleIdList><ArticleId IdType="doi">10.1000/other</ArticleId></ArticleIdList>
        </Reference></ReferenceList></PubmedData></PubmedArticle></PubmedArticleSet>"""
    (record,) = PubMed().parse(body, where="pubmed").records
    assert record.doi is None


def test_pubmed_the_abstract_in_another_language_is_not_added(corpus: Path) -> None:
    path = corpus / "payloads/pubmed/efetch_3_articles_otherabstract.xml"
    assert b"<OtherAbstract" in path.read_bytes()
    records = read(path, PubMed())
    assert sum("plain language" in record.abstract.lower() for record in records) == 0


@pytest.mark.parametrize(
    "body",
    [
        b'{"esearchresult": {"ERROR": "Search Backend failed"}}',
        b"<eFetchResult><ERROR>Search Backend failed</ERROR></eFetchResult>",
    ],
)
def test_pubmed_a_failure_comes_inside_a_200(body: bytes) -> None:
    with pytest.raises(ParseError, match="Search Backend failed"):
        PubMed().parse(body, where="pubmed")


def test_pubmed_nothing_found_is_an_answer_and_warnings_are_not_failures(corpus: Path) -> None:
    folder = corpus / "payloads/pubmed"
    assert read(folder / "esearch_nothing_found.xml", PubMed()) == []
    source = PubMed(["ai"])
    request = after(source, (folder / "esearch_warninglist.json").read_bytes())
    assert request is not None
    assert request.params["id"].startswith("42286391,42286351")


def test_pubmed_after_the_articles_comes_the_next_page_of_the_search() -> None:
    source = PubMed(["ai"])
    found = {"esearchresult": {"count": "150", "idlist": ["1", "2"]}}
    articles = after(source, as_json(found))
    assert articles is not None
    page = source.parse(b"<PubmedArticleSet/>", where="pubmed", request=articles)
    assert page.next is not None
    assert (page.next.params["retstart"], page.next.params["term"]) == ("100", "(ai)")


@pytest.mark.parametrize("status", [200, 429])
def test_pubmed_the_rate_limits_body_is_never_shown(corpus: Path, status: int) -> None:
    body = (corpus / "payloads/pubmed/QUOTED_error_429_rate_limit.json").read_bytes()
    source = PubMed(["ai"])
    with (
        fetcher(answering(httpx.Response(status, content=body))) as client,
        pytest.raises(FetchError) as caught,
    ):
        client.page(source, source.first_request(DAY, DAY))
    assert "203.0.113.7" not in str(caught.value)
    assert caught.value.transient


# OpenReview


def test_openreview_values_are_wrapped_and_dates_are_epoch_milliseconds(corpus: Path) -> None:
    records = read(corpus / "payloads/openreview/notes_search_v2_3.json", OpenReview())
    presto = one(records, "Gj5JTAwdoy")
    assert presto.title.startswith("Presto! Distilling Steps")
    assert presto.published_at == datetime(2025, 1, 22, 16, 13, 4, 96000, tzinfo=UTC)
    assert presto.url == "https://openreview.net/forum?id=Gj5JTAwdoy"


def test_openreview_a_rejected_submission_is_not_an_acceptance(corpus: Path) -> None:
    records = read(corpus / "payloads/openreview/notes_search_v2_3.json", OpenReview())
    assert one(records, "Gj5JTAwdoy").categories[0] == "ICLR 2025 Spotlight"
    assert one(records, "IefMMX12yk").categories[0] == "graph neural network"


def test_openreview_authors_are_strings_or_objects_and_a_venue_may_be_the_title(
    corpus: Path,
) -> None:
    records = read(corpus / "payloads/openreview/notes_search_v2_3.json", OpenReview())
    article = one(records, "iaA07eD0bP")
    assert article.authors[0] == "Sunil Sahu"
    assert (article.categories, article.doi) == ((), "10.18653/v1/p19-1423")
    assert one(records, "IefMMX12yk").authors[0] == "Beini Xie"


def test_openreview_reviews_are_not_papers() -> None:
    review = {"id": "b", "forum": "a", "content": {"review": {"value": "Good."}}}
    assert OpenReview().parse(as_json({"notes": [review]}), where="or").announced == 0


def test_openreview_a_refusal_says_when_to_come_back(corpus: Path) -> None:
    body = (corpus / "payloads/openreview/QUOTED_error_429.json").read_bytes()
    source = OpenReview(["ICLR.cc/2027/Conference"])
    with fetcher(answering(httpx.Response(429, content=body))) as client:
        with pytest.raises(FetchError, match="429"):
            client.page(source, source.first_request(DAY, DAY))
        assert isinstance(client.turns, FreeTurns)
        assert client.turns.not_before[0] == datetime(2026, 8, 31, 8, 59, 25, 212000, tzinfo=UTC)


def test_openreview_a_submission_may_become_public_months_after_it_was_made() -> None:
    assert OpenReview.overlap >= timedelta(days=180)


def test_openreview_version_1_has_plain_values_and_keywords_in_one_line() -> None:
    note = {
        "id": "a",
        "forum": "a",
        "invitation": "ICLR.cc/2022/Conference/-/Blind_Submission",
        "cdate": "1632875423000",
        "content": {"title": "T", "authors": ["A B"], "abstract": None, "keywords": "one; two"},
    }
    (paper,) = OpenReview().parse(as_json({"notes": [note]}), where="or").records
    assert (paper.authors, paper.categories) == (("A B",), ("one", "two"))
    assert paper.published_at == datetime(2021, 9, 29, 0, 30, 23, tzinfo=UTC)
    assert detect(b'{"notes":[],"count":0}') == "openreview"


def test_s2_recommendations_have_their_own_key() -> None:
    body = as_json({"recommendedPapers": [{"paperId": "a", "title": "T", "authors": None}]})
    assert detect(body) == "semantic-scholar"
    assert [p.title for p in SemanticScholar().parse(body, where="s2").records] == ["T"]


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("<MedlineDate>2025 Dec-2026 Jan</MedlineDate>", (2025, 12, 1)),
        ("<MedlineDate>1998 Summer</MedlineDate>", (1998, 1, 1)),
        ("<Year>2026</Year><Season>Spring</Season>", (2026, 1, 1)),
        ("<Year>2026</Year><Month>Mar</Month><Day>9</Day>", (2026, 3, 9)),
    ],
)
def test_pubmed_dates_of_issues_are_partial(date: str, expected: tuple[int, int, int]) -> None:
    body = (
        "<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article><Journal>"
        f"<JournalIssue><PubDate>{date}</PubDate></JournalIssue></Journal>"
        "<ArticleTitle>T.</ArticleTitle></Article></MedlineCitation></PubmedArticle>"
        "</PubmedArticleSet>"
    )
    (paper,) = PubMed().parse(body.encode(), where="pubmed").records
    assert paper.published_at == datetime(*expected, tzinfo=UTC)


def test_pubmed_a_book_has_a_title_and_a_date_elsewhere() -> None:
    body = (
        "<PubmedArticleSet><PubmedBookArticle><BookDocument><PMID>9</PMID><Book>"
        "<BookTitle>A book</BookTitle><PubDate><Year>1993</Year></PubDate></Book>"
        "</BookDocument></PubmedBookArticle></PubmedArticleSet>"
    )
    (paper,) = PubMed().parse(body.encode(), where="pubmed").records
    assert (paper.title, paper.published_at) == ("A book", datetime(1993, 1, 1, tzinfo=UTC))


def test_crossref_numbers_and_titles_may_be_plain_strings() -> None:
    work = {"DOI": "10.5555/1", "title": "T", "author": None, "issued": {"date-parts": [["2026"]]}}
    body = as_json({"message-type": "work-list", "message": {"items": [work]}})
    (paper,) = Crossref().parse(body, where="crossref").records
    assert (paper.title, paper.published_at) == ("T", datetime(2026, 1, 1, tzinfo=UTC))


def test_biorxiv_no_posts_found_is_an_empty_day_and_an_error_is_not() -> None:
    said = {"messages": [{"status": "no posts found"}]}
    for body in (as_json(said), as_json({**said, "collection": []})):
        assert Biorxiv().parse(body, where="biorxiv") == Page()
    with pytest.raises(ParseError, match="the server answered: error: invalid date"):
        Biorxiv().parse(as_json({"messages": [{"status": "error: invalid date"}]}), where="biorxiv")
