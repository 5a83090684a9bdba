"""Imports go one way: between the rooms, and inside each of them (ARCHITECTURE.md, "The house")."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import newsletter

PACKAGE = Path(newsletter.__file__).parent
# A room imports only from rooms further up; those on one line know nothing of each other.
ROOMS = [
    ["core"],
    ["sources", "ranking", "subscribers", "messages"],
    ["papers", "sending"],
    ["inbound"],
    ["editions"],
    ["web"],
    ["demo", "cluster"],
    ["cli"],
]
# The same inside the rooms whose order matters most.
INSIDE = {
    "core": [
        ["addresses", "batches", "errors", "formula", "language", "one_line", "secrets"],
        ["setting_checks"],
        ["optional_settings"],
        ["latex"],
        ["markup"],
        ["text"],
        ["config", "identifiers", "tokens"],
        ["database"],
        ["models"],
        ["operator_sessions"],
    ],
    "sending": [["ledger", "transports"], ["doctor", "mailer", "metrics"]],
    "sending/ledger": [["states"], ["counts", "leases", "rates"], ["attempts"]],
    "inbound": [
        ["bounces", "unmatched"],
        ["bounce_score", "files", "history", "matching", "providers"],
        ["apply"],
        ["imap", "lmtp"],
    ],
}
FILES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in FILES})


def dotted(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


MODULES = {dotted(path) for path in FILES}


def imported(path: Path) -> set[tuple[str, ...]]:
    """Every module of the package that ``path`` imports, wherever the statement stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            module = tuple(node.module.split("."))
            names = {(*module, alias.name) for alias in node.names}
            found |= {name if name in MODULES else module for name in names}
    return {name for name in found if name[0] == PACKAGE.name and len(name) > 1}


def neighbours(folder: Path) -> dict[str, set[str]]:
    """For each file or folder in ``folder``: those beside it that it imports."""
    base = dotted(folder / "__init__.py")
    graph: dict[str, set[str]] = {}
    for path in FILES:
        name = dotted(path)
        if len(name) <= len(base) or name[: len(base)] != base:
            continue
        own = name[len(base)]
        others = {other[len(base)] for other in imported(path) if beside(other, base)}
        graph.setdefault(own, set()).update(others - {own})
    return graph


def beside(name: tuple[str, ...], base: tuple[str, ...]) -> bool:
    return len(name) > len(base) and name[: len(base)] == base


def wrong_ways(graph: dict[str, set[str]], layers: list[list[str]]) -> list[str]:
    level = {name: number for number, names in enumerate(layers) for name in names}
    return [
        f"{name} imports {other}"
        for name, others in sorted(graph.items())
        for other in sorted(others)
        if name in level and level.get(other, len(layers)) >= level[name]
    ]


def test_the_package_holds_these_rooms_and_nothing_else() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert rooms == {room for line in ROOMS for room in line}
    loose = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert loose == {"__init__.py", "__main__.py", "py.typed"}


def test_a_room_imports_only_from_rooms_above_it() -> None:
    assert wrong_ways(neighbours(PACKAGE), ROOMS) == []


@pytest.mark.parametrize("folder", INSIDE)
def test_inside_a_room_imports_go_one_way_too(folder: str) -> None:
    graph = neighbours(PACKAGE / folder)
    named = {name for line in INSIDE[folder] for name in line}
    assert named <= set(graph), f"not there any more: {sorted(named - set(graph))}"
    assert wrong_ways(graph, INSIDE[folder]) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(PACKAGE.parent)))
def test_no_files_in_a_folder_import_each_other_in_a_circle(folder: Path) -> None:
    try:
        TopologicalSorter(neighbours(folder)).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_relative_imports_hide_a_dependency() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_no_two_test_files_share_a_name() -> None:
    # Their folders are no packages: the second of one name would not be loaded.
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
