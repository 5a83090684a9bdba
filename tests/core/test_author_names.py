"""Author strings as sources write them, and the names that a reader should see."""

import pytest

from newsletter.core.author_names import LONGEST_LINE, names_in, one_name
from newsletter.core.identifiers import canonical_orcid

LINES = {
    "Jane Doe and John Roe": ["Jane Doe", "John Roe"],
    "Jane Doe, John Roe, and Ann Poe": ["Jane Doe", "John Roe", "Ann Poe"],
    "Jane Doe &amp; John Roe": ["Jane Doe", "John Roe"],
    "Jane Doe & John Roe": ["Jane Doe", "John Roe"],
    "Jane Doe | John Roe": ["Jane Doe", "John Roe"],
    "Jane Doe · John Roe": ["Jane Doe", "John Roe"],
    "Jane Doe,\nJohn Roe": ["Jane Doe", "John Roe"],
    "J. Doe, R. Roe": ["J. Doe", "R. Roe"],
    "Doe and Roe": ["Doe", "Roe"],
    # Family name first.
    "Doe, Jane": ["Jane Doe"],
    "Gysi, Deisy Morselli": ["Deisy Morselli Gysi"],
    "Doe, Jane; Roe, John": ["Jane Doe", "John Roe"],
    "Doe, Jane and Roe, John": ["Jane Doe", "John Roe"],
    "Doe, J., Roe, R., van der Poe, A. B.": ["J. Doe", "R. Roe", "A. B. van der Poe"],
    "Doe, J., Roe, R. & Poe, A.": ["J. Doe", "R. Roe", "A. Poe"],
    "Doe JA, Roe R, van der Poe AB": ["J. A. Doe", "R. Roe", "A. B. van der Poe"],
    "Wang X. and Li Y.": ["X. Wang", "Y. Li"],
    # Suffixes, titles, degrees.
    "Robert Dow, Jr., Sammy Day Jr., and Henry Fox III": [
        "Robert Dow Jr.",
        "Sammy Day Jr.",
        "Henry Fox III",
    ],
    "Kingsley, Martin Luther, Jr.": ["Martin Luther Kingsley Jr."],
    "Kingsley, Jr., Martin": ["Martin Kingsley Jr."],
    "Jane Doe, MD, PhD, John Roe, Ph.D.": ["Jane Doe", "John Roe"],
    "Dr. Jane Doe MD": ["Jane Doe"],
    # Affiliations and marks.
    "A. Smith (1), B. Jones Jr. (2), C. King, Jr. (1 and 2) ((1) Univ. of X, (2) Inst. of Y, Z)": [
        "A. Smith",
        "B. Jones Jr.",
        "C. King Jr.",
    ],
    "Jane Doe (University of X (Campus (North), City), Z), John Roe (Y)": ["Jane Doe", "John Roe"],
    "T. de la Cruz (1), S. O'Neil (2), (1) MIT, (2) Stanford": ["T. de la Cruz", "S. O'Neil"],
    "A. Smith (Univ. of X, B. Jones": ["A. Smith", "B. Jones"],
    "Jane Doe1,2, John Roe2*, Ann Poe†": ["Jane Doe", "John Roe", "Ann Poe"],
    "Jane Doe¹ ², John Roe²,*, Ann Poe^{1,2}": ["Jane Doe", "John Roe", "Ann Poe"],
    "Jane Doe [1], John Roe [2, 3]": ["Jane Doe", "John Roe"],
    "Jane Doe (ORCID: 0000-0002-1825-0097), John Roe": ["Jane Doe", "John Roe"],
    # Collaborations.
    "Euclid Collaboration: A. Smith, B. Jones": ["Euclid Collaboration", "A. Smith", "B. Jones"],
    "The LIGO Scientific Collaboration, the Virgo Collaboration: B. P. Abbott, R. Abbott": [
        "The LIGO Scientific Collaboration",
        "the Virgo Collaboration",
        "B. P. Abbott",
        "R. Abbott",
    ],
    "Jane Doe (for the ATLAS Collaboration)": ["Jane Doe", "ATLAS Collaboration"],
    "Jane Doe for the ATLAS Collaboration": ["Jane Doe", "ATLAS Collaboration"],
    "Jane Doe, John Roe, on behalf of the CMS Collaboration": [
        "Jane Doe",
        "John Roe",
        "CMS Collaboration",
    ],
    "Jane Doe and the STAR Collaboration": ["Jane Doe", "STAR Collaboration"],
    "LIGO and Virgo Collaborations": ["LIGO and Virgo Collaborations"],
    "Food and Drug Administration": ["Food and Drug Administration"],
    # Several scripts.
    "张三、李四": ["张三", "李四"],
    "张三，李四": ["张三", "李四"],
    "張三 (Zhang San)": ["張三"],
    "Иванов И. И., Петров П. П.": ["И. И. Иванов", "П. П. Петров"],
    "José Ortega y Gasset, Mary de la Cruz": ["José Ortega y Gasset", "Mary de la Cruz"],
    # What is no name.
    "Jane Doe et al.": ["Jane Doe"],
    "Doe, J., et al.": ["J. Doe"],
    "Smith, John and 12 others": ["John Smith"],
    "jane@example.org (Jane Doe)": ["Jane Doe"],
    "Jane Doe <jane@example.org>": ["Jane Doe"],
    "Author(s): Jane Doe, John Roe": ["Jane Doe", "John Roe"],
    "": [],
    "*, 1, †": [],
    "et al.": [],
}


