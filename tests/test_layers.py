"""A module imports only from lower layers (ARCHITECTURE.md, "Layers")."""

import ast
from pathlib import Path

import pytest

import newsletter

PACKAGE = Path(newsletter.__file__).parent
LAYERS = [
    ["errors"],
    ["config"],
    ["db", "text", "tokens", "encoders"],
    ["identifiers"],
    [
        "models",
        "sources",
        "transports",
        "features",
        "collaboration",
        "candidates",
        "bounces",
        "spf",
    ],
    ["learning", "scoring"],
    ["heldout", "picking", "shares"],
    ["explaining"],
    ["ranking"],
    ["papers", "subscribers", "deliveries", "spaces", "wording", "schedule"],
    ["evidence"],
    ["profiles", "evaluation"],
    ["training"],
    ["digest", "inbound", "feedback"],
    ["mime", "markup", "cards", "letters", "shortening"],
    ["dkim", "fragments"],
    ["messages"],
    ["render", "doctor", "freezing"],
    ["checks", "editions", "mailer", "metrics", "previews", "reports"],
    ["report_page"],
    ["web"],
    ["demo"],
    ["cli", "tasks"],
]
LAYER = {module: number for number, modules in enumerate(LAYERS) for module in modules}
MODULES = sorted(PACKAGE.rglob("*.py"))


def unit_of(path: Path) -> str:
    """The file or folder of the package that ``path`` belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_units(path: Path) -> set[str]:
    units = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = (
                [f"newsletter.{alias.name}" for alias in node.names]
                if node.module == "newsletter"
                else [node.module]
            )
        units |= {name.split(".")[1] for name in names if name.startswith("newsletter.")}
    return units


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_lower_layers(path: Path) -> None:
    unit = unit_of(path)
    if unit in {"__init__", "__main__"}:
        return
    assert unit in LAYER, f"{unit} has no layer: give it one here and in ARCHITECTURE.md"
    wrong = {
        other
        for other in imported_units(path)
        if other != unit and LAYER.get(other, len(LAYERS)) >= LAYER[unit]
    }
    assert not wrong, f"{path.name} (layer {LAYER[unit]}) imports {sorted(wrong)}"


def test_no_relative_imports_hide_a_dependency() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path
