"""Bibliographies as reference managers and people write them: read, or left out with a reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from newsletter.core.errors import InputError, LimitError
from newsletter.subscribers.bibliography import reading

Names = tuple[str, ...]


def read(data: str | bytes, encoding: str = "utf-8") -> list[tuple[Names, str, int]]:
    """Names, title and line of each reference."""
    body = data.encode(encoding) if isinstance(data, str) else data
    found: Any = reading.read(body, most_entries=100)["references"]
    return [(tuple(names), title, line) for names, title, line in found]


def left_out(data: str | bytes) -> list[tuple[int, str]]:
    """Line and reason of what is left out."""
    body = data.encode() if isinstance(data, str) else data
    found: Any = reading.read(body, most_entries=100)["left_out"]
    return [(line, why) for line, why in found]


def titles(data: str | bytes, encoding: str = "utf-8") -> list[str]:
    return [title for _, title, _ in read(data, encoding)]


def names(data: str | bytes) -> Names:
    """The names of the only reference."""
    [(found, _, _)] = read(data)
    return found


GOOD = "@article{good,\n title = {A good one},\n doi = {10.1000/good}\n}\n"
BIBTEX = {
    "a comma is missing behind the key": "@article{a\n title = {T one}, year = 2020}",
    "a comma is missing between fields": "@article{a,\n author = {X Y}\n title = {T one}\n}",
    "a comma is missing on one line": "@article{a, author = {X Y} title = {T one} year=2020}",
    "quotation marks": '@article{a, title = "T one", year = "2020"}',
    "braces in quotation marks": '@article{a, note = "x {"} y", title = "T one"}',
    "round brackets": "@article(a, title = {T one}, note = {(x)})",
    "round brackets and more": "@article(a, note = {(x) y}, title = {T one})\nmore) text",
    "upper case": "@ARTICLE{A, TITLE = {T one}}",
    "blanks": "  @article  { a ,\n\ttitle\t=\t{T one}\t,\n}",
    "no blanks": "@article{a,title={T one},year=2020}",
    "nested braces": "@article{a, title = {{{T} {o}ne}}}",
    "a key with blanks": "@article{doe et al 2020, title = {T one}}",
    "a key of Chinese letters": "@article{王2020, title = {T one}}",
    "a key in no form": "@article{a/b:c+d(e)&f, title = {T one}}",
    "no key and no comma": "@article{title = {T one}, year = 2020}",
    "a field twice": "@article{a, title = {T one}, title = {Other}, note = {}, note = {}}",
    "a brace too many": "@article{a,\n title = {T one}},\n doi = {10.1000/x}\n}",
    "a brace too many behind": "@article{a, title = {T one}}}\n}\n",
    "a brace too few": "@article{a,\n title = {T one,\n doi = {10.1000/x}\n}",
    "an open quotation mark": '@article{a,\n title = "T one,\n doi = {10.1000/x}\n}',
    "a stray at sign": "write to a@b.org {or not}\n@article{a, title = {T one}}",
    "an at sign in a field": "@article{a,\n note = {mail me@home{x}, please},\n title = {T one}}",
    "the abbreviation of a month": "@article{a, month = 1 # jan, title = {T } # {one}}",
    "an abbreviation": '@string(t = {T})\n@article{a, title = t # { } # "one"}',
    "an unknown abbreviation": "@article{a, journal = nowhere, title = {T one}}",
    "Windows line ends": "@article{a,\r\n title = {T\r\n one}\r\n}\r\n",
    "old Mac line ends": "@article{a,\r title = {T\r one}\r}\r",
    "a comment before": "% @comment\n@comment{x {y} z}\n@article{a, title = {T one}}",
    "an entry in a comment": "@comment{@article{b, title={Not this}}}\n@misc{a, title={T one}}",
    "entries in a comment": "@comment{\n@article{b,\n title = {No}\n}\n}\n@misc{a, title={T one}}",
    "a comment that never ends": "@comment{ jabref\n@article{a, title = {T one}}",
    "two on a line": "@article{a, title = {T one}} @article{b, doi = {10.1000/x}}",
    "TeX around it": "@article{a, title = {\\emph{T} \\textbf{one}}}",
    "a link around it": "@article{a, title = {\\href{https://x.y/z}{T one}}}",
    "a preamble": '@preamble{"\\newcommand{\\x}[1]{#1}"}\n@article{a, title = {T one}}',
}


@pytest.mark.parametrize("data", BIBTEX.values(), ids=BIBTEX.keys())
def test_odd_bibtex_is_read_and_costs_no_other_entry(data: str) -> None:
    for found in (titles(f"{data}\n{GOOD}"), titles(f"{GOOD}\n{data}")[::-1]):
        assert found[-1] == "A good one"
        assert "T one" in found


def test_entries_take_over_the_title_of_what_they_refer_to_but_not_its_doi() -> None:
    data = (
        "@inbook{chapter, crossref = {Whole}, pages = {1--9}}\n"
        "@inproceedings{talk, title = {A talk}, crossref = {vol}}\n"
        "@book{whole, title = {The whole book}, doi = {10.1000/whole}}\n"
        "@proceedings{vol, title = {Proceedings of all}, doi = {10.1000/vol}}\n"
        "@xdata{shared, title = {Shared title}, doi = {10.1000/shared}}\n"
        "@misc{with, xdata = {shared}}"
    )
    assert [(names, title) for names, title, _ in read(data)] == [
        ((), "The whole book"),
        ((), "A talk"),
        (("10.1000/whole",), "The whole book"),
        (("10.1000/shared",), "Shared title"),
    ]
    assert left_out(data) == [(4, "it is a volume of proceedings, not a paper")]


def test_each_entry_that_is_not_used_is_named_with_line_and_reason() -> None:
    data = (
        f"{GOOD}"  # lines 1 to 4
        "@article{empty, year = {2020}}\n"
        "@article{again, title = {The same paper}, doi = {https://doi.org/10.1000/GOOD}}\n"
        f"@article{{long, title = {{Long}}, abstract = {{{'x' * 70_000}}}}}\n"
        "% @article{old, title = {Commented out}}\n"
        "@misc{}\n"
        "@article{last,\n title = {It breaks off"
    )
    assert titles(data) == ["A good one", "It breaks off"]
    assert left_out(data) == [
        (5, "it has neither a title nor an identifier"),
        (6, "it is the same paper as in line 1"),
        (7, "it is longer than 64 KB"),
        (8, "it is commented out with a percent sign"),
        (9, "it has neither a title nor an identifier"),
    ]
    assert left_out(GOOD + "@article{last,\n tit") == [(5, "the file breaks off here")]


def test_an_open_entry_does_not_swallow_those_behind_it() -> None:
    lines = "@article{a, title = {Open {brace}, note={x}}\n" + GOOD
    assert titles(lines)[-1] == "A good one"
    one_line = (
        "@article{a, title = {Open { brace}} "
        "@article{b, title={Second one}} @misc{c, doi={10.1000/3}}"
    )
    assert {"Second one", ""} <= set(titles(one_line))


TEXT = "@article{a,\n title = {Über die Größe – Čapek naïve},\n doi = {10.1000/1}\n}\n"
PLAIN = "@article{a,\n title = {Über die Größe naïve},\n doi = {10.1000/1}\n}\n"
RUSSIAN = "@article{a,\n title = {Глубокое обучение для предсказания погоды}\n}\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_unicode_in_all_its_forms_is_read(encoding: str) -> None:
    assert titles(TEXT, encoding) == ["Über die Größe – Čapek naïve"]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_western_letters_of_old_encodings_are_read(encoding: str) -> None:
    assert titles(PLAIN, encoding) == ["Über die Größe naïve"]


def test_other_encodings_are_read_where_the_file_says_so_or_the_letters_do() -> None:
    for name, encoding in (("Cp1250", "cp1250"), ("ISO8859_2", "iso8859-2"), ("UTF-8", "utf-8")):
        data = f"% Encoding: {name}\n{PLAIN.replace('naïve', 'Čapek')}"
        assert titles(data, encoding) == ["Über die Größe Čapek"]
    assert titles(f"% Encoding: MacRoman\n{PLAIN}", "mac_roman") == ["Über die Größe naïve"]
    assert titles(RUSSIAN, "cp1251") == ["Глубокое обучение для предсказания погоды"]
    assert titles(f"% Encoding: no-such\n{PLAIN}") == ["Über die Größe naïve"]
    assert titles(f"% Encoding: base64\n{PLAIN}") == ["Über die Größe naïve"]


def test_one_bad_byte_costs_one_letter() -> None:
    assert titles(PLAIN.encode() + b"@misc{b, title = {A \xff B}}")[0] == "Über die Größe naïve"


HIDDEN = {
    "doi = {10.1000/a.1}": ("10.1000/a.1",),
    "doi = {https://doi.org/10.1000/A.1}": ("10.1000/a.1",),
    "doi = {http://dx.doi.org/10.1000%2Fa.1}": ("10.1000/a.1",),
    "doi = {doi:10.1000/a.1.}": ("10.1000/a.1",),
    "doi = {DOI 10.1000/a.1}": ("10.1000/a.1",),
    "doi = {10.1000/a\\_b\\%c}": ("10.1000/a_b%c",),
    "doi = {10.1000/a{\\_}b}": ("10.1000/a_b",),
    "doi = {10.1000/a\\textunderscore{}b}": ("10.1000/a_b",),
    "doi = {10.1175/1520-0477(1996)077$<$0935:WOTWSM$>$2.0.CO;2}": (
        "10.1175/1520-0477(1996)077<0935:wotwsm>2.0.co;2",
    ),
    "doi = {10.1000/a.1 (open access)}": ("10.1000/a.1",),
    "DOI = {\\url{https://doi.org/10.1000/a.1}}": ("10.1000/a.1",),
    "doi = {10.48550/arXiv.2101.00001}": ("2101.00001",),
    "doi = {arXiv:2101.00001}": ("2101.00001",),
    "url = {https://doi.org/10.1000/a.1}": ("10.1000/a.1",),
    "url = {https://onlinelibrary.wiley.com/doi/full/10.1000/a.1?af=R}": ("10.1000/a.1",),
    "url = {\\url{https://arxiv.org/abs/2101.00001v3}}": ("2101.00001",),
    "url = {https://arxiv.org/pdf/2101.00001v3.pdf}": ("2101.00001",),
    "url = {http://arxiv.org/abs/hep-th/9901001}": ("hep-th/9901001",),
    "url = {https://example.org/ http://www.arxiv.org/abs/2101.00001}": ("2101.00001",),
    "bdsk-url-1 = {https://doi.org/10.1000/a.1}": ("10.1000/a.1",),
    "adsurl = {https://ui.adsabs.harvard.edu/abs/2021arXiv210100001D}": ("2101.00001",),
    "eprint = {2101.00001}": ("2101.00001",),
    "eprint = {2101.00001v2}, archiveprefix = {arXiv}": ("2101.00001",),
    "eprint = {arXiv:2101.00001 [cs.LG]}": ("2101.00001",),
    "eprint = {math/0309136}, archivePrefix = \"arXiv\"": ("math/0309136",),
    "eprint = {0309136}, archivePrefix = {arXiv}, primaryClass = {math.GT}": ("math/0309136",),
    "eprint = {12345678}, eprinttype = {pubmed}": ("pmid:12345678",),
    "eprint = {2101.00001}, eprinttype = {hal}": (),
    "eprint = {https://arxiv.org/abs/2101.00001}": ("2101.00001",),
    "arxivId = {2101.00001}": ("2101.00001",),
    "journal = {arXiv preprint arXiv:2101.00001}": ("2101.00001",),
    "journal = {arXiv e-prints}, pages = {arXiv:2101.00001}": ("2101.00001",),
    "journal = {CoRR}, volume = {abs/2101.00001}": ("2101.00001",),
    "journal = {CoRR}, volume = {hep-ph/9901001}": ("hep-ph/9901001",),
    "number = {arXiv:2101.00001}": ("2101.00001",),
    "howpublished = {\\url{https://arxiv.org/abs/2101.00001}}": ("2101.00001",),
    "howpublished = {doi: 10.1000/a.1}": ("10.1000/a.1",),
    "note = {arXiv:2101.00001 [cs]}": ("2101.00001",),
    "note = {arXiv: cs/0101001}": ("cs/0101001",),
    "note = {PMID: 12345678; PMCID: PMC1234567}": ("pmid:12345678", "pmc:1234567"),
    "note = {https://doi.org/10.1000/a.1,}": ("10.1000/a.1",),
    "pmid = {12345678}": ("pmid:12345678",),
    "PMID = 12345678, pmcid = {PMC1234567}": ("pmid:12345678", "pmc:1234567"),
    "url = {https://pubmed.ncbi.nlm.nih.gov/12345678/}": ("pmid:12345678",),
    "url = {http://www.ncbi.nlm.nih.gov/pubmed/12345678}": ("pmid:12345678",),
    "url = {https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1234567/}": ("pmc:1234567",),
    "url = {https://pmc.ncbi.nlm.nih.gov/articles/PMC1234567/}": ("pmc:1234567",),
    "doi = {10.1000/a.1}, note = {Comment on arXiv:2101.00001}": ("10.1000/a.1",),
    "doi = {10.1000/a.1}, eprint = {2101.00001}": ("2101.00001", "10.1000/a.1"),
    "journal = {J. Physics}, volume = {2101}, number = {00001}": (),
    "isbn = {978-3-16-148410-0}, pages = {1234--5678}": (),
    "abstract = {See 10.1000/other and arXiv:2101.00001}": (),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "expected"), HIDDEN.items(), ids=HIDDEN.keys())
def test_ids_are_found_where_reference_managers_put_them(fields: str, expected: Names) -> None:
    assert names(f"@article{{a, title = {{A title}}, {fields}}}") == expected


RIS = {
    "usual": "TY  - JOUR\nTI  - T one\nDO  - 10.1000/1\nER  - \n",
    "one space": "TY - JOUR\nT1 - T one\nDO - 10.1000/1\nER -\n",
    "no space": "TY-  JOUR\nTI- T one\nDO- 10.1000/1\nER-\n",
    "indented": "  TY  - JOUR\n  TI  - T one\n  DO  - 10.1000/1\n  ER  - \n",
    "tabs": "TY\t- JOUR\nTI\t- T one\nDO\t- 10.1000/1\nER\t-\n",
    "no end": "TY  - JOUR\nTI  - T one\nDO  - 10.1000/1\n",
    "end without dash": "TY  - JOUR\nTI  - T one\nDO  - 10.1000/1\nER\n",
    "title on two lines": "TY  - JOUR\nTI  - T\none\nDO  - 10.1000/1\nER  - \n",
    "title before type": "TI  - T one\nTY  - JOUR\nDO  - 10.1000/1\nER  - \n",
    "a header": "By: A house\nContent: text\n\nTY  - JOUR\nTI  - T one\nDO  - 10.1000/1\nER  -\n",
    "Windows": "\r\nTY  - JOUR\r\nTI  - T one\r\nDO  - 10.1000/1\r\nER  - \r\n",
    "a link": "TY  - JOUR\nTI  - T one\nT2  - A Journal\nUR  - https://doi.org/10.1000/1\nER  - \n",
    "a note": "TY  - JOUR\nTI  - T one\nN1  - doi: 10.1000/1\nER  - \n",
    "number field": "TY  - JOUR\nTI  - T one\nM3  - doi: 10.1000/1\nER  - \n",
}  # fmt: skip


@pytest.mark.parametrize("data", RIS.values(), ids=RIS.keys())
def test_ris_in_its_variants_is_read(data: str) -> None:
    assert [(n, t) for n, t, _ in read(data)] == [(("10.1000/1",), "T one")]
    second = data.replace("one", "two").replace("10.1000/1", "10.1000/2").partition("text\n")
    assert titles(f"{data}{second[2] or second[0]}") == ["T one", "T two"]


def test_ris_of_pubmed_and_endnote_has_pubmeds_numbers() -> None:
    data = "TY  - JOUR\nTI  - T\nAN  - 12345678\nDB  - PubMed\nER  -\n"
    assert names(data) == ("pmid:12345678",)
    assert names(data.replace("DB  - PubMed", "DB  - Other")) == ()
    assert names("TY  - JOUR\nTI  - T\nC2  - PMC1234567\nER  -\n") == ("pmc:1234567",)
    assert names("TY  - JOUR\nTI  - T\nN1  - PMID: 12345678\nER  -\n") == ("pmid:12345678",)
    assert names("%0 Journal Article\n%T T\n%R 10.1000/1\n%M 12345678\n%W NLM\n") == (
        "10.1000/1",
        "pmid:12345678",
    )


PUBMED = """
PMID- 38000001
OWN - NLM
DCOM- 20240101
TI  - Inhaled corticosteroids in preschool wheeze: a
      randomized trial.
