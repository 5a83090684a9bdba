"""The systemd units: readable by systemd, and together they lose no mail."""

import json
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from newsletter.cli import COMMANDS, load

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


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs Debian's package systemd")
def test_units_of_a_second_list_share_nothing_with_the_first(tmp_path: Path) -> None:
    """The commands of the page, in a folder with the units."""
    for name in UNITS:
        shutil.copy(DEPLOY / name, tmp_path)
    page = (DEPLOY.parent / "docs/how-to/several-lists.md").read_text("utf-8")
    code = textwrap.dedent(page[page.index("        for unit") : page.index("        systemctl")])
    subprocess.run(["sh", "-euc", code], cwd=tmp_path, check=True)
    made = {path.name: path.read_text("utf-8") for path in tmp_path.glob("newsletter-bio-*")}
    assert len(made) == 5
    for text in made.values():
        ours = text.replace("OnFailure=newsletter-failed@%n.service", "")
        assert "newsletter.env" not in ours
        assert not re.search(r"/var/lib/newsletter\b(?!-bio)|port 8000|newsletter-daily", ours)
        assert "StateDirectory=newsletter\n" not in ours
    for path in tmp_path.iterdir():
        text = path.read_text("utf-8").replace("/opt/newsletter/.venv/bin/newsletter", "/bin/true")
        path.write_text(text, "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in made)],
        capture_output=True,
        text=True,
        check=False,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, [x for x in done.stderr.splitlines() if "newsletter" in x]) == (0, [])


def test_the_image_is_built_from_what_is_there() -> None:
    root = DEPLOY.parent
    lines = (DEPLOY / "Containerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    for words in (line.split() for line in lines if line.startswith("COPY ")):
        if not words[1].startswith("--from"):
            assert all((root / source).exists() for source in words[1:-1]), words
    [extras] = re.findall(r"pip install --no-cache-dir '\.\[(\w+)\]'", "\n".join(lines))
    assert extras in project["optional-dependencies"]
    assert "--hash=sha256:" in (root / "requirements.txt").read_text("utf-8")
    [entry] = [
        json.loads(line.removeprefix("ENTRYPOINT ")) for line in lines if "ENTRYPOINT" in line
    ]
    assert entry[0] in project["scripts"]
    [command] = [json.loads(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD")]
    load(command[0]).make_context(command[0], command[1:])
    [python] = {re.sub(r"\D*([\d.]+)-slim.*", r"\1", line) for line in lines if "FROM" in line}
    assert tuple(map(int, python.split("."))) >= (3, 11)
    [port] = re.findall(r"^EXPOSE (\d+)$", "\n".join(lines), re.MULTILINE)
    assert f"127.0.0.1:{port}/healthz" in "\n".join(lines)
    assert command[-1] == port
    ignored = (root / ".dockerignore").read_text("utf-8").split()
    assert {".git", ".venv", "newsletter.toml", "**/*.db", "**/*.env", "**/*.pem"} <= set(ignored)


# Of the Compose Specification, what these files use.
SERVICE_KEYS = {
    *("build", "cap_drop", "command", "depends_on", "entrypoint", "env_file", "environment"),
    *("healthcheck", "image", "pid", "ports", "read_only", "restart", "security_opt"),
    *("stop_grace_period", "tmpfs", "volumes"),
}


@pytest.mark.parametrize("name", ["compose.yaml", "compose.sqlite.yaml"])
def test_a_compose_file_has_the_form_of_one(name: str) -> None:
    file = yaml.safe_load((DEPLOY / name).read_text("utf-8"))
    assert {key for key in file if not key.startswith("x-")} == {"services", "volumes"}
    for key, service in file["services"].items():
        assert set(service) <= SERVICE_KEYS, key
        for needed, how in service.get("depends_on", {}).items():
            there = file["services"][needed]
            assert how["condition"] in {"service_healthy", "service_completed_successfully"}
            is_healthy = not there.get("healthcheck", {}).get("disable", False)
            assert is_healthy or how["condition"] == "service_completed_successfully", key
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in file["volumes"]
        if pid := service.get("pid"):
            assert pid.removeprefix("service:") in file["services"]
        for context in filter(None, [service.get("build", {}).get("context")]):
            assert (DEPLOY / context / service["build"]["dockerfile"]).exists()


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
