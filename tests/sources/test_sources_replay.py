"""Every recorded answer, served again over httpx to its source."""

import json
from pathlib import Path

import httpx
import pytest

from newsletter.core.errors import FetchError, ParseError
from newsletter.sources import Page, Source
from newsletter.sources.arxiv_api import ArxivApi
from newsletter.sources.arxiv_oai import ArxivOai
from newsletter.sources.arxiv_rss import ArxivFeed
from newsletter.sources.biorxiv import Biorxiv
from newsletter.sources.crossref import Crossref
from newsletter.sources.feeds import Feed
from newsletter.sources.hugging_face import HuggingFace
from newsletter.sources.openalex import OpenAlex
from newsletter.sources.openreview import OpenReview
from newsletter.sources.pubmed import PubMed
from newsletter.sources.semantic_scholar import SemanticScholar
from tests.support.sources import DAY, fetcher

SOURCES: dict[str, Source] = {
    "arxiv_api": ArxivApi(["cs.AI"]),
    "arxiv_oai": ArxivOai(["cs.LG"]),
    "arxiv_rss": ArxivFeed(["cs.AI"]),
    "biorxiv_medrxiv": Biorxiv(),
    "crossref": Crossref(["widget"]),
    "feeds": Feed("https://example.org/feed", "feed:example.org"),
    "hf_daily_papers": HuggingFace(),
    "openalex": OpenAlex(["attention"]),
    "openreview": OpenReview(["ICLR.cc/2027/Conference"]),
    "pubmed": PubMed(["asthma"]),
    "semantic_scholar": SemanticScholar(["transformer"]),
}
# Papers in each recording; a bare number of problems where none can be read as one.
PAPERS = {
    "arxiv_api/id_list_oldstyle_astro-ph_0601001.xml": 1,
    "arxiv_api/id_list_title_is_zero.xml": 1,
    "arxiv_api/id_list_unknown_id_empty.xml": 0,
    "arxiv_api/query_csAI_csLG_50_entries_2026-07-13.xml": 50,
    "arxiv_api/query_testing_start0_max10.xml": 10,
    "arxiv_api/query_testing_start10_max10.xml": 10,
    "arxiv_api/query_unicode_title_2026-03-26.xml": 3,
    "arxiv_oai/GetRecord_arXiv_collaboration_2016.xml": 1,
    "arxiv_oai/ListRecords_arXivRaw_2026-09-27.xml": 2,
    "arxiv_oai/ListRecords_arXiv_hep-th_2017.xml": 3,
    "arxiv_oai/ListRecords_not_wellformed_control_char.xml": 3,
    "arxiv_oai/error_badResumptionToken.xml": 0,
    "arxiv_oai/error_noRecordsMatch.xml": 0,
    "arxiv_oai/record_oai_dc_1711.04702.xml": 1,
    "arxiv_rss/ASSEMBLED_rss_replace-cross_from_arxiv_docs.xml": 1,
    "arxiv_rss/atom_cs.AI_2025-08-20.xml": 7,
    "arxiv_rss/rss_cs.AI_2026-04-27.xml": 3,
    "arxiv_rss/rss_cs.LG_2026-04-27.xml": 3,
    "arxiv_rss/rss_multi_new_cross_replace_2026-09-24.xml": 3,
    "arxiv_rss/rss_weekend_empty_2026-08-01.xml": 0,
    "biorxiv_medrxiv/biorxiv_details_2024_page0_100.json": 100,
    "biorxiv_medrxiv/biorxiv_details_2026-07_new_doi_prefix.json": 3,
    "biorxiv_medrxiv/medrxiv_details_2024_records0-29.json": 30,
    "crossref/work_preprint_posted-content.json": 1,
    "crossref/works_cursor_page1.json": 20,
    "crossref/works_query_rows2.json": 2,
    "feeds/atom_joss_paged.xml": 1,
    "feeds/atom_neverworkintheory.xml": 20,
    "feeds/bozo_encoding_mismatch.xml": 1,
    "feeds/euc-kr_item.xml": 1,
    "feeds/jsonfeed1_inessential.json": 20,
    "feeds/rss1_rdf_atel_2019.xml": 50,
    "feeds/rss2_aasnova_2023.xml": 4,
    "hf_daily_papers/daily_papers_2026-06-12_30.json": 30,
    "hf_daily_papers/daily_papers_2026-07-31_5.json": 5,
    "openalex/works_search_2026.json": 3,
    "openalex/works_select_projection.json": 2,
    "openalex/works_title_search_2025.json": 1,
    "openreview/notes_search_v2_3.json": 3,
    "pubmed/efetch_3_articles_otherabstract.xml": 3,
    "pubmed/efetch_5_articles_2026.xml": 5,
    "pubmed/efetch_mathml_sub_sup.xml": 1,
    "pubmed/efetch_pretty_printed_2019.xml": 1,
    "pubmed/esearch_nothing_found.xml": 0,
    "pubmed/esearch_warninglist.json": 0,
    "semantic_scholar/paper_batch_with_null_entry.json": 3,
    "semantic_scholar/paper_by_doi_full.json": 1,
    "semantic_scholar/paper_search_no_hits.json": 0,
    "semantic_scholar/paper_search_null_abstract.json": 3,
    "semantic_scholar/paper_search_transformer.json": 5,
}
# Answers that hold no papers, and the words that must be in the error.
ERRORS = {
    "arxiv_api/QUOTED_error_429_rate_exceeded.txt": "answered 429",
    "arxiv_api/id_list_malformed_error400.xml": "answered 400.*incorrect id format for abc",
    "crossref/error_400_validation.json": "answered 400.*does not support field query",
    "crossref/error_404_cursor_invalid.json": "answered 404.*it is invalid",
    "crossref/error_404_resource_not_found.txt": "answered 404.*Resource not found",
    "feeds/bozo_invalid_bytes_with_bom.xml": "ends before its first paper",
    "feeds/html_instead_of_feed.html": "got a web page",
    "openalex/error_404.html": "answered 404.*not JSON",
    "openreview/QUOTED_error_429.json": "answered 429",
    "pubmed/QUOTED_error_429_rate_limit.json": "answered 429",
    "pubmed/efetch_html_instead_of_xml.html": "expected articles",
    "semantic_scholar/QUOTED_error_429.json": "answered 429",
    "semantic_scholar/error_400_unknown_field.json": r"answered 400.*\[unknown\]",
    "semantic_scholar/error_403_bad_key.json": "answered 403.*Forbidden",
    "semantic_scholar/error_404_paper.json": "answered 404.*Paper with id 0 not found",
    "semantic_scholar/error_404_title_match.json": "answered 404.*Title match not found",
}
# A bulk search that asked for numbers only: entries without titles.
NO_TITLES = {
    "semantic_scholar/paper_search_bulk_page1.json": 1000,
    "semantic_scholar/paper_search_bulk_last_page.json": 27,
}


