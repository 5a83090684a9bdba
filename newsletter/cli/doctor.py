"""`newsletter doctor`: finds configuration problems and says how to fix them."""

from collections import Counter
from dataclasses import asdict

import typer
from rich.markup import escape

from newsletter.cli.common import JsonOption, print_json
from newsletter.cli.console import out
from newsletter.core.config import load_settings
from newsletter.sending.doctor.findings import Finding, Level
from newsletter.sending.doctor.run import examine

_SIGNS = {
    Level.OK: "[green]ok[/]     ",
    Level.NOTE: "[dim]note[/]   ",
    Level.WARNING: "[yellow]warning[/]",
    Level.PROBLEM: "[bold red]problem[/]",
}


def examine_installation(
    as_json: JsonOption = False,
) -> None:
    """Check files, relay, TLS, DKIM, SPF, DMARC, DNS, pages, clock; say how to fix problems.

    Nothing is sent or changed. Exits with 1 when there is a problem.
    """
    findings = []
    for finding in examine(load_settings()):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    counts = Counter(finding.level for finding in findings)
    if not as_json:
        out.print(f"{counts[Level.PROBLEM]} problems, {counts[Level.WARNING]} warnings")
    if counts[Level.PROBLEM]:
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    out.print(f"{_SIGNS[finding.level]} {finding.check:<9} {escape(finding.what)}")
    if finding.fix:
        out.print(f"                  → {escape(finding.fix)}")