@pytest.mark.parametrize("line", LINES, ids=str)
def test_a_line_of_authors_gives_their_names(line: str) -> None:
    assert names_in(line) == LINES[line]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Rowe, J. K.", ["J. K. Rowe"]),
        ("van Beethoven, Ludwig", ["Ludwig van Beethoven"]),
        ("Kingsley, C., Jr.", ["C. Kingsley Jr."]),
        ("Jane Doe, PhD", ["Jane Doe"]),
        ("Jane Doe, University of Somewhere", ["Jane Doe"]),
        ("Jane Doe and John Roe", ["Jane Doe", "John Roe"]),
        ("for the ATLAS Collaboration", ["ATLAS Collaboration"]),
        ("The T2K Collaboration", ["The T2K Collaboration"]),
        # An organisation's commas and "and" divide nothing.
        (
            "Department of Physics, University of X and Y",
            ["Department of Physics, University of X and Y"],
        ),
        ("Louis XIV", ["Louis XIV"]),
        ("Madonna", ["Madonna"]),
        ("et al.", []),
    ],
)
def test_what_a_source_keeps_for_one_author_is_one(text: str, names: list[str]) -> None:
    assert one_name(text) == names


@pytest.mark.parametrize(
    "line",
    [
        "(" * 50_000,
        "a@" * 50_000,
        " " * 200_000 + "x",
        ",;" * 50_000,
        "and " * 50_000,
        "(1)," * 30_000,
    ],
    ids=lambda line: line[:5],
)
def test_a_hostile_line_is_read_and_bounded(line: str) -> None:
    assert sum(map(len, names_in(line))) <= LONGEST_LINE


def test_an_orcid_is_known_in_each_of_its_forms_and_only_with_its_check_digit() -> None:
    for form in (
        "0000-0002-1825-0097",
        "https://orcid.org/0000-0002-1825-0097",
        "0000000218250097",
    ):
        assert canonical_orcid(form) == "0000-0002-1825-0097"
    assert canonical_orcid("http://orcid.org/0000-0002-1694-233x") == "0000-0002-1694-233X"
    for other in (
        "0000-0002-1825-0098",
        "Jane Doe",
        None,
        17,
        "https://example.org/0000-0002-1825-0097",
    ):
        assert canonical_orcid(other) == ""
