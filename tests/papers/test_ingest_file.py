"""Files into the store: formats found by content, good entries kept, bad ones named."""

import gzip
import json
import random
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from newsletter.core.errors import InputError
from newsletter.core.models import FetchLog, FetchStatus, Paper
from newsletter.papers.ingest import ingest_file

ATOM = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom"
 xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">
 <id>https://arxiv.org/api/x</id><opensearch:totalResults>2</opensearch:totalResults>
 <entry><id>http://arxiv.org/abs/2001.00001v2</id><title>A first
   paper</title><summary>With text.</summary><published>2020-01-01T00:00:00Z</published>
   <author><name>Ada Lovelace</name></author><category term="cs.AI"/></entry>
 <entry><id>http://arxiv.org/abs/not-an-id</id><title>Another</title></entry>
</feed>"""


def count(engine: Engine) -> int:
    with Session(engine) as session:
        return session.exec(select(func.count(col(Paper.id)))).one()


def test_every_paper_of_the_captured_page_comes_in(engine: Engine, corpus: Path) -> None:
    outcome = ingest_file(engine, corpus / "daily-papers-page.jsonl")
    assert (outcome.announced, outcome.new, outcome.failed) == (94, 94, 0)
    again = ingest_file(engine, corpus / "daily-papers-page.jsonl")
    assert (again.new, again.known) == (0, 94)
    with Session(engine) as session:
        title = session.exec(select(Paper.title).where(col(Paper.title).contains("-Coder:"))).one()
    assert title.startswith("ℬ-Coder: Value-Based")


@pytest.mark.parametrize(
    ("folder", "name", "new"),
    [
        ("hf_daily_papers", "daily_papers_2026-06-12_30.json", 30),
        ("hf_daily_papers", "daily_papers_2026-07-31_5.json", 5),
        ("arxiv_api", "query_testing_start0_max10.xml", 10),
        ("arxiv_api", "query_csAI_csLG_50_entries_2026-07-13.xml", 50),
        ("arxiv_api", "id_list_title_is_zero.xml", 1),
        ("arxiv_api", "id_list_unknown_id_empty.xml", 0),
    ],
)
def test_recorded_answers_come_in_by_content(
    sqlite_engine: Engine, corpus: Path, folder: str, name: str, new: int
) -> None:
    outcome = ingest_file(sqlite_engine, corpus / "payloads" / folder / name)
    assert (outcome.new, outcome.failed, outcome.failure) == (new, 0, None)
    assert count(sqlite_engine) == new


def test_a_bad_entry_is_named_and_the_good_one_kept(sqlite_engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "answer.xml"
    path.write_text(ATOM)
    outcome = ingest_file(sqlite_engine, path)
    assert (outcome.announced, outcome.new, outcome.failed) == (2, 1, 1)
    assert outcome.errors[0].where == "answer.xml, paper 2"
    assert "not an arXiv id" in outcome.errors[0].what
    with Session(sqlite_engine) as session:
        paper = session.exec(select(Paper)).one()
        log = session.exec(select(FetchLog)).one()
    assert (paper.title, paper.version, paper.authors) == ("A first paper", 2, ["Ada Lovelace"])
    assert (log.status, log.announced, log.failed) == (FetchStatus.OK, 2, 1)
    assert log.errors[0]["where"] == "answer.xml, paper 2"


def test_a_file_that_breaks_off_keeps_what_was_complete(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "cut.xml"
    path.write_text(ATOM[: ATOM.index("not-an-id")])
    outcome = ingest_file(sqlite_engine, path)
    assert (outcome.new, outcome.failed) == (1, 1)
    assert "line 8" in outcome.errors[0].where
    assert outcome.failure is not None


def test_lines_that_are_no_papers_are_named_by_number(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_text('{"title": "A paper"}\n\n{broken\n[1]\n{"abstract": "no title"}\n')
    outcome = ingest_file(sqlite_engine, path)
    assert (outcome.new, outcome.failed) == (1, 3)
    assert [problem.where for problem in outcome.errors] == [
        "mixed.jsonl, line 3",
        "mixed.jsonl, line 4",
        "mixed.jsonl, line 5",
    ]


def test_a_compressed_file_is_read(sqlite_engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "papers.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"id": "2001.00001v3", "title": "T"}).encode()))
    assert ingest_file(sqlite_engine, path).new == 1
    with Session(sqlite_engine) as session:
        paper = session.exec(select(Paper)).one()
    assert (paper.source, paper.external_id, paper.version) == ("arxiv", "2001.00001", 3)
    assert paper.url == "https://arxiv.org/abs/2001.00001"


@pytest.mark.parametrize(
    "content",
    [b"", b"Rate exceeded.", b"<html><body>hello", b"\x00\x01\x02", b"{", b"\x1f\x8b\x08x"],
)
def test_a_file_of_no_known_format_is_one_clear_error(
    sqlite_engine: Engine, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "what.ever"
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=r"what\.ever: (unknown format|it is empty|cannot be unpacked)"
    ):
        ingest_file(sqlite_engine, path)


def test_a_missing_file_is_one_clear_error(sqlite_engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json: cannot be read: No such file"):
        ingest_file(sqlite_engine, tmp_path / "gone.json")


def test_a_file_cut_in_its_compression_keeps_what_came_before(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "papers.jsonl.gz"
    lines = [json.dumps({"title": f"Title {n} {random.Random(n).random()}"}) for n in range(9_000)]
    whole = gzip.compress("\n".join(lines).encode())
    path.write_bytes(whole[: len(whole) * 3 // 4])
    outcome = ingest_file(sqlite_engine, path)
    assert "papers.jsonl.gz: cannot be unpacked" in str(outcome.failure)
    with Session(sqlite_engine) as session:
        kept = session.exec(select(Paper.title)).all()
    assert 0 < len(kept) == outcome.new < 9_000
    assert set(kept) <= {json.loads(line)["title"] for line in lines}
