"""What feeds of all kinds do; a test for every quirk we know."""

from pathlib import Path

import pytest

from newsletter.core.errors import ParseError
from newsletter.sources import PaperRecord
from newsletter.sources.arxiv_api import ArxivApi
from newsletter.sources.arxiv_oai import ArxivOai
from newsletter.sources.arxiv_rss import ArxivFeed
from newsletter.sources.feeds import Feed
from newsletter.sources.file_formats import detect
from newsletter.sources.pubmed import PubMed
from tests.support.sources import (
    after,
    as_json,
    item,
    rss,
)

# Feeds


def feed(body: bytes) -> list[PaperRecord]:
    return list(Feed(name="feed:x").parse(body, where="feed").records)


def test_feed_a_blank_line_before_the_xml_declaration(corpus: Path) -> None:
    path = corpus / "payloads/feeds/rss2_aasnova_2023.xml"
    assert path.read_bytes().startswith(b"\n")
    assert len(feed(path.read_bytes())) == 4


def test_feed_bad_bytes_do_not_cost_the_entry(corpus: Path) -> None:
    assert len(feed((corpus / "payloads/feeds/bozo_encoding_mismatch.xml").read_bytes())) == 1


@pytest.mark.parametrize(("encoding", "title"), [("big5", "機器學習"), ("euc-kr", "기계 학습")])
def test_feed_multibyte_encodings_are_decoded_first(encoding: str, title: str) -> None:
    text = f"""<?xml version="1.0" encoding="{encoding}"?><rss version="2.0"><channel><item>
        <title>{title}</title><guid>x</guid></item></channel></rss>"""
    assert [record.title for record in feed(text.encode(encoding))] == [title]


def test_feed_a_comment_after_the_end_is_not_a_feed_that_breaks_off() -> None:
    page = Feed().parse(rss(item(1), item(2)) + b"<!-- cached in 0.1 s -->", where="feed")
    assert (len(page.records), page.cut_short) == (2, False)


def test_feed_a_lone_ampersand_and_names_of_html_do_not_cost_the_entry() -> None:
    entry = "<item><title>Search &amp; Rescue &nbsp;&mdash; R&D</title><guid>x</guid></item>"
    (record, other) = feed(rss(entry, item(1)))
    assert record.title == "Search & Rescue — R&D"
    assert other.title == "A post about the number 1"


def test_feed_rdf_items_stand_outside_the_channel(corpus: Path) -> None:
    records = feed((corpus / "payloads/feeds/rss1_rdf_atel_2019.xml").read_bytes())
    assert len(records) == 50
    assert records[0].url == "http://www.astronomerstelegram.org/?read=13092"
    assert records[0].authors[:2] == ("M. Pavana", "Nirupam Roy")


def test_feed_html_instead_of_a_feed_is_refused(corpus: Path) -> None:
    with pytest.raises(ParseError, match="got a web page"):
        feed((corpus / "payloads/feeds/html_instead_of_feed.html").read_bytes())


def test_feed_json_items_without_a_title_get_their_first_words() -> None:
    version = "https://jsonfeed.org/version/1.1"
    items = [{"id": "1", "content_html": "<p>Only a <b>thought</b> &amp; no title.</p>"}]
    (record,) = feed(as_json({"version": version, "items": items}))
    assert record.title == record.abstract == "Only a thought & no title."


def test_feed_markup_scripts_and_pictures_are_not_in_the_abstract() -> None:
    entry = """<item><title>T</title><guid>x</guid><description>&lt;script&gt;alert(1)
        &lt;/script&gt;&lt;img src=x onerror=y&gt;&lt;p&gt;Text.&lt;/p&gt;</description></item>"""
    assert [record.abstract for record in feed(rss(entry))] == ["Text."]


def test_feed_entity_bombs_are_refused_in_every_format() -> None:
    bomb = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>"""
    for source in (Feed(), ArxivApi(), ArxivFeed(), ArxivOai(), PubMed()):
        with pytest.raises(ParseError, match="entities"):
            source.parse(bomb + b"<rss><item><title>&b;</title></item></rss>", where="x")


def test_feed_archives_are_followed_while_there_is_news_and_on_the_same_host() -> None:
    def entry(day: int) -> str:
        return f"<item><title>T</title><guid>g</guid><pubDate>{day} Sep 2026</pubDate></item>"

    link = '<atom:link rel="next" href="{}"/>'
    source = Feed("https://example.org/feed", "feed:example.org")
    news = rss(entry(24), more=link.format("/feed?page=2"))
    request = after(source, news)
    assert request is not None
    assert request.url == "https://example.org/feed?page=2"
    assert after(source, rss(entry(23), more=link.format("/feed?page=2"))) is None
    assert after(source, rss(entry(24), more=link.format("https://other.org/"))) is None
    assert after(source, rss(entry(24), more=link.format("/feed"))) is None


def test_feed_utf_16_says_so_by_its_mark() -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?><rss version="2.0"><channel><item>'
    text += "<title>Łódź</title><guid>x</guid></item></channel></rss>"
    for encoding in ("utf-16", "utf-8-sig"):
        body = text.replace("UTF-16", encoding[:6]).encode(encoding)
        assert detect(body) == "feed"
        assert [record.title for record in feed(body)] == ["Łódź"]


def test_feed_an_entity_in_a_name_parts_no_authors() -> None:
    creator = "<dc:creator>&lt;b&gt;Jos&amp;#xe9; One&lt;/b&gt;</dc:creator>"
    (paper,) = feed(rss(item(1).replace("</item>", f"{creator}</item>")))
    assert paper.authors == ("José One",)


def test_feed_publishers_name_the_doi_in_elements_of_their_own() -> None:
    prism = b'<rss xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/" '
    for element, doi in [
        ("<prism:doi>10.1038/S41586-1</prism:doi>", "10.1038/s41586-1"),
        ("<dc:identifier>doi:10.1126/science.1</dc:identifier>", "10.1126/science.1"),
        ("<link>https://journals.example.org/article?id=10.1371/j.2</link>", "10.1371/j.2"),
    ]:
        body = rss(item(1).replace("</item>", f"{element}</item>"))
        (paper,) = feed(body.replace(b"<rss ", prism))
        assert paper.doi == doi
