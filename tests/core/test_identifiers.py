"""DOIs in the forms that publishers, catalogues and addresses give them."""

import pytest

from newsletter.core.identifiers import canonical_doi, doi_in_address, pubmed_name, without_version

SICI = "10.1175/1520-0477(1996)077<0935:wotwsm>2.0.co;2"


@pytest.mark.parametrize(
    ("address", "doi"),
    [
        ("https://www.frontiersin.org/articles/10.3389/fpsyg.2026.00001/full", "10.3389/fpsyg.2026.00001"),
        ("https://onlinelibrary.wiley.com/doi/10.1002/anie.202600001?af=R", "10.1002/anie.202600001"),
        ("https://www.biorxiv.org/content/10.1101/2026.01.01.123456v3.full.pdf+html", "10.1101/2026.01.01.123456"),
        ("https://www.cambridge.org/core/product/identifier/10.1017/S1/type/journal_article", "10.1017/s1"),
        ("http://onlinelibrary.wiley.com/doi/10.1046/j.1095-8339.2003.t01-1-00158.x/abstract", "10.1046/j.1095-8339.2003.t01-1-00158.x"),
        ("https://iopscience.iop.org/article/10.1088/1742-6596/1/1/012001/meta", "10.1088/1742-6596/1/1/012001"),
        ("https://www.biorxiv.org/content/10.1101/2026.01.01.123456v1?rss=1", "10.1101/2026.01.01.123456"),
        ("https://www.biorxiv.org/content/10.64898/2026.01.01.123456v2.full.pdf", "10.64898/2026.01.01.123456"),
        ("https://www.medrxiv.org/content/10.1101/20123456v3.full-text#F1", "10.1101/20123456"),
        ("https://pubs.acs.org/doi/pdf/10.1021/acs.x.6c0001.pdf", "10.1021/acs.x.6c0001"),
        ("https://doi.org/10.1002%2Fanie.202600002", "10.1002/anie.202600002"),
        ("https://x.org/go?to=https%253A%252F%252Fdoi.org%252F10.1000%252Fab", "10.1000/ab"),
        ("https://doi.org/10.1175/1520-0477(1996)077%3C0935:WOTWSM%3E2.0.CO;2", SICI),
        ("https://journals.plos.org/plosone/article?id=10.1371/journal.pone.0000001&rev=2", "10.1371/journal.pone.0000001"),
        ("https://x.org/doi/10.1000/abc;jsessionid=1234?x=1", "10.1000/abc"),
        ("https://x.org/doi/10.1000/abd&utm_source=rss", "10.1000/abd"),
        ("https://www.cell.com/doi/10.1016/j.cell.2026.01.001/fulltext", "10.1016/j.cell.2026.01.001"),
        ("https://academic.oup.com/bib/advance-article/doi/10.1093/bib/btz123/5359012", "10.1093/bib/btz123"),
        ("https://link.springer.com/content/pdf/10.1007/s00222-026-0001-1.pdf", "10.1007/s00222-026-0001-1"),
        ("https://link.springer.com/article/10.1007/s1-2/fulltext.html", "10.1007/s1-2"),
        ("https://www.nature.com/articles/s41929-026-01535-6.pdf", "10.1038/s41929-026-01535-6"),
        ("https://www.tandfonline.com/doi/full/10.1080/1.2?needAccess=true#abstract", "10.1080/1.2"),
        ("https://example.org/articles/12", None),
    ],
)  # fmt: skip
def test_the_doi_in_an_address_is_found_without_what_follows_it(
    address: str, doi: str | None
) -> None:
    assert doi_in_address(address) == doi


@pytest.mark.parametrize(
    ("stated", "doi"),
    [
        ("doi:10.1103/PhysRevLett.130.010001", "10.1103/physrevlett.130.010001"),
        ("DOI: 10.1000/X.Y.", "10.1000/x.y"),
        ("info:doi/10.1000/x", "10.1000/x"),
        ("https://dx.doi.org/10.1000/a%2Fb", "10.1000/a/b"),
        ("10.1101/2026.11.01.123456v1", "10.1101/2026.11.01.123456"),
        ("10.1101/gr.123456.106", "10.1101/gr.123456.106"),
        ("10.1175/1520-0477(1996)077&lt;0935:WOTWSM&gt;2.0.CO;2", SICI),
        ("10.1002/(SICI)1097-0258(19980815/30)17:15/16<1661::AID-SIM968>3.0.CO;2-2", "10.1002/(sici)1097-0258(19980815/30)17:15/16<1661::aid-sim968>3.0.co;2-2"),
        ("(10.1000/x(1))", "10.1000/x(1)"),
        ("10.21203/rs.3.rs-123/v2", "10.21203/rs.3.rs-123/v2"),
        ("10.1000/", None),
        ("11.1000/x", None),
        ("10.1000/full text", None),
    ],
)  # fmt: skip
def test_a_stated_doi_has_one_form(stated: str, doi: str | None) -> None:
    assert canonical_doi(stated) == doi
    assert doi is None or canonical_doi(doi) == doi


def test_versions_of_a_preprint_have_one_name() -> None:
    assert without_version("10.21203/rs.3.rs-123/v2") == "10.21203/rs.3.rs-123"
    assert without_version("10.20944/preprints202401.0001.v1") == "10.20944/preprints202401.0001"
    assert without_version("10.26434/chemrxiv-2024-ab12c-v3") == "10.26434/chemrxiv-2024-ab12c"
    assert without_version("10.7554/elife.12345.2") == "10.7554/elife.12345"
    assert without_version("10.12688/wellcomeopenres.123.2") == "10.12688/wellcomeopenres.123"
    for whole in (
        "10.7554/elife.12345",
        "10.12688/wellcomeopenres.123",
        "10.1000/v2",
        "10.1016/j.cell.2026.01.001",
    ):
        assert without_version(whole) == whole


@pytest.mark.parametrize(
    "value",
    [
        "38000001", "PMID: 38000001", "pmid:38000001", "PMID38000001", " 038000001 ",
        "https://pubmed.ncbi.nlm.nih.gov/38000001/", "www.ncbi.nlm.nih.gov/pubmed/38000001",
    ],
)  # fmt: skip
def test_pubmeds_numbers_have_one_name(value: str) -> None:
    assert pubmed_name(value) == "pmid:38000001"


@pytest.mark.parametrize("value", ["", "0", "3800000123", "PMC38", "12 34", "٣٨", "10.1000/1"])
def test_other_numbers_are_none_of_pubmeds(value: str) -> None:
    assert pubmed_name(value) is None