def replayed(corpus: Path, name: str) -> Page:
    """Ask the source's first question and let the recording answer."""
    path = corpus / "payloads" / name
    headers: dict[str, str] = {}
    status = 200
    index = path.parent / "http.json"
    for row in json.loads(index.read_text()) if index.exists() else []:
        if row["file"] == path.name:
            status, headers = row["status"], row["headers"]
    source = SOURCES[path.parent.name]

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers=headers, content=path.read_bytes())

    with fetcher(handler) as client:
        return client.page(source, source.first_request(DAY, DAY))[0]


@pytest.mark.parametrize("name", PAPERS)
def test_a_recording_gives_its_papers(corpus: Path, name: str) -> None:
    page = replayed(corpus, name)
    assert (len(page.records), page.problems) == (PAPERS[name], ())
    for record in page.records:
        assert record.title == record.title.strip() != ""
        assert "\n" not in record.title + record.abstract
        assert not {"jats:", "&amp;", "{beta}", "O_ST_ABS"} & set(record.abstract.split())


@pytest.mark.parametrize("name", ERRORS)
def test_a_recorded_refusal_is_one_clear_error(corpus: Path, name: str) -> None:
    with pytest.raises((FetchError, ParseError), match=ERRORS[name]) as caught:
        replayed(corpus, name)
    line = str(caught.value)
    assert line.startswith(SOURCES[Path(name).parent.name].name)
    assert "\n" not in line


@pytest.mark.parametrize("name", NO_TITLES)
def test_entries_without_a_title_are_counted_one_by_one(corpus: Path, name: str) -> None:
    page = replayed(corpus, name)
    assert (len(page.records), len(page.problems)) == (0, NO_TITLES[name])
    assert "no title" in page.problems[0].what


def test_every_recording_in_the_corpus_is_replayed(corpus: Path) -> None:
    there = {
        f"{folder}/{path.name}"
        for folder in SOURCES
        for path in (corpus / "payloads" / folder).iterdir()
        if path.name != "http.json"
    }
    assert there == PAPERS.keys() | ERRORS.keys() | NO_TITLES.keys()
