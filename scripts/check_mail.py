"""Every kind of mail through the checkers; `scripts/check-mail` sets them up and runs this."""

import email
import email.policy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from newsletter.core import database
from newsletter.core.database import utc_now
from newsletter.messages.envelope import Envelope
from newsletter.messages.renderer import Renderer
from tests.support import digests as mails
from tests.support import dns_server, operators

TOOLS = Path(".venv/mail-checks")
PICTURES = Path("artefacts/mail")
WIDTHS = (320, 375, 700)
SCHEMES = ("light", "dark")
HOSTILE = 10_000
RELAY, HOST = "5.9.9.9", "mx.digest.example.org"
# SpamAssassin: 5.0 is spam; the promise is a tenth of that, and no rule that alone is as bad.
MOST_SPAM = 0.5
ZONE: dict[tuple[str, str], list[str]] = {
    ("digest.example.org", "TXT"): ["v=spf1 ip4:5.9.9.9 -all"],
    ("_dmarc.digest.example.org", "TXT"): ["v=DMARC1; p=reject"],
    ("digest.example.org", "MX"): [f"10 {HOST}."],
    ("digest.example.org", "A"): [RELAY],
    ("papers.example.org", "A"): [RELAY],
    (HOST, "A"): [RELAY],
    ("9.9.9.5.in-addr.arpa", "PTR"): [f"{HOST}."],
}
# What some client of the four families lacks, and why nothing is lost there.
HARMLESS = {
    "@media": "light colours at one width are complete without it",
    "Chaining selectors": "only in the dark version and for pointers",
    "Class selector": "every style that matters is inline",
    "Descendant combinator": "only in the dark version",
    "Type selector": "only in the dark version and in resets",
    ":hover": "a nicety for pointers",
    "ID selector": "a reset for one client",
    "outline": "a reset for pictures, of which there are none",
    "<body> element": "replaced by a <div>; the page colour stands on the wrapper too",
    "word-spacing": "set to normal",
    "display:none": "the preheader is also of no size and no height",
    "opacity": "the preheader is also of no size and no height",
    "overflow": "the preheader is also of no size and no height",
    "aria-label attribute": "the links' own texts say what they do",
    "role attribute": "readers that know no roles read tables as they always did",
    "word-break": "long words are cut at the edge of very narrow windows",
    "border-radius": "corners are square",
    "target attribute": "the client decides where a link opens",
}

failures: list[str] = []


def report(check: str, problems: list[str], fine: str) -> None:
    """One line when all is well; else one for each problem."""
    print(f"{'FAILED' if problems else 'ok':<7}{check:<14}{fine if not problems else ''}")
    for problem in problems:
        print(f"       {problem}")
    failures.extend(problems)


def not_run(check: str, why: str) -> None:
    """Say so; under CI it is a failure."""
    print(f"{'NOT RUN':<8}{check:<13}{why}")
    if os.environ.get("CI") == "true":
        failures.append(f"{check} was not run")


def make_mails(folder: Path) -> dict[str, Envelope]:
    """All kinds, as files NAME.eml and NAME.html in ``folder``; the first has one hop behind it."""
    renderer = Renderer(mails.signing_settings(folder), mails.signer())
    made = {kind: make(renderer) for kind, make in mails.KINDS.items()}
    received = format_datetime(mails.CREATED + timedelta(seconds=20))
    for kind, envelope in made.items():
        hop = (
            f"Return-Path: <{envelope.sender}>\r\n"
            f"Received: from {HOST} ({HOST} [{RELAY}])\r\n"
            "\tby mx.reader.example (Postfix) with ESMTPS id 4XyZ12\r\n"
            f"\tfor <{envelope.recipient}>; {received}\r\n"
        )
        (folder / f"{kind}.eml").write_bytes(hop.encode() + envelope.data)
    return made