LID - S0140-6736(24)00001-1 [pii]
LID - 10.1000/nbib.1 [doi]
AB  - Background text.
AU  - Doe J
PMC - PMC1234567
AID - 10.1000/nbib.1 [doi]
SO  - J Wheeze. 2024

PMID- 38000002
TI  - [A translated title].
SO  - J Wheeze. 2024. doi: 10.1000/nbib.2.
"""
WOS = """\ufeffFN Clarivate Analytics Web of Science
VR 1.0
PT J
AU Doe, J
   Roe, R
TI Widgets of the deep sea and
   their many friends
DI 10.1000/wos.1
PM 12345678
ER

PT S
TI Second of the widgets
ER

EF
"""


def test_pubmed_and_web_of_science_are_read() -> None:
    assert read(PUBMED) == [
        (
            ("10.1000/nbib.1", "pmid:38000001", "pmc:1234567"),
            "Inhaled corticosteroids in preschool wheeze: a randomized trial",
            2,
        ),
        (("10.1000/nbib.2", "pmid:38000002"), "A translated title", 15),
    ]
    assert read(WOS) == [
        (("10.1000/wos.1", "pmid:12345678"), "Widgets of the deep sea and their many friends", 3),
        ((), "Second of the widgets", 12),
    ]
    tabs = (
        "\ufeffPT\tAU\tTI\tSO\tDI\tPM\r\n"
        "J\tDoe, J\tWidgets\tSea\t10.1000/1\t123456\r\nJ\t\tOthers\t\t\t\r\n"
    )
    assert read(tabs) == [(("10.1000/1", "pmid:123456"), "Widgets", 2), ((), "Others", 3)]
    assert read(tabs.encode("utf-16"))[0][1] == "Widgets"


CSL = [
    {"id": "a", "type": "article-journal", "title": "T one", "DOI": "10.1000/1"},
    {"id": "b", "title": "T two", "note": "PMID: 12345678\nPMCID: PMC1234567"},
    {"title": "T three", "archive": "arXiv", "archive_location": "2101.00001", "URL": "http://x"},
    {"title": "T four", "number": "arXiv:2101.00002", "publisher": "arXiv"},
    {"title": "T five", "PMID": 12345679},
    {"author": [{"family": "Doe"}]},
    7,
]


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(CSL),
        json.dumps(CSL, indent=1),
        json.dumps({"config": {"id": 1}, "items": CSL}),
        json.dumps([{"key": "X", "data": each} if isinstance(each, dict) else 7 for each in CSL]),
    ],
    ids=["one line", "indented", "with a head", "as the service gives it"],
)
def test_csl_json_is_read(data: str) -> None:
    assert [(n, t) for n, t, _ in read(data)] == [
        (("10.1000/1",), "T one"),
        (("pmid:12345678", "pmc:1234567"), "T two"),
        (("2101.00001",), "T three"),
        (("2101.00002",), "T four"),
        (("pmid:12345679",), "T five"),
    ]
    assert [why for _, why in left_out(data)] == [
        "it has neither a title nor an identifier",
        "it is no object with a title",
    ]


def test_half_a_json_file_is_read_as_far_as_it_goes() -> None:
    data = json.dumps(CSL, indent=1)
    found = data[: data.index("T three")]
    assert titles(found) == ["T one", "T two"]
    assert left_out(found) == [(13, "it is broken JSON; nothing after it was read")]
    assert titles(json.dumps(CSL[0])) == ["T one"]


ZOTERO_CSV = (
    '\ufeff"Key","Item Type","Publication Year","Author","Title","Publication Title","ISBN","ISSN",'
    '"DOI","Url","Abstract Note","Extra"\r\n'
    '"AB","journalArticle","2020","Doe, Jane","T, ""one""","J","","","10.1000/1","",'
    '"Long,\ntext",""\r\n'
    '"AC","preprint","2021","Doe, Jane","T two","","","","","","","arXiv:2101.00001 [cs]"\r\n'
    '"AD","journalArticle","2021","Doe","T three","","","","","","",'
    '"PMID: 12345678\nPMCID: PMC1234"\r\n'
    '"AE","note","","","","","","","","","",""\r\n'
)


