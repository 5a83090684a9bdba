"""Words as readers mean them: signs, single letters, other scripts, plurals and accents."""

import pytest

from newsletter.ranking.words import TextIndex, spelled

TEXTS = (
    "Vitamin C and glucose in the blood of runners",
    "Templates in C++ for glucose simulation codes",
    "What LLMs know about naïve readers",
    "An R package for mixed models",
    "R-CNN reaches R² = 0.9 where r is the radius",
    "蛋白质折叠 from sequence alone",
    "Floods of the .NET runtime, and of C# services",
    "Neural nets that forecast floods",
    "Chain-of-thought prompting in analyses of buses",
    "Who can go? Go services of the WHO, as follows: (1) count patients. Robots learn",
    "\u03b2-amyloid and TNF-\u03b1 in matrices; F# and \uff2c\uff2c\uff2d agents of St. Louis",
    "Covid\u201119 in U-Net and ResNet (50 layers)",
)


def rows(value: str) -> list[int]:
    count, _ = TextIndex(TEXTS, [""] * len(TEXTS)).counts(value)
    return [row for row, times in enumerate(count) if times]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("C++", [1]),
        ("c++", [1]),
        ("C", [0]),
        ("C#", [6]),
        (".NET", [6]),
        ("net", [7, 11]),
        ("LLM", [2, 10]),
        ("llms", [2, 10]),
        ("naive", [2]),
        ("naïve", [2]),
        ("R", [3]),
        ("蛋白质", [5]),
        ("洪水", []),
        ("flood", [6, 7]),
        ("chain of thought", [8]),
        ("chain thought", []),
        ("Go", [9]),
        ("WHO", [9]),
        ("US", []),
        ("follow 1", []),
        ("patient robot", []),
        ("beta-amyloid", [10]),
        ("TNF alpha", [10]),
        ("matrix", [10]),
        ("analysis", [8]),
        ("F#", [10]),
        ("F", []),
        ("llm agent", [10]),
        ("St. Louis", [10]),
        ("COVID-19", [11]),
        ("u net", [11]),
        ("ResNet 50", []),
        ("R-CNN", [4]),
        ("C.", [0]),
        ("(R)", [3]),
        ("“Go”", [9]),
        ("WHO,", [9]),
        ("C++.", [1]),
        ("an", []),
        ("and", []),
        ("go", []),
        ("layers", [11]),
        ("A", []),
        ("I", []),
        ("the", []),
        ("", []),
        ("!!", []),
    ],
)
def test_a_word_is_found_where_a_reader_would_find_it(value: str, expected: list[int]) -> None:
    assert rows(value) == expected


def test_a_phrase_is_quoted_as_the_paper_writes_it() -> None:
    assert spelled("We prompt with Chain-of-Thoughts.", "chain of thought") == "Chain-of-Thoughts"
    assert spelled("Robots walk.", "robot") == "Robots"
    assert spelled("Vitamin C.", "C++") == ""
    assert spelled("A plan of the WHO for what it does", "it") == ""
    assert spelled("A fire behind the system", "fire") == "fire"
    assert spelled("A plan of the WHO for what it does", "WHO.") == "WHO"
    assert spelled("Ask who. The WHO says so.", "WHO") == "WHO"
    assert spelled("Walking robots. Learning to rank.", "robot learning") == ""
    assert spelled("TNF-\u03b1 rises.", "TNF-alpha") == "TNF-\u03b1"


def test_a_phrase_does_not_begin_in_a_title_and_end_in_the_abstract() -> None:
    index = TextIndex(["A study of program"], ["Repair of roads."])
    assert not index.counts("program repair")[0].any()
    assert index.counts("repair")[0].tolist() == [1]
