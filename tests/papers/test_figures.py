"""First figures: taken from arXiv when allowed, kept small, served to all, never needed."""

import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.errors import InputError, LimitError, SettingsError
from newsletter.core.limited import run_limited
from newsletter.core.models import (
    Edition,
    EditionPaper,
    EditionStatus,
    Figure,
    OtherWords,
    Paper,
    PaperAlias,
)
from newsletter.editions.illustrate import illustrate
from newsletter.messages import digest
from newsletter.messages.digest import Contents, DigestSection
from newsletter.messages.figures import Thumbnail
from newsletter.messages.renderer import Renderer
from newsletter.papers import figures, thumbnail
from newsletter.papers.figures import Done, Wanted, make, path_of, wanted
from newsletter.sources.http_client import Fetcher
from tests.support import digests as mails
from tests.support.command import Newsletter
from tests.support.factories import ISSUE_DATE, make_edition, make_paper
from tests.support.sources import FreeTurns
from tests.support.visits import everything, visit
from tests.support.web_files import WebFiles, web_files

PAGE = """<!doctype html><html><head><base href="/html/2611.00001v1/"></head><body>
<figure class="ltx_table"><table></table><figcaption>Table 1</figcaption></figure>
<figure id="S1.F1"><img src="logo.svg"><img src="x1.png" alt="Refer to caption">
<figcaption>Figure 1:  How the <b>robot</b>
 looks.</figcaption></figure><figure><img src="x2.png"></figure></body></html>"""


def picture(size: tuple[int, int] = (900, 600), kind: str = "PNG") -> bytes:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((10, 10, size[0] - 10, size[1] // 2), fill="teal")
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def document(*pages: tuple[int, int]) -> bytes:
    """A PDF of pages of 600 by 800 points, each with a picture of that size in its middle."""
    objects: list[bytes] = []

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    raw = zlib.compress(b"\x00\x80\x80" * 100 * 100)
    image = add(
        b"<< /Type /XObject /Subtype /Image /Width 100 /Height 100 /ColorSpace /DeviceRGB"
        b" /BitsPerComponent 8 /Filter /FlateDecode /Length %d >>\nstream\n"
        % len(raw)
        + raw
        + b"\nendstream"
    )
    numbers = []
    tree = len(objects) + 2 * len(pages) + 1
    for wide, high in pages:
        drawn = b"q %d 0 0 %d 100 400 cm /I Do Q" % (wide, high)
        content = add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn))
        numbers.append(
            add(
                b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 600 800] /Contents %d 0 R"
                b" /Resources << /XObject << /I %d 0 R >> >> >>" % (tree, content, image)
            )
        )
    kids = b" ".join(b"%d 0 R" % number for number in numbers)
    add(b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(numbers)))
    root = add(b"<< /Type /Catalog /Pages %d 0 R >>" % tree)
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root %d 0 R >>\n"
        b"startxref\n%d\n%%%%EOF" % (len(objects) + 1, table, len(objects) + 1, root, len(out))
    )


@pytest.fixture
def arxiv() -> Iterator[WebFiles]:
    with web_files() as site:
        yield site


def edition(engine: Engine, *numbers: int, status: EditionStatus = EditionStatus.READY) -> int:
    with session_scope(engine) as session:
        made = make_edition(session, status=status)
        for number in numbers:
            paper = make_paper(session, number)
            session.add(
                PaperAlias(paper_id=paper.id or 0, source="arxiv", external_id=paper.external_id)
            )
            session.add(
                EditionPaper(
                    edition_id=made.id or 0,
                    paper_id=paper.id or 0,
                    content=digest.content_of(paper),
                )
            )
        return made.id or 0


def run(engine: Engine, arxiv: WebFiles, folder: Path, papers: list[Wanted], *places: str) -> Done:
    with Fetcher(FreeTurns(), sleep=lambda _: None, attempts=1, largest=2_000_000) as fetcher:
        return make(engine, fetcher, papers, folder, places=places, megabytes=1, address=arxiv.url)


