"""LaTeX: parsed to a tree, then printed; `newsletter.core.text` calls it.

The parts that need the table of macros are imported when the first LaTeX comes.
"""

# Stands where something was left out, so that brackets and spaces around it can go too.
GAP = "\uf8f0"
# Stand for signs of formulas and of code that no typographer shall touch.
KEPT = str.maketrans("-'`\"", "\uf8f1\uf8f2\uf8f3\uf8f4")
PUT_BACK = str.maketrans("\uf8f1\uf8f2\uf8f3\uf8f4", "-'`\"")


def words(text: str) -> frozenset[str]:
    """The words of a table."""
    return frozenset(text.split())
