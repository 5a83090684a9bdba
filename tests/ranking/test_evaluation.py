"""The evaluate command on small folders, and its measures."""

import gzip
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from typer.testing import CliRunner

from newsletter.cli import make_app
from newsletter.core.errors import InputError, UsageError
from newsletter.core.models import Label
from newsletter.ranking import feature_weights
from newsletter.ranking.evaluation import datasets, match_evaluation, metrics
from newsletter.ranking.evaluation.match_report import Tally
from newsletter.ranking.evaluation.measured import Measured

SUBJECTS = ["program repair", "dark matter", "protein folding", "graph theory"]
WORDS = ["fast", "deep", "robust", "simple", "large", "local", "joint", "open", "smooth", "rare"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    titles = [f"{word} {subject} {end}" for subject in SUBJECTS for word in WORDS for end in "ab"]
    papers = [f"p{n}\t{title}" for n, title in enumerate(titles) if n % 4]
    new = [f"p{n}\t{title}" for n, title in enumerate(titles) if not n % 4]
    saves: list[str] = []
    for subject in range(4):
        for copy in range(15):
            mine = [n for n in range(20 * subject, 20 * subject + 20) if n % 4][copy % 3 :]
            saves += [f"u{subject}-{copy}\tp{n}" for n in mine]
    truth = [
        f"u{subject}-{copy}\tp{n}"
        for subject in range(4)
        for copy in range(15)
        for n in range(20 * subject, 20 * subject + 20, 4)
    ]
    for name, lines in (
        ("papers", papers),
        ("candidates", new),
        ("saves", saves),
        ("truth", truth),
    ):
        (tmp_path / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_json_has_the_documented_keys_and_easy_papers_are_found(folder: Path) -> None:
    done = CliRunner().invoke(make_app(), ["evaluate", str(folder), "--json", "--baselines"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {"recall@20", "recall@100", "ndcg@20", "auc", "users"} <= set(found)
    assert {"seconds_fit", "seconds_score", "feature_space"} <= set(found)
    assert found["users"] == 60
    assert found["auc"] > 0.95
    assert found["ndcg@20"] > 0.9
    assert found["baselines"]["random"]["auc"] < 0.7
    assert found["baselines"]["arxiv-sanity-lite's recipe"]["auc"] > 0.8


def test_curves_are_printed_and_drawn(folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / "curve.svg"
    done = CliRunner().invoke(make_app(), ["evaluate", str(folder), "--plot", str(picture)])
    assert done.exit_code == 0, done.output
    assert picture.read_text(encoding="utf-8").count("<svg") == 1
    assert "five" in done.stdout


def test_where_papers_have_dates_the_newest_are_found_by_the_older_ones(folder: Path) -> None:
    def run() -> dict[str, Any]:
        done = CliRunner().invoke(make_app(), ["evaluate", str(folder), "--json"])
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    assert "by_time" not in run()
    for name in ("papers", "candidates"):
        path = folder / f"{name}.tsv"
        lines = path.read_text(encoding="utf-8").splitlines()
        dated = [f"{line}\t\t2026-{1 + n % 12:02}-01" for n, line in enumerate(lines)]
        path.write_text("\n".join(dated) + "\n", encoding="utf-8")
    [library] = datasets.load(folder)
    later = datasets.by_time(library)
    assert later is not None
    assert len(later.papers) + len(later.candidates) == len(library.dates) == 80
    assert 16 <= len(later.candidates) < 24
    assert later.likes.nnz + later.truth.nnz == library.likes.nnz + library.truth.nnz
    assert run()["by_time"]["auc"] > 0.9


def test_where_all_papers_are_of_one_day_there_is_no_split_by_time(folder: Path) -> None:
    for name in ("papers", "candidates"):
        path = folder / f"{name}.tsv"
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("".join(f"{line}\t\t2026-11-20\n" for line in lines), encoding="utf-8")
    [library] = datasets.load(folder)
    assert set(library.dates) == {library.dates[0]}
    assert datasets.by_time(library) is None


def test_an_invalid_date_is_named(folder: Path) -> None:
    with (folder / "papers.tsv").open("a", encoding="utf-8") as file:
        file.write("p999\tLast\t\tyesterday\n")
    with pytest.raises(InputError, match="'yesterday' is not a date"):
        datasets.load(folder)


def halos(header: str, *, wrong: str = "") -> str:
    rows = [header]
    rows += [f"Dark matter {n} halo,Galaxies and halos weighed {n}.,1" for n in range(20)]
    rows += [f"Protein {n} folds,Chains and structures {n}.,0" for n in range(60)]
    return "\n".join([*rows, wrong] if wrong else rows)


def test_likes_of_reviews_are_drawn_several_times_and_baselines_meet_the_same_draws(
    tmp_path: Path,
) -> None:
    data = halos("title,abstract,label").encode()
    (tmp_path / "Halos.csv.gz").write_bytes(gzip.compress(data))
    [review] = datasets.load_reviews(tmp_path)
    draws = [review.draw(seed) for seed in range(3)]
    assert [len(liked) for liked, _ in draws] == [10, 10, 10]
    assert len({tuple(liked) for liked, _ in draws}) == 3
    assert review.draw(1)[0].tolist() == draws[1][0].tolist()

    def run() -> dict[str, Any]:
        command = ["evaluate", str(tmp_path), "--json", "--baselines", "--draws", "3"]
        done = CliRunner().invoke(make_app(), command)
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    found, again = run(), run()
    assert (found["draws"], found["users"]) == (3, 1)
    assert found["auc"] > 0.9
    low, high = found["intervals"]["auc"]
    assert low <= found["auc"] <= high
    assert set(found["baselines"]) == {"random", "TF-IDF centroid", "arxiv-sanity-lite's recipe"}
    random = found["baselines"]["random"]
    low, high = random["difference"]["intervals"]["auc"]
    assert low < random["difference"]["auc"] < high
    assert random["difference"]["auc"] == pytest.approx(found["auc"] - random["auc"], abs=2e-4)
    assert "none of which is judged here" in found["parameters"]
    assert found["intervals"] == again["intervals"]
    assert random["intervals"] == again["baselines"]["random"]["intervals"]


@pytest.mark.parametrize(
    "header",
    [
        "title,abstract,label_included",
        "Title,Abstract,Included",
        "primary_title,notes_abstract,included_label",
        "\ufefftitle,abstract,final_label",
    ],
)
def test_a_review_with_usual_columns_is_read_as_it_comes(tmp_path: Path, header: str) -> None:
    path = tmp_path / "Halos.csv"
    path.write_text(halos(header, wrong="Never judged,No abstract,"), encoding="utf-8")
    [review] = datasets.load_reviews(tmp_path)
    assert (len(review.papers), int(review.relevant.sum())) == (80, 20)
    assert review.papers[0].abstract == "Galaxies and halos weighed 0."


@pytest.mark.parametrize(
    ("name", "delimiter", "yes", "no"),
    [
        ("Halos.tsv", "\t", "yes", "no"),
        ("Halos.tsv.gz", "\t", "True", "False"),
        ("HALOS.CSV", ";", "1.0", "0.0"),
        ("Halos.csv.gz", ",", "Y", "N"),
    ],
)
def test_a_table_is_read_whatever_separates_its_columns(
    tmp_path: Path, name: str, delimiter: str, yes: str, no: str
) -> None:
    lines = [delimiter.join(("Title", "Year", "Relevant"))]
    lines += [delimiter.join((f"Dark matter {n}", "1999", yes)) for n in range(4)]
    lines += [delimiter.join((f"Protein {n}", "2001", no)) for n in range(9)]
    data = "\n".join(lines).encode("utf-8-sig")
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    (tmp_path / "stats.csv").write_text("topic,n\nHalos,13\n", encoding="utf-8")
    [review] = datasets.load_reviews(tmp_path)
    assert (review.name.casefold(), len(review.papers)) == ("halos", 13)
    assert review.relevant.tolist() == [True] * 4 + [False] * 9
    liked, rest = review.draw(0)
    assert (len(liked), len(rest)) == (1, 12), "of four relevant papers one is enough to like"


@pytest.mark.parametrize("name", ["Halos.csv", "Halos.csv.gz", "HALOS.CSV.GZ"])
def test_a_table_of_any_size_when_unpacked_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    table = halos("title,abstract,label").encode()
    is_packed = name.casefold().endswith(".gz")
    (tmp_path / name).write_bytes(gzip.compress(table) if is_packed else table)
    monkeypatch.setattr(datasets, "LARGEST", len(table))
    assert len(datasets.load_reviews(tmp_path)) == 1
    monkeypatch.setattr(datasets, "LARGEST", len(table) - 1)
    with pytest.raises(InputError, match=rf"{name}: has more than 0\.00\d+ MB of text"):
        datasets.load_reviews(tmp_path)


@pytest.mark.parametrize(
    "header",
    [
        '"Title";"Abstract";"Tags, if any, by us, or none";"Included"',
        "Title\tAbstract\tTags (a; b; c; d)\tIncluded",
        'Title,"Tags;of;all\nkinds",Abstract,Included',
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"], ids=["LF", "CR", "CRLF"])
def test_other_delimiters_within_a_table_are_text(tmp_path: Path, header: str, end: str) -> None:
    between = next(mark for mark in "\t;," if f"Title{mark}" in header.replace('"', ""))
    rows = [
        between.join((f"Title {n}", '"one, two; three, four"', "five", str(int(n < 3))))
        for n in range(9)
    ]
    data = end.join([header, *rows]).encode()
    (tmp_path / "Mixed.csv").write_bytes(data)
    [review] = datasets.load_reviews(tmp_path)
    assert [paper.title for paper in review.papers] == [f"Title {n}" for n in range(9)]
    assert review.relevant.tolist() == [True] * 3 + [False] * 6


def test_a_review_of_titles_with_four_relevant_papers_is_evaluated(tmp_path: Path) -> None:
    lines = ["title\tincluded"]
    lines += [f"Dark matter halo number {n}\tyes" for n in range(4)]
    lines += [f"Protein {n} folds in water\tno" for n in range(12)]
    (tmp_path / "Halos.tsv").write_text("\n".join(lines), encoding="utf-8")
    command = ["evaluate", str(tmp_path), "--json", "--baselines", "--draws", "30"]
    done = CliRunner().invoke(make_app(), command)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["draws"], found["users"]) == (30, 1)
    assert found["auc"] > 0.9
    assert found["intervals_over_reviews"]["auc"] is None, "one review says nothing of others"


def test_a_library_without_its_papers_is_no_review(folder: Path) -> None:
    (folder / "papers.tsv").unlink()
    with pytest.raises(InputError, match=r"neither papers\.tsv nor reviews"):
        datasets.load(folder)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (halos("title,abstract,verdict"), "needs the columns title"),
        (halos("title,abstract,label", wrong="One,Two,maybe"), "Halos.csv:82: label must be"),
        ("title,abstract,label\nA,b,1\nC,d,0", "has 1 included among 2 judged papers"),
    ],
)
def test_a_review_that_cannot_be_judged_is_named(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "Halos.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as told:
        datasets.load_reviews(tmp_path)
    assert what in str(told.value)


def test_a_paired_difference_is_surer_than_the_two_means() -> None:
    draws = np.random.default_rng(0).normal(0.5, 0.1, (10, 1, 4))
    worse, better = Measured("a", draws, "reviews"), Measured("b", draws + 0.01, "reviews")
    assert better.intervals()["auc"][0] < worse.quality.auc  # type: ignore[index]
    low, high = better.minus(worse).intervals()["auc"]  # type: ignore[misc]
    assert (low, high) == pytest.approx((0.01, 0.01))


def test_an_interval_is_student_s_and_of_two_draws_there_is_none() -> None:
    values = np.array([1.0, 2.0, 3.0])[:, None, None] * np.ones((3, 1, 4))
    low, high = Measured("a", values, "reviews").intervals()["ndcg@20"]  # type: ignore[misc]
    assert (low, high) == pytest.approx((2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-3)
    assert Measured("a", values[:2], "reviews").intervals()["ndcg@20"] is None


def test_a_review_is_judged_by_weights_that_were_chosen_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shipped = {"plain": 1.0, "characters": 0.3, "lexical": 3.0, "pairs": 0.5}
    stored = {
        "chosen_on": {"reviews": ["Halos", "Repair"], "categories": ["cs.SE", "cs.IR"]},
        "weights": shipped,
        "without": {"Halos": shipped | {"plain": 0.7}, "Repair": shipped},
    }
    monkeypatch.setattr(feature_weights, "_stored", lambda: stored)
    assert feature_weights.for_judging("Halos").plain == 0.7
    assert feature_weights.for_judging("A review nobody knows") == feature_weights.shipped()
    told = feature_weights.told(["Halos", "Corals"])
    assert "chosen on 2 reviews (Halos, Repair) and 2 categories" in told
    assert "each of Halos is judged by weights chosen without it" in told
    assert "none of which is judged here" in feature_weights.told(["Corals"])


def write_reviews(folder: Path) -> None:
    """Two topics with twenty relevant papers each, and sixty that a search found besides."""
    for name, subject, other in (
        ("Halos", "Dark matter halo", "Protein"),
        ("Repair", "Program repair patch", "Robot"),
    ):
        rows = ["title,abstract,label"]
        rows += [f"{subject} {n},{subject} number {n} is weighed in detail.,1" for n in range(22)]
        rows += [f"{other} {n} moves,{other} {n} and its parts are modelled.,0" for n in range(60)]
        (folder / f"{name}.csv").write_text("\n".join(rows), encoding="utf-8")


def test_reviews_mixed_into_other_papers_tell_how_true_the_labels_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(match_evaluation, "FEWEST_IN_STREAM", 60)
    write_reviews(tmp_path)
    picture = tmp_path / "reliability.svg"
    command = ["evaluate", str(tmp_path), "--json", "--draws", "1", "--plot", str(picture)]
    done = CliRunner().invoke(make_app(), command)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["users"] == 2
    judged = found["match"]
    assert list(judged["told"]) == ["likes"], "nobody wrote keywords for these"
    assert judged["days"] == 10
    assert judged["relevant"] == 2 * (0 + 1 + 3 + 10 + 10)
    assert judged["relevant_shown"] > 0
    labels = judged["labels"].values()
    assert sum(label["relevant"] for label in labels) == judged["relevant_shown"]
    assert judged["empty_days"] == 2
    assert 0 <= judged["days_with_false_claims"] <= 2
    assert 0 <= judged["calibration_error"] <= 1
    assert "not fitted on them" in judged["split"]
    assert sum(each["papers"] for each in judged["reliability"]) == sum(
        each["shown"] for name, each in judged["labels"].items() if name != Label.NONE.value
    )
    drawn = ElementTree.fromstring(picture.read_text(encoding="utf-8"))
    circles = drawn.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == len(judged["reliability"])

    done = CliRunner().invoke(make_app(), ["evaluate", str(tmp_path), "--draws", "1"])
    assert "Halos, Repair: by the shipped model" in done.stdout
    assert "what the other reviews turned down" in done.stdout


def test_where_papers_are_too_few_for_days_the_match_is_not_measured_and_that_is_said(
    tmp_path: Path,
) -> None:
    write_reviews(tmp_path)
    done = CliRunner().invoke(make_app(), ["evaluate", str(tmp_path), "--draws", "1"])
    assert done.exit_code == 0
    assert "match: not measured" in done.stdout
    plot = ["evaluate", str(tmp_path), "--draws", "1", "--plot", str(tmp_path / "a.svg")]
    assert isinstance(CliRunner().invoke(make_app(), plot).exception, UsageError)


def test_the_calibration_error_is_the_mean_distance_from_the_diagonal() -> None:
    tally = Tally(
        matches=[0.9, 0.9, 0.9, 0.9, 0.1, 0.1],
        relevant=[True, True, True, False, False, False],
        labels=[Label.STRONG] * 4 + [Label.WORTH] * 2,
    )
    assert np.array(tally.reliability()) == pytest.approx(np.array([[0.1, 0, 2], [0.9, 0.75, 4]]))
    assert tally.calibration_error() == pytest.approx((2 * 0.1 + 4 * 0.15) / 6)


@pytest.mark.parametrize(
    ("name", "line", "where"),
    [
        ("saves.tsv", "somebody", "saves.tsv:"),
        ("saves.tsv", "u0-0\tnowhere", "'nowhere' is not known"),
        ("papers.tsv", "p1\tTwice", "'p1' appears twice"),
    ],
)
def test_a_bad_line_is_named(folder: Path, name: str, line: str, where: str) -> None:
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match=where):
        datasets.load(folder)


def test_a_folder_without_data_names_the_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither papers\.tsv nor reviews"):
        datasets.load(tmp_path)


def test_measures_of_a_ranking_known_by_hand() -> None:
    scores = np.array([[4.0, 3.0, 2.0, 1.0]], np.float32)
    truth = csr_matrix(np.array([[1.0, 0.0, 1.0, 0.0]], np.float32))
    [[recall_20, recall_100, ndcg, auc]] = metrics.per_subscriber(scores, truth).tolist()
    assert (recall_20, recall_100) == (1, 1)
    assert ndcg == pytest.approx((1 + 1 / 2) / (1 + 1 / np.log2(3)))
    assert auc == pytest.approx(3 / 4)
    nobody = csr_matrix((1, 4), dtype=np.float32)
    assert len(metrics.per_subscriber(scores, nobody)) == 0