def test_a_figure_of_a_page_becomes_a_thumbnail_that_the_mail_shows_and_anybody_gets(
    engine: Engine, arxiv: WebFiles, tmp_path: Path
) -> None:
    number = edition(engine, 1, 2)
    with read_scope(engine) as session:
        papers = wanted(session, number)
    first, second = papers
    assert first.name.startswith("2611.00001")
    arxiv.files[f"/html/{first.name}"] = ("text/html; charset=utf-8", PAGE.encode())
    arxiv.files["/html/2611.00001v1/x1.png"] = ("image/png", picture())
    done = run(engine, arxiv, tmp_path, papers, "html", "pdf")
    assert (done.asked, done.made, done.none, done.failures) == (2, 1, 1, ())
    with Image.open(path_of(tmp_path, first.paper_id)) as made:
        assert (made.format, made.size) == ("JPEG", (480, 320))
    with read_scope(engine) as session:
        # What has none is not asked for again.
        assert wanted(session, number) == []
        assert {row.paper_id: row.width for row in session.exec(select(Figure))} == {
            first.paper_id: 480,
            second.paper_id: 0,
        }
    assert illustrate(engine, number) == 1
    with read_scope(engine) as session:
        contents = Contents(digest.load_contents(session, number))
        assert contents[second.paper_id].figure is None
        frozen = contents[first.paper_id]
    assert frozen.figure == Thumbnail(480, 320, "Figure 1: How the robot looks.")
    paper = digest.DigestPaper(frozen, 1, mails.paper().label, "Mentions “robot”.")
    made_digest = mails.digest(sections=(DigestSection("Robots", (paper,)),))
    html, text = Renderer(mails.settings(figures="html"), mails.signer()).parts(made_digest)
    address = f"/figures/{first.paper_id}.jpg"
    [tag] = [part.split(">")[0] for part in html.split("<img ")[1:] if "/figures/" in part]
    assert 'width="240"' in tag
    assert 'height="160"' in tag
    assert 'alt="Figure 1: How the robot looks."' in tag
    assert f'src="https://papers.example.org{address}"' in tag
    assert "/figures/" not in text
    # Switched off again, mails show none.
    off, _ = Renderer(mails.settings(), mails.signer()).parts(made_digest)
    assert "/figures/" not in off
    before, asked = everything(engine), list(arxiv.asked)
    with visit(engine, figures="html", figures_folder=tmp_path) as client:
        answer = client.get(address)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.content == path_of(tmp_path, first.paper_id).read_bytes()
        for path in (f"/figures/{second.paper_id}.jpg", "/figures/999999999.jpg"):
            assert client.get(path).status_code == 404
        for path in (
            "/figures/..%2f1.jpg",
            "/figures/1.png",
            "/figures/1.jpg.jpg",
            "/figures/٣.jpg",
        ):
            assert client.get(path).status_code in {404, 422}
    with visit(engine, figures_folder=tmp_path) as client:
        assert client.get(address).status_code == 404
    # A picture that is asked for changes no row and fetches nothing.
    assert everything(engine) == before
    assert arxiv.asked == asked


def test_a_document_gives_its_first_picture_where_the_page_has_none(
    engine: Engine, arxiv: WebFiles, tmp_path: Path
) -> None:
    number = edition(engine, 1)
    with read_scope(engine) as session:
        papers = wanted(session, number)
    # A logo on the first page, a figure on the second.
    arxiv.files[f"/pdf/{papers[0].name}"] = ("application/pdf", document((40, 30), (400, 200)))
    assert run(engine, arxiv, tmp_path, papers, "html").none == 1
    assert not any(path.startswith("/pdf/") for path in arxiv.asked)
    with session_scope(engine) as session:
        session.delete(session.exec(select(Figure)).one())
    assert run(engine, arxiv, tmp_path, papers, "html", "pdf").made == 1
    with Image.open(path_of(tmp_path, papers[0].paper_id)) as made:
        assert made.size == (480, 240)
        colour = made.getpixel((240, 120))
        assert isinstance(colour, tuple)
        assert colour[1] > 100 > colour[0]


