"""The threat model names a test for each attack; each of them is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "explanation" / "threat-model.md"


def test_each_attack_has_a_test_that_exists() -> None:
    rows = PAGE.read_text().split("## What holds them")[1].split("## ")[0].splitlines()
    lines = [row for row in rows if row.startswith("| ") and not row.startswith("| attack")]
    assert len(lines) > 20
    for line in lines:
        found = re.search(r"`(tests/[\w/]+\.py)::(\w+)` \|$", line)
        assert found, line
        assert f"def {found[2]}(" in (ROOT / found[1]).read_text(), line
