"""The documents keep their promises: every setting, command and file they name exists."""

import re
import tomllib
from pathlib import Path

import pytest

from newsletter import __version__
from newsletter.cli import COMMANDS, first_paragraph, load
from newsletter.core.config import Settings, variable_name

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_readme_with_what_it_means(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description
    assert f"| `{variable_name(name)}` | {description}" in README


def test_the_readme_names_no_setting_that_does_not_exist() -> None:
    named = set(re.findall(r"NEWSLETTER_[A-Z0-9_]+[A-Z0-9]", README))
    known = {variable_name(name) for name in Settings.model_fields}
    assert named - known <= {"NEWSLETTER_TEST_CORPUS", "NEWSLETTER_HOSTILE_EXAMPLES"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    assert f"newsletter {name}" in README, f"README.md does not tell of `newsletter {name}`"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_the_command_says_of_itself(name: str) -> None:
    assert COMMANDS[name].help == first_paragraph(load(name).help)


def test_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert __version__ == project["version"]


def test_every_make_target_that_the_documents_name_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for document in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        for target in re.findall(r"(?:`|    )make ([a-z-]+)", text):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{document}: make {target}"


def test_the_example_environment_sets_only_settings_that_exist() -> None:
    example = (ROOT / "deploy/newsletter.env.example").read_text(encoding="utf-8")
    known = {variable_name(name) for name in Settings.model_fields}
    assert set(re.findall(r"^(NEWSLETTER_\w+)=", example, re.MULTILINE)) <= known


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")), ids=lambda path: path.name)
def test_every_link_in_a_document_leads_to_a_file(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), f"{document.name}: {target}"