@pytest.mark.parametrize("status", [EditionStatus.SENDING, EditionStatus.SENT])
def test_an_edition_that_is_being_sent_keeps_its_bytes(
    engine: Engine, status: EditionStatus
) -> None:
    number = edition(engine, 1, status=status)
    with session_scope(engine) as session:
        paper = session.exec(select(EditionPaper)).one()
        before = dict(paper.content)
        session.add(Figure(paper_id=paper.paper_id, width=480, height=320, caption="A"))
    assert illustrate(engine, number) is None
    with read_scope(engine) as session:
        assert session.exec(select(EditionPaper.content)).one() == before
        assert session.exec(select(Edition.status)).one() == status


def bomb() -> bytes:
    """A PNG that says it has 60,000 by 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\x00" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("function", "data"),
    [
        ("of_image", b""),
        ("of_image", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("of_image", picture()[:200]),
        ("of_image", bomb()),
        ("of_image", picture((2000, 20))),
        ("of_image", picture((30, 30))),
        ("of_image", picture((300, 200), "TIFF")),
        ("of_pdf", b""),
        ("of_pdf", b"%PDF-1.7\n" + b"\x00\xff" * 5000),
        ("of_pdf", document((400, 200))[:300]),
        ("of_pdf", document((10, 10))),
        ("of_pdf", picture()),
        ("first_figure", b""),
        ("first_figure", b"\x00" * 1000),
        ("first_figure", b"<figure><img src='data:image/png;base64,AAAA'></figure>"),
        ("first_figure", b"<p>" * 20_000),
    ],
)
def test_hostile_files_are_refused_in_one_line(function: str, data: bytes) -> None:
    with pytest.raises((InputError, LimitError)) as refused:
        run_limited(
            f"{thumbnail.__name__}:{function}",
            data,
            where="x",
            seconds=figures.SECONDS,
            memory=figures.MEMORY,
        )
    assert "\n" not in str(refused.value)


def test_a_figure_elsewhere_is_not_fetched_and_one_that_is_no_picture_is_none(
    engine: Engine, arxiv: WebFiles, tmp_path: Path
) -> None:
    number = edition(engine, 1, 2, 3)
    with read_scope(engine) as session:
        papers = wanted(session, number)
    with web_files() as elsewhere:
        elsewhere.files["/x1.png"] = ("image/png", picture())
        page = PAGE.replace("x1.png", f"{elsewhere.url}/x1.png").encode()
        arxiv.files[f"/html/{papers[0].name}"] = ("text/html", page)
        arxiv.files[f"/html/{papers[1].name}"] = ("text/html", PAGE.encode())
        arxiv.files["/html/2611.00001v1/x1.png"] = ("text/html", b"<p>not a picture")
        arxiv.files[f"/html/{papers[2].name}"] = ("text/html", b"x" * 3_000_000)
        assert run(engine, arxiv, tmp_path, papers, "html").none == 3
        assert elsewhere.asked == []
    assert list(tmp_path.glob("*.jpg")) == []


def test_a_host_that_is_down_ends_the_run_and_is_asked_again(
    engine: Engine, arxiv: WebFiles, tmp_path: Path
) -> None:
    number = edition(engine, 1, 2)
    with read_scope(engine) as session:
        papers = wanted(session, number)
    arxiv.files[f"/html/{papers[0].name}"] = 503
    done = run(engine, arxiv, tmp_path, papers, "html")
    assert done.asked == 0
    assert "503" in done.failures[0]
    with read_scope(engine) as session:
        assert len(wanted(session, number)) == 2


def test_the_folder_stays_within_its_bound_and_the_oldest_go_first(
    engine: Engine, arxiv: WebFiles, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        path = path_of(tmp_path, number)
        path.write_bytes(b"x" * 500_000)
        os.utime(path, (number, number))
    assert run(engine, arxiv, tmp_path, [], "html").removed == 1
    assert [path.name for path in sorted(tmp_path.glob("*.jpg"))] == ["2.jpg", "3.jpg"]


def test_a_thumbnail_that_had_to_go_is_shown_no_more_and_strange_pictures_stay(
    engine: Engine, tmp_path: Path
) -> None:
    number = edition(engine, 1, 2)
    with session_scope(engine) as session:
        gone, kept = [row.paper_id for row in session.exec(select(EditionPaper))]
        for age, paper_id in enumerate((gone, kept)):
            session.add(Figure(paper_id=paper_id, width=480, height=320, caption="A"))
            path_of(tmp_path, paper_id).write_bytes(b"x" * 700_000)
            os.utime(path_of(tmp_path, paper_id), (age, age))
    assert illustrate(engine, number) == 2
    (tmp_path / "holiday.jpg").write_bytes(b"x" * 700_000)
    os.utime(tmp_path / "holiday.jpg", (0, 0))
    with Fetcher(FreeTurns()) as fetcher:
        assert make(engine, fetcher, [], tmp_path, places=["html"], megabytes=1).removed == 1
    assert {path.name for path in tmp_path.glob("*.jpg")} == {f"{kept}.jpg", "holiday.jpg"}
    assert illustrate(engine, number) == 1
    with read_scope(engine) as session:
        contents = Contents(digest.load_contents(session, number))
        assert contents[gone].figure is None
        assert contents[kept].figure is not None
        assert wanted(session, number) == []


@pytest.mark.parametrize(
    "page",
    ['<figure><img src="//[x.png"></figure>', '<base href="http://["><figure><img src="a.png">'],
)
def test_a_figure_without_a_valid_address_is_none_and_the_next_paper_has_its_turn(
    engine: Engine, arxiv: WebFiles, tmp_path: Path, page: str
) -> None:
    number = edition(engine, 1, 2)
    with read_scope(engine) as session:
        papers = wanted(session, number)
    arxiv.files[f"/html/{papers[0].name}"] = ("text/html", page.encode())
    done = run(engine, arxiv, tmp_path, papers, "html")
    assert (done.asked, done.none, done.failures) == (2, 2, ())


def test_the_command_says_what_is_missing(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, said = Newsletter(engine, tmp_path).run("figures")
    assert (code, "NEWSLETTER_FIGURES" in said) == (2, True)
    code, _, said = Newsletter(engine, tmp_path, FIGURES="html,png").run("figures")
    assert (code, "'png' is not one of html, pdf" in said) == (2, True)
    site = Newsletter(engine, tmp_path, FIGURES="html")
    code, _, said = site.run("figures", "--date", str(ISSUE_DATE))
    assert (code, "newsletter prepare first" in said) == (2, True)
    edition(engine, 7)
    with session_scope(engine) as session:
        paper = session.exec(select(Paper)).one()
        made = digest.content_of(paper)
        session.add(Figure(paper_id=paper.id or 0))  # looked for, and not found
        session.add(
            OtherWords(
                paper_id=paper.id or 0,
                language="en",
                made_from="",
                model="m",
                sentence="What the study found.",
            )
        )
    code, said, _ = site.run("figures", "--date", str(ISSUE_DATE), "--json")
    assert code == 0
    assert '"illustrated": 0' in said, "other words are no thumbnail"
    with session_scope(engine) as session:
        assert session.exec(select(EditionPaper)).one().content != made, "they were added"
    monkeypatch.setattr(figures, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"newsletter\[figures\]"):
        figures.check_packages(("pdf",))
