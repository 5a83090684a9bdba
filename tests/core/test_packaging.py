"""The wheel carries what runs: templates, migrations and sample data, in any folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    [path] = folder.glob("*.whl")
    return path


def test_templates_migrations_and_sample_data_travel_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, bundled in (
        ("templates", "newsletter/_bundled/templates"),
        ("alembic", "newsletter/_bundled/alembic"),
        ("newsletter/demo/sample", "newsletter/demo/sample"),
    ):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"{bundled}/{path.relative_to(ROOT / folder)}" in names


def test_an_installed_wheel_does_the_main_job_away_from_the_checkout(
    wheel: Path, tmp_path: Path
) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    code = (
        "import newsletter, pathlib; "
        f"assert pathlib.Path(newsletter.__file__).is_relative_to({str(tmp_path)!r}); "
        "from newsletter.cli import main; main()"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("NEWSLETTER_")}
    done = subprocess.run(
        [sys.executable, "-c", code, "demo", "--once", "--output", "out"],
        cwd=tmp_path,
        env=clean | {"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").glob("*.eml"))) == 6
