"""The documents keep their promises: every setting, command and file they name exists."""

import hmac
import json
import re
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from pydantic import SecretStr

from newsletter import __version__
from newsletter.cli import COMMANDS, first_paragraph, load
from newsletter.core.config import Settings, variable_name
from newsletter.core.errors import TokenError
from newsletter.inbound.providers.base import WebhookRequest

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


DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def code_of(guide: str) -> list[str]:
    """The Python blocks of a how-to guide."""
    text = (DOCS / "how-to" / guide).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def module(monkeypatch: pytest.MonkeyPatch, name: str, code: str) -> ModuleType:
    """``code`` as the module ``name``, for as long as the test lasts."""
    made = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, made)
    exec(compile(code, name, "exec"), made.__dict__)
    return made


@pytest.fixture(scope="module")
def site() -> ModuleType:
    spec = spec_from_file_location("docs_site", ROOT / "scripts/docs_site.py")
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_reference_has_every_command_with_its_options(site: ModuleType) -> None:
    page = site.commands_page()
    for name in COMMANDS:
        assert f"## `newsletter {name}" in page
    sending = page.partition("## `newsletter send`")[2].partition("\n## ")[0]
    for option in ("--dry-run", "--only", "--limit", "--rate", "--watch", "--due", "--force"):
        assert f"`{option}" in sending


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_reference_has_every_setting(site: ModuleType, name: str) -> None:
    assert f"| `{variable_name(name)}` |" in site.settings_page()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_every_link_of_the_site_leads_to_a_page(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        found = (page.parent / target).resolve()
        assert found.exists(), f"{page.name}: {target}"


def test_on_the_site_a_link_to_the_repository_becomes_a_page_or_a_name(site: ModuleType) -> None:
    where = {
        "page": SimpleNamespace(file=SimpleNamespace(src_uri="how-to/upgrade.md")),
        "config": SimpleNamespace(docs_dir=str(DOCS)),
        "files": None,
    }
    here = "[commands](../../README.md#commands), [log](../../CHANGELOG.md), [size](../index.md)."
    assert site.on_page_markdown(here, **where) == (
        "[commands](../reference/commands.md), log (`CHANGELOG.md` in the repository), "
        "[size](../index.md)."
    )


@pytest.mark.parametrize("page", [ROOT / "ARCHITECTURE.md", *PAGES], ids=lambda path: path.name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    room = ROOT / "newsletter" / page.stem
    for name in re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", page.read_text(encoding="utf-8")):
        places = (ROOT, ROOT / "newsletter", room, ROOT / "newsletter/sources")
        assert any((place / name).exists() for place in places) or "example" in name, name


def test_every_bulk_mail_rule_that_is_cited_exists() -> None:
    rules = (DOCS / "reference/bulk-mail-rules.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^\| (\d+) \|", rules, re.MULTILINE))
    cited = set()
    for path in (*(ROOT / "newsletter").rglob("*.py"), *(ROOT / "tests").rglob("*.py")):
        for found in re.findall(
            r"bulk-mail rules? ((?:\d+(?:, | and | to | or )?)+)", path.read_text(encoding="utf-8")
        ):
            cited |= set(re.findall(r"\d+", found))
    assert len(cited) > 10
    assert cited <= known


def test_the_guide_to_a_source_works(monkeypatch: pytest.MonkeyPatch) -> None:
    source, tests = code_of("add-a-source.md")
    module(monkeypatch, "newsletter.sources.example", source)
    made = module(monkeypatch, "guide_to_a_source", tests)
    checks = [value for name, value in vars(made).items() if name.startswith("test_")]
    assert len(checks) == 2
    for check in checks:
        check()


def test_the_guide_to_a_webhook_works(monkeypatch: pytest.MonkeyPatch) -> None:
    [code] = code_of("add-a-provider-webhook.md")
    made = module(monkeypatch, "newsletter.inbound.providers.example", code)
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    read = made.reader(SimpleNamespace(example_webhook_key=SecretStr("a key")))
    assert made.reader(SimpleNamespace(example_webhook_key=None)) is None

    def request(
        event: dict[str, str], signed_at: datetime = now, key: bytes = b"a key"
    ) -> WebhookRequest:
        body, time = json.dumps(event).encode(), str(int(signed_at.timestamp()))
        signature = hmac.new(key, time.encode() + body, sha256).hexdigest()
        return WebhookRequest(body, {"x-example-time": time, "x-example-signature": signature}, now)

    told = {"id": "1", "address": "ada@reader.example", "reply": "550 5.1.1 no such user"}
    [bounced] = read(request(told | {"event": "bounced"}))
    assert bounced.outcome.recipients[0].is_dead
    [deferred] = read(request(told | {"event": "deferred", "reply": "421 later"}))
    assert not deferred.outcome.recipients[0].is_dead
    assert read(request(told | {"event": "opened"})) == []
    for forged in (request(told, key=b"a guess"), request(told, now - timedelta(days=2))):
        with pytest.raises(TokenError):
            read(forged)