def check_spam(folder: Path, port: int) -> None:
    """SpamAssassin with network tests, which ask our name server only."""
    program = shutil.which("spamassassin")
    if not program:
        return not_run("SpamAssassin", "the program is not installed")
    options = [
        f"dns_server 127.0.0.1:{port}",
        "dns_available yes",
        "use_bayes 0",
        "add_header all Scores _TESTSSCORES(,)_",
        # Our zone knows no lists; asking it anyway would only be answered with "no such name".
        "skip_rbl_checks 1",
        "skip_uribl_checks 1",
    ]
    for kind in mails.KINDS:
        command = [program, "--test-mode", *(f"--cf={option}" for option in options)]
        message = (folder / f"{kind}.eml").read_bytes()
        done = subprocess.run(command, input=message, capture_output=True, check=True, timeout=300)
        head = re.sub(r"\r?\n[ \t]+", " ", done.stdout.decode(errors="replace")[:20_000])
        [score] = re.findall(r"^X-Spam-Status: .*?score=(-?[\d.]+)", head, re.MULTILINE)
        [scores] = re.findall(r"^X-Spam-Scores: (\S.*)$", head, re.MULTILINE)
        rules = {
            name: float(value)
            for name, value in re.findall(r"(\w+)=(-?[\d.]+)", scores.replace(" ", ""))
        }
        problems = [f"{kind}: {name} {value}" for name, value in rules.items() if value > MOST_SPAM]
        if float(score) > MOST_SPAM:
            problems.append(f"{kind}: score {score}")
        problems += [
            f"{kind}: {name} is missing"
            for name in ("DKIM_VALID", "DKIM_VALID_AU", "SPF_PASS")
            if name not in rules
        ]
        said = ", ".join(f"{name} {value:g}" for name, value in rules.items())
        report("SpamAssassin", problems, f"{kind}: {score} ({said})")
    return None


def run_tool(name: str, *arguments: str) -> dict[str, Any] | None:
    """What a checker from npm printed; None when it cannot be run."""
    node = shutil.which("node")
    if not node or not (TOOLS / ".installed").exists():
        not_run(name, "node or its packages are not installed")
        return None
    done = subprocess.run(
        [node, str(TOOLS / name), *arguments], capture_output=True, check=False, timeout=300
    )
    if done.returncode:
        not_run(name, done.stderr.decode()[-300:])
        return None
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def check_authentication(folder: Path, made: Mapping[str, Envelope]) -> None:
    """mailauth's verdicts, and what mailparser reads."""
    zone: dict[str, Any] = {f"{name} {kind}": data for (name, kind), data in ZONE.items()}
    zone |= {f"{name} TXT": [text] for name, text in mails.dns_records().items()}
    zone["sender"] = {"ip": RELAY, "helo": HOST, "envelope": made["digest"].sender}
    (folder / "zone.json").write_text(json.dumps(zone))
    files = [str(folder / f"{kind}.eml") for kind in made]
    results = run_tool("verify.mjs", str(folder / "zone.json"), *files)
    if results is None:
        return
    wanted = [f"pass {name} digest.example.org" for name in ("rsa-sha256", "ed25519-sha256")]
    problems = []
    for file, found in results.items():
        if found["dkim"] != wanted or (found["spf"], found["dmarc"]) != ("pass", "pass"):
            problems.append(f"{file}: {found['dkim']}, SPF {found['spf']}, DMARC {found['dmarc']}")
        if sorted(found["links"]["html"]) != sorted(found["links"]["text"]):
            problems.append(f"{file}: mailparser reads other links in HTML than in text")
        if not (found["unsubscribe"] or {}).get("url", "").startswith("https://papers"):
            problems.append(f"{file}: mailparser reads {found['unsubscribe']} to unsubscribe")
    report("mailauth", problems, f"{len(results)} mails: both signatures, SPF and DMARC pass")


def check_markup(folder: Path) -> None:
    """doiuse-email and html-validate."""
    results = run_tool("lint.mjs", *(str(folder / f"{kind}.html") for kind in mails.KINDS))
    if results is None:
        return
    lacking = {name for found in results.values() for name in found["unsupported"]}
    lost = sorted(lacking - set(HARMLESS))
    report(
        "doiuse-email",
        [f"{name} is lacking somewhere, and not known to be harmless" for name in lost],
        f"{len(lacking)} features lack somewhere, none that changes meaning",
    )
    for name in sorted(lacking):
        print(f"       {name}: {HARMLESS.get(name, '?')}")
    invalid = [f"{file} {line}" for file, found in results.items() for line in found["invalid"]]
    report("html-validate", invalid, f"{len(results)} pages are valid")