def test_tables_are_read() -> None:
    assert read(ZOTERO_CSV) == [
        (("10.1000/1",), 'T, "one"', 2),
        (("2101.00001",), "T two", 4),
        (("pmid:12345678", "pmc:1234"), "T three", 5),
    ]
    assert left_out(ZOTERO_CSV) == [(7, "it has neither a title nor an identifier")]
    assert titles("PMID;Title;DOI\n1234567;T one;10.1000/1\n") == ["T one"]


RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:z="http://www.zotero.org/namespaces/export#" xmlns:bib="http://purl.org/net/biblio#"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"
 xmlns:prism="http://prismstandard.org/namespaces/1.2/basic/">
 <bib:Article rdf:about="https://example.org/1">
  <z:itemType>journalArticle</z:itemType>
  <dcterms:isPartOf rdf:resource="urn:issn:1234-5678"/>
  <dc:title>T one</dc:title>
 </bib:Article>
 <bib:Journal rdf:about="urn:issn:1234-5678">
  <dc:title>A journal</dc:title><dc:identifier>DOI 10.1000/1</dc:identifier>
 </bib:Journal>
 <bib:Article rdf:about="#item_2">
  <z:itemType>preprint</z:itemType><dc:title>T two</dc:title>
  <dc:identifier><dcterms:URI><rdf:value>http://arxiv.org/abs/2101.00001</rdf:value></dcterms:URI></dc:identifier>
  <dc:description>PMID: 12345678</dc:description>
 </bib:Article>
 <rdf:Description rdf:about="#item_3">
  <dcterms:isPartOf><bib:Journal><dc:identifier>DOI 10.1000/3</dc:identifier></bib:Journal>
  </dcterms:isPartOf>
  <dc:title>T three</dc:title>
 </rdf:Description>
 <z:Attachment rdf:about="#item_4"><dc:title>Full text</dc:title></z:Attachment>
