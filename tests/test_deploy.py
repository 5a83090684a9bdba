"""The systemd units: readable by systemd, and together they lose no mail."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from newsletter.cli import COMMANDS

DEPLOY = Path(__file__).parent.parent / "deploy"
UNITS = sorted(path.name for path in DEPLOY.iterdir() if path.suffix in {".service", ".timer"})


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units beside each other, with a program that is there."""
    folder = tmp_path_factory.mktemp("units")
    for name in UNITS:
        text = (DEPLOY / name).read_text(encoding="utf-8")
        (folder / name).write_text(
            text.replace("/opt/newsletter/.venv/bin/newsletter", sys.executable)
        )
    return folder


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs Debian's package systemd")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_no_fault_with_a_unit(installed: Path, name: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(installed / name)],
        capture_output=True,
        text=True,
        check=False,
        env={"SYSTEMD_UNIT_PATH": f"{installed}:", "PATH": "/usr/bin:/bin"},
    )
    complaints = [line for line in done.stderr.splitlines() if "newsletter" in line]
    assert (done.returncode, complaints) == (0, [])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs Debian's package systemd")
@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_a_unit_is_exposed_to_little(name: str) -> None:
    done = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=yes",
            "--no-pager",
            "--threshold=30",
            DEPLOY / name,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Overall exposure level" in done.stdout) == (0, True), done.stdout[
        -300:
    ]


@pytest.mark.parametrize(
    "name", [name for name in UNITS if name.endswith(".service") and "failed" not in name]
)
def test_a_unit_that_fails_tells_the_operator(name: str) -> None:
    assert "OnFailure=newsletter-failed@%n.service\n" in (DEPLOY / name).read_text("utf-8")


def test_every_command_of_the_units_is_one_of_ours() -> None:
    text = "".join((DEPLOY / name).read_text(encoding="utf-8") for name in UNITS)
    used = set(re.findall(r"bin/newsletter (\w+)", text))
    assert {"ingest", "train", "send", "serve", "db"} <= used <= set(COMMANDS)


def test_mail_leaves_by_the_due_timer_only_and_the_readme_says_so() -> None:
    sending = [name for name in UNITS if "newsletter send" in (DEPLOY / name).read_text("utf-8")]
    assert sending == ["newsletter-due.service"]
    assert "newsletter send --due\n" in (DEPLOY / sending[0]).read_text("utf-8")
    readme = (DEPLOY / "README.md").read_text("utf-8")
    for name in UNITS:
        assert name in readme or name.replace(".service", ".timer") in readme, name


@pytest.mark.parametrize("name", ["compose.yaml", "compose.sqlite.yaml"])
def test_a_compose_file_runs_commands_of_ours_without_privileges(name: str) -> None:
    services = yaml.safe_load((DEPLOY / name).read_text("utf-8"))["services"]
    ours = {key: service for key, service in services.items() if key != "postgres"}
    assert {"serve"} < set(ours)
    for service in ours.values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        words = " ".join(service.get("command", ["serve"]))
        named = re.findall(r"newsletter (\w+)", words) or [words.split()[0]]
        assert set(named) <= set(COMMANDS), named
    assert "\nUSER newsletter\n" in (DEPLOY / "Containerfile").read_text("utf-8")