def check_operator_pages(folder: Path) -> None:
    """html-validate on the operator's pages, behind a session."""
    today = utc_now().date()
    engine = database.connect(f"sqlite:///{folder / 'operator.db'}")
    database.upgrade(engine)
    with database.session_scope(engine) as session:
        operators.fill_every_page(session, today)
    files = []
    with operators.operating(engine) as client:
        for number, path in enumerate(operators.pages_of(today)):
            file = folder / f"operator-{number:02}{path.partition('?')[0].replace('/', '-')}.html"
            file.write_text(client.get(f"/operator{path}").text)
            files.append(str(file))
    engine.dispose()
    results = run_tool("lint.mjs", *files)
    if results is None:
        return
    invalid = [f"{file} {line}" for file, found in results.items() for line in found["invalid"]]
    report("html-validate, operator", invalid, f"{len(results)} pages are valid")


def check_pages(folder: Path) -> None:
    """axe-core at every width and scheme, and a picture of each."""
    chromium = shutil.which("chromium")
    axe = TOOLS / "node_modules/axe-core/axe.min.js"
    if not chromium:
        return not_run("axe-core", "chromium is not installed")
    PICTURES.mkdir(parents=True, exist_ok=True)
    problems = []
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        for kind in mails.KINDS:
            for scheme in SCHEMES:
                page = browser.new_page(color_scheme=scheme)
                page.goto((folder / f"{kind}.html").resolve().as_uri())
                for width in WIDTHS:
                    page.set_viewport_size({"width": width, "height": 900})
                    page.screenshot(path=PICTURES / f"{kind}-{width}-{scheme}.png", full_page=True)
                    wide = page.evaluate("document.documentElement.scrollWidth")
                    if wide > width:
                        problems.append(f"{kind}: {wide} pixels wide in a window of {width}")
                    if axe.exists():
                        where = f"{kind} {width} {scheme}"
                        problems += [f"{where}: {line}" for line in run_axe(page, axe)]
                page.close()
        browser.close()
    if not axe.exists():
        not_run("axe-core", "it is not installed")
    count = len(mails.KINDS) * len(WIDTHS) * len(SCHEMES)
    report("axe-core", problems, f"{count} pages without a violation; pictures in {PICTURES}")
    return None


def run_axe(page: Page, axe: Path) -> list[str]:
    """Violations, one line each."""
    page.add_script_tag(path=axe)
    found = page.evaluate("axe.run()")
    return [
        f"{item['id']}: {item['help']} ({node['html'][:100]})"
        for item in found["violations"]
        for node in item["nodes"][:2]
    ]


def check_hostile() -> None:
    """The property tests, in their long form."""
    per_test = HOSTILE // 2
    environment = os.environ | {"NEWSLETTER_HOSTILE_EXAMPLES": str(per_test)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/messages/test_hostile_messages.py",
        "-p",
        "no:logging",
    ]
    done = subprocess.run(
        [*command, "-n", "2", "--timeout", "3000"],
        env=environment,
        capture_output=True,
        check=False,
    )
    lines = done.stdout.decode().strip().splitlines()
    problems = [line for line in lines if line.startswith("FAILED")] if done.returncode else []
    if done.returncode and not problems:
        problems = lines[-1:]
    report("hostile mails", problems, f"{HOSTILE} sent or refused, none read as anything else")


def html_of(envelope: Envelope) -> str:
    """The HTML part, decoded."""
    message = email.message_from_bytes(envelope.data, policy=email.policy.default)
    part = message.get_body(("html",))
    return part.get_content() if part else ""


def main() -> int:
    """Run all checks, or those named; 1 when one found something."""
    checks: dict[str, Callable[[], None]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = make_mails(folder)
        for kind, envelope in made.items():
            html = html_of(envelope)
            (folder / f"{kind}.html").write_text(html)
            size, part = len(envelope.data) / 1000, len(html.encode()) / 1000
            print(f"       {kind}: {size:.0f} KB, of which HTML {part:.0f} KB before encoding")
        zone = ZONE | {(name, "TXT"): [text] for name, text in mails.dns_records().items()}
        quoted = {
            key: [dns_server.txt(text) for text in data] if key[1] == "TXT" else data
            for key, data in zone.items()
        }
        checks = {
            "authentication": lambda: check_authentication(folder, made),
            "markup": lambda: check_markup(folder),
            "pages": lambda: (check_pages(folder), check_operator_pages(folder)),
            "hostile": check_hostile,
        }
        with dns_server.serve(quoted) as server:
            checks["spam"] = lambda: check_spam(folder, server.port)
            for chosen in sys.argv[1:] or checks:
                checks[chosen]()
    print(f"{len(failures)} problems" if failures else "all mails pass")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