</rdf:RDF>"""


def test_zoteros_rdf_is_read() -> None:
    assert read(RDF) == [
        (("10.1000/1",), "T one", 5),
        (("2101.00001",), "T two", 13),
        (("10.1000/3",), "T three", 18),
    ]
    assert titles(RDF[: RDF.index("T three")]) == ["T one", "T two"]
    assert left_out(RDF[: RDF.index("T three")]) == [(21, "the file breaks off here")]


def test_endnotes_xml_is_read_and_entities_are_refused() -> None:
    xml = (
        '<?xml version="1.0"?><xml><records><record><titles><title><style face="normal">T</style>'
        "<style> one</style></title><secondary-title>J</secondary-title></titles>"
        "<electronic-resource-num>10.1000/1</electronic-resource-num></record></records></xml>"
    )
    assert read(xml) == [(("10.1000/1",), "T one", 1)]
    with pytest.raises(InputError, match="declares XML entities"):
        read('<!DOCTYPE x [<!ENTITY a "b">]><xml><record><title>&a;</title></record></xml>')


def test_formats_in_one_file_are_all_read() -> None:
    data = GOOD + RIS["usual"] + PUBMED + WOS.lstrip("\ufeff") + "%0 Journal Article\n%T Last\n"
    assert titles(data) == [
        "A good one",
        "T one",
        "Inhaled corticosteroids in preschool wheeze: a randomized trial",
        "A translated title",
        "Widgets of the deep sea and their many friends",
        "Second of the widgets",
        "Last",
    ]


def test_a_list_of_ids_is_a_bibliography_without_titles() -> None:
    data = (
        "10.1000/1\narXiv:2101.00001\nhttps://arxiv.org/abs/hep-th/9901001\n\n"
        "PMID: 12345678\n87654321\n"
    )
    assert [(n, line) for n, _, line in read(data)] == [
        (("10.1000/1",), 1),
        (("2101.00001",), 2),
        (("hep-th/9901001",), 3),
        (("pmid:12345678",), 5),
        (("pmid:87654321",), 6),
    ]


BAD = {
    "empty": (b"", "is empty"),
    "blank": (b"\xef\xbb\xbf \r\n\t\n", "is empty"),
    "PDF": (b"%PDF-1.7\n@article{a, title={T}}", "is a PDF file"),
    "ZIP": (b"PK\x03\x04\x14\x00", "is a ZIP archive"),
    "HTML": (b"\n<!DOCTYPE html>\n<html><body>@article{a, title={T}}", "is a web page"),
    "HTML in capitals": (b"<HTML><HEAD>", "is a web page"),
    "image": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is an image"),
    "gzip": (b"\x1f\x8b\x08", "is a compressed file"),
    "Word": (b"\xd0\xcf\x11\xe0\xa1\xb1", "is an Office document"),
    "binary": (bytes(range(256)) * 100, "contains no BibTeX or RIS entry"),
    "prose": (b"Dear reader, here is what I read: many things.", "contains no BibTeX"),
    "one entry without anything": (b"@article{a}", "line 1: it has neither a title nor"),
    "broken JSON": (b'[{"title": "T', "line 1: it is broken JSON"),
    "JSON of another kind": (b'{"a": [1, 2]}', "contains no BibTeX"),
    "deep JSON": (b"[" * 100_000, "contains no BibTeX"),
    "broken XML": (b"<rdf:RDF", "contains no BibTeX"),
    "a table of other things": (b"name,age\nAda,36\n", "contains no BibTeX"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "said"), BAD.values(), ids=BAD.keys())
def test_what_is_no_bibliography_is_refused_in_words(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(data)


def test_too_many_entries_are_refused_in_every_format() -> None:
    for one in (
        "@misc{a, doi={10.1000/%d}}\n",
        "TY  - JOUR\nDO  - 10.1000/%d\nER  - \n",
        "10.1000/%d\n",
    ):
        with pytest.raises(LimitError, match="contains more than 100 entries"):
            read("".join(one % number for number in range(101)))


def test_the_inputs_that_went_wrong_are_read_whole(corpus: Path) -> None:
    counts = {"bibtex-strings-escapes": 8, "bibtex-duplicate-key": 4, "bibtex-latin1": 1}
    counts |= dict.fromkeys(("nbib-pubmed", "wos-tagged", "ris-single-spaces"), 1)
    for path in sorted((corpus / "reported").iterdir()):
        if path.name.startswith(("bibtex", "ris", "nbib", "wos")):
            found = reading.read(path.read_bytes(), most_entries=100)
            assert len(found["references"]) == counts.get(path.stem, 2), path.name
            assert found["left_out"] == []
