"""Which names are one person's: a fit, a possible fit, and none where something contradicts."""

import pytest

from newsletter.core.persons import Fit, PersonIndex, fit

SURE = [
    ("Jane Rowe", "Jane K. Rowe"),
    ("Jane Katherine Rowe", "Jane K. Rowe"),
    ("Rowe, Jane", "Jane K. Rowe"),
    ("ROWE Jane", "Jane Rowe"),
    ("J.K. Rowe", "J. K. Rowe"),
    ("Erdős Pál", "Erdos Pal"),
    ("Łukasz Kowal", "Lukasz Kowal"),
    ("Müller, Hans", "Hans Mueller"),
    ("Hans Muller", "Hans Müller"),
    ("Søren Krag", "Soeren Krag"),
    ("Conor OBrien", "Conor O’Brien"),
    ("Jean-Pierre Serre", "Jean Pierre Serre"),
    ("Xiaoming Li", "Xiao-Ming Li"),
    ("Maria Smith-Jones", "Maria Smith Jones"),
    ("García Márquez, Gabriel", "Gabriel García Márquez"),
    ("Berg, Vincent van der", "Vincent van der Berg"),
    ("Vincent Vanderberg", "Vincent van der Berg"),
    ("Martin Kingsley Jr.", "Martin Kingsley"),
    ("Иванов И. И.", "И. И. Иванов"),
    ("王小明", "王 小明"),
    ("ATLAS", "The ATLAS Collaboration"),
]
POSSIBLE = [
    ("J. K. Rowe", "Jane K. Rowe"),
    ("JK Rowe", "Jane K. Rowe"),
    ("Rowe JK", "Jane K. Rowe"),
    ("Rowe, J. K.", "Jane Katherine Rowe"),
    ("J. Rowe", "J. K. Rowe"),
    ("J.-P. Serre", "Jean-Pierre Serre"),
    ("X. Li", "Xiaoming Li"),
    ("Li Xiaoming", "Xiaoming Li"),
    ("A. van der Berg", "Anna van der Berg"),
    ("G. García Márquez", "Gabriel García Márquez"),
]
NONE = [
    ("Jane M. Rowe", "Jane K. Rowe"),
    ("J. M. Rowe", "Jane K. Rowe"),
    ("John Rowe", "Jane Rowe"),
    ("K. Rowe", "Jane Rowe"),
    ("Rowe", "Jane Rowe"),
    ("Jane Rowe", "Jane Row"),
    ("Jane Rowe", "Jane Rowe-Smith"),
    ("Jean-Paul Serre", "Jean-Pierre Serre"),
    ("J.-P. Serre", "Jean-Louis Serre"),
    ("Xiaoming Li", "Xiaoling Li"),
    ("X. M. Li", "X. Y. Li"),
    ("Paul Martin", "Martin Paul"),
    ("Martin Kingsley Jr.", "Martin Kingsley III"),
    ("Anna Berg", "Anna van der Berg"),
    ("Jane Moe", "Jane Mo"),
    ("Robert Mueller", "Robert Muller"),
    ("王小明", "王小红"),
    ("ATLAS Collaboration", "CMS Collaboration"),
    ("LIGO", "LIGO and Virgo Collaborations"),
    ("", ""),
]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        *((*pair, Fit.SURE) for pair in SURE),
        *((*pair, Fit.POSSIBLE) for pair in POSSIBLE),
        *((*pair, Fit.NONE) for pair in NONE),
    ],
)
def test_names_fit_where_nothing_contradicts_and_either_way_round(
    one: str, other: str, expected: Fit
) -> None:
    assert fit(one, other) is fit(other, one) is expected
    # The index finds the same, in any company.
    for wanted, named in ((one, other), (other, one)):
        index = PersonIndex([named, "Ann Poe", "B. Zoe"])
        assert index.fitting(wanted) == ({named: expected} if expected else {})


def test_where_several_persons_fit_each_does_only_possibly() -> None:
    index = PersonIndex(["Jane K. Rowe", "Jane M. Rowe", "John Rowe", "Jane Doe"])
    assert index.fitting("Jane Rowe") == {
        "Jane K. Rowe": Fit.POSSIBLE,
        "Jane M. Rowe": Fit.POSSIBLE,
    }
    assert index.fitting("Jane K. Rowe") == {"Jane K. Rowe": Fit.SURE}
    assert set(index.fitting("J. Rowe")) == {"Jane K. Rowe", "Jane M. Rowe", "John Rowe"}
