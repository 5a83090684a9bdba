"""Cells of CSV files that are text in every spreadsheet."""

# A cell that starts so is a formula to a spreadsheet; an apostrophe in front makes it text.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def harmless_cell(cell: str) -> str:
    """A name such as =HYPERLINK(...) must stay text when an operator opens the file."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
