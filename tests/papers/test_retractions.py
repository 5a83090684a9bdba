"""Retracted papers are marked and never picked; notices and parts of an issue are no papers."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.models import Paper
from newsletter.papers.ingest import ingest_file, ingest_pages
from newsletter.sources.base import Page
from newsletter.sources.normalise import is_withdrawn, make
from newsletter.sources.notices import is_no_paper, standing_of
from tests.support.command import Newsletter


@pytest.mark.parametrize(
    "title",
    [
        "Editorial Board",
        "EDITORIAL BOARD",
        "Editorial Board Page",
        "Issue Information",
        "Issue Information - Table of Contents",
        "Table of Contents",
        "Front Matter",
        "Back cover",
        "Front Cover: Glucose in the kidney (Adv. Frogs 3/2026)",
        "Masthead",
        "In This Issue",
        "Correction: A miracle cure for everything known",
        "Correction to: A miracle cure",
        "Correction to “A miracle cure”",
        "Author Correction: A miracle cure",
        "Publisher’s note",
        "Publisher Correction: A miracle cure",
        "Erratum",
        "Erratum to A miracle cure",
        "Corrigendum: A miracle cure",
        "Retraction: A miracle cure",
        "Retraction of: A miracle cure",
        "Retraction of “A miracle cure”",
        "Retraction — A miracle cure",
        "Withdrawal of the article “A miracle cure”",
        "Removal notice to A miracle cure",
        "Withdrawal notice",
        "Addendum to A miracle cure",
        "Retraction notice to “A miracle cure” [J. Frogs 12 (2025) 3]",
        "Retraction Note: A miracle cure",
        "Expression of Concern: A miracle cure",
        "Addendum: A miracle cure",
        "Author Index",
        "Instructions for Authors",
        "Editorial Board and Contents",
        "Editorial Board/Publication Information",
        "IFC - Editorial Board",
        "Issue Information ‐ TOC",
        "Frontmatter",
        "Cover",
        "Contents of volume 12",
        "Contents 12 (2026)",
        "Titelbild: Frogs",
        "Call for papers: frogs in winter",
        "Aims & Scope",
        "Reviewer Acknowledgements",
        "Information for Contributors",
        "Publication Information",
        "Statement of Retraction: A miracle cure",
        "Notice of Removal: A miracle cure",
        "Retracted article notice: A miracle cure",
        "Correction for Smith et al., A miracle cure",
        "Correction Notice",
        "Editors' note",
    ],
)
def test_notices_and_parts_of_an_issue_are_no_papers(title: str) -> None:
    assert is_no_paper(title)


@pytest.mark.parametrize(
    "title",
    [
        "Editorial boards of journals: who sits on them?",
        "Correction of vision in newborn mice",
        "Removal of microplastics by sand filters",
        "Withdrawal of opioids in newborns",
        "Withdrawal-induced pain in rats",
        "Retraction of the tongue in toads",
        "Correction-free decoding of surface codes",
        "Removal, transport and fate of nitrogen",
        "Corrections to scaling in the Ising model",
        "Error correction for quantum memories",
        "Correction for multiple testing in genome studies",
        "Retraction methods for Riemannian optimization",
        "Contents of the lunar regolith",
        "Cover crops and soil carbon",
        "Front propagation in random media",
        "A retracted claim revisited",
        "RETRACTED: A miracle cure",
        "In this issue of trust: polling after elections",
        "Issue information retrieval from bug trackers",
        "Errata in genome assemblies: how common are they?",
        "Expression of concern in parents of sick children",
        "Contents: a survey of filters for mail",
        "Cover letters and hiring: a field experiment",
        "News recommendation with transformers",
        "Copyright law and machine learning",
        "Call for papers detection in mail",
        "Notice and takedown: an economic model",
        "Statement of the problem in school mathematics",
        "Frontmatter generation for books",
        "Correction for smoothing et alia",
    ],
)
def test_papers_with_such_words_stay(title: str) -> None:
    assert not is_no_paper(title)


@pytest.mark.parametrize(
    ("title", "standing"),
    [
        ("RETRACTED: A miracle cure", "retracted"),
        ("RETRACTED ARTICLE: A miracle cure", "retracted"),
        ("[Retracted] A miracle cure", "retracted"),
        ("Retracted Paper: A miracle cure", "retracted"),
        ("WITHDRAWN: A miracle cure", "withdrawn"),
        ("WITHDRAWN ARTICLE: A miracle cure", "withdrawn"),
        ("A miracle cure [RETRACTED ARTICLE]", "retracted"),
        ("A miracle cure (Retracted article. See vol. 12, pg. 3, 2025)", "retracted"),
        ("A miracle cure (withdrawn)", "withdrawn"),
        ("**Retracted** A miracle cure", "retracted"),
        ("THIS ARTICLE HAS BEEN RETRACTED: A miracle cure", "retracted"),
        ("TEMPORARY REMOVAL: A miracle cure", "withdrawn"),
        ("A cure (retracted papers and how often they are cited)", ""),
        ("Removed by rain: soot over cities", ""),
        ("Retracted potentials in mean field theory", ""),
        ("Withdrawn children in primary schools", ""),
        ("A miracle cure", ""),
    ],
)
def test_the_words_in_front_of_a_title_mark_the_paper(title: str, standing: str) -> None:
    assert standing_of(title) == standing


@pytest.mark.parametrize(
    ("said", "withdrawn"),
    [
        ("This paper has been withdrawn by the author due to an error in Lemma 3", True),
        ("Withdrawn by the authors", True),
        ("withdrawn", True),
        ("Paper withdrawn: see arXiv:1234.56789", True),
        ("This submission has been withdrawn by arXiv administrators", True),
        ("The authors have withdrawn this paper because of a flaw", True),
        ("We withdraw this manuscript", True),
        ("I have decided to withdraw this preprint", True),
        ("12 pages. This article is being withdrawn", True),
        ("The current version of this paper has been temporarily withdrawn", True),
        ("This paper has been retracted", True),
        ("Paper is being withdrawn for revision", True),
        ("The author withdraws this paper", True),
        ("We are withdrawing this paper", True),
        ("Lemma 3 is wrong; this paper needs to be withdrawn", True),
        ("arXiv admin note: this version has been removed by arXiv administrators", True),
        ("The manuscript has been taken down by the authors", True),
        ("This paper has been superseded by arXiv:2101.00001 and is withdrawn", True),
        ("Withdrawn from arXiv for further checks", True),
        ("Withdrawn drugs: a review of safety signals", False),
        ("Withdrawn from use in 1990, the drug is still sold", False),
        ("Retracted papers are cited for years", False),
        ("Noise is removed by the authors' filter", False),
        ("A drug that was withdrawn from the market is studied", False),
        ("We study how funds are withdrawn by savers", False),
        ("12 pages, 3 figures, accepted at a workshop", False),
        ("The troops had withdrawn when this paper was written", False),
    ],
)
def test_withdrawn_in_the_words_of_authors_and_of_arxiv(said: str, withdrawn: bool) -> None:
    assert is_withdrawn(said, "") == withdrawn
    assert is_withdrawn("", said) == withdrawn


def crossref(*works: dict[str, Any]) -> bytes:
    items = [
        {"type": "journal-article", "issued": {"date-parts": [[2026, 11, 3]]}} | w for w in works
    ]
    return json.dumps({"message-type": "work-list", "message": {"items": items}}).encode()


def test_a_notice_retracts_the_paper_it_names_and_both_are_counted(
    engine: Engine, tmp_path: Path
) -> None:
    cure = {"DOI": "10.5555/cure", "title": ["A miracle cure for everything known to us"]}
    frogs = {"DOI": "10.5555/frogs", "title": ["Frogs that are as they were in all respects"]}
    notice = {
        "DOI": "10.5555/notice",
        "title": ["Concerning an earlier article"],
        "update-to": [{"DOI": "10.5555/CURE", "type": "retraction"}],
    }
    (tmp_path / "first.json").write_bytes(crossref(cure, frogs))
    (tmp_path / "then.json").write_bytes(
        crossref(notice, {"DOI": "10.5555/board", "title": ["Editorial Board"]})
    )
    ingest_file(engine, tmp_path / "first.json")
    outcome = ingest_file(engine, tmp_path / "then.json")
    assert (outcome.announced, outcome.left_out, outcome.failed) == (0, 2, 0)
    with Session(engine) as session:
        found = dict(session.exec(select(Paper.doi, Paper.standing)).all())
    assert found == {"10.5555/cure": "retracted", "10.5555/frogs": ""}


def test_a_retracted_paper_is_never_picked_and_why_says_so(engine: Engine, tmp_path: Path) -> None:
    titles = ("RETRACTED: Loam and clay in gardens", "Loam and clay in fields and meadows")
    records = tuple(
        make(
            source="feeds", external_id=f"x{n}", title=title, abstract="Loam, clay and peat soils."
        )
        for n, title in enumerate(titles)
    )
    ingest_pages(engine, "feeds", [Page(records)])
    newsletter = Newsletter(engine, tmp_path)
    newsletter.run("subscribers", "add", "ada@x.example", "--confirmed", "--keywords", "loam;clay")
    newsletter.run("train")
    code, said, _ = newsletter.run("preview", "ada@x.example")
    assert code == 0
    assert "RETRACTED" not in said
    code, said, _ = newsletter.run("why", "ada@x.example", titles[0], "--json")
    assert (code, json.loads(said)["outcome"]) == (0, "retracted")


def test_once_retracted_a_paper_stays_so_whatever_another_source_says(engine: Engine) -> None:
    for title in ("RETRACTED: A miracle cure for everything", "A miracle cure for everything"):
        record = make(source="crossref", external_id="10.5555/c", doi="10.5555/c", title=title)
        ingest_pages(engine, "crossref", [Page((record,))])
    with Session(engine) as session:
        assert session.exec(select(Paper.standing)).one() == "retracted"
