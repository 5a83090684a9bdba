"""SPF says who may send, or that it cannot tell; never a wrong pass."""

import pytest

from newsletter.sending.doctor.spf import Lookups, Verdict, evaluate

TEXTS = {
    "plain.example": ["v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all", "unrelated"],
    "soft.example": ["v=spf1 a mx/28 ~all"],
    "dual.example": ["v=spf1 a:host.example/24//64 -all"],
    "nested.example": ["v=spf1 include:plain.example include:soft.example ?all"],
    "away.example": ["v=spf1 redirect=plain.example"],
    "lost.example": ["v=spf1 redirect=nothing.example"],
    "broken.example": ["v=spf1 include:nothing.example -all"],
    "double.example": ["v=spf1 -all", "v=spf1 +all"],
    "macro.example": ["v=spf1 exists:%{i}.allow.example -all"],
    "ptr.example": ["v=spf1 ptr -all"],
    "typo.example": ["v=spf1 ipv4:192.0.2.1 -all"],
    "loop.example": ["v=spf1 include:loop.example -all"],
    "modified.example": ["v=spf1 exp=why.example ip4:192.0.2.7 -all"],
    "shouting.example": ["V=SPF1 IP4:192.0.2.7 -ALL"],
    "other.example": ["v=spf10 +all"],
    "badnet.example": ["v=spf1 ip4:192.0.2.999 -all"],
}
ADDRESSES = {
    "soft.example": ["198.51.100.1"],
    "mail.soft.example": ["203.0.113.16", "2001:db8:1::1"],
    "host.example": ["198.51.100.9", "2001:db8:2::9"],
}
LOOKUPS = Lookups(
    txt=lambda name: TEXTS.get(name, []),
    addresses=lambda name: ADDRESSES.get(name, []),
    mx=lambda name: [f"mail.{name}"],
)


@pytest.mark.parametrize(
    ("domain", "sender", "verdict"),
    [
        ("plain.example", "192.0.2.77", Verdict.PASS),
        ("plain.example", "2001:db8::1", Verdict.PASS),
        ("plain.example", "198.51.100.1", Verdict.FAIL),
        ("soft.example", "198.51.100.1", Verdict.PASS),
        ("soft.example", "203.0.113.20", Verdict.PASS),
        ("soft.example", "203.0.113.40", Verdict.SOFTFAIL),
        ("soft.example", "2001:db8:1::1", Verdict.PASS),
        ("dual.example", "198.51.100.200", Verdict.PASS),
        ("dual.example", "2001:db8:2::ffff", Verdict.PASS),
        ("dual.example", "2001:db8:3::1", Verdict.FAIL),
        ("nested.example", "192.0.2.1", Verdict.PASS),
        ("nested.example", "203.0.113.17", Verdict.PASS),
        ("nested.example", "203.0.113.77", Verdict.NEUTRAL),
        ("away.example", "192.0.2.1", Verdict.PASS),
        ("away.example", "203.0.113.1", Verdict.FAIL),
        ("lost.example", "192.0.2.1", Verdict.PERMERROR),
        ("broken.example", "192.0.2.1", Verdict.PERMERROR),
        ("double.example", "192.0.2.1", Verdict.PERMERROR),
        ("macro.example", "192.0.2.1", Verdict.UNKNOWN),
        ("ptr.example", "192.0.2.1", Verdict.UNKNOWN),
        ("typo.example", "192.0.2.1", Verdict.PERMERROR),
        ("loop.example", "192.0.2.1", Verdict.PERMERROR),
        ("modified.example", "192.0.2.7", Verdict.PASS),
        ("shouting.example", "192.0.2.7", Verdict.PASS),
        ("other.example", "192.0.2.7", Verdict.NONE),
        ("badnet.example", "192.0.2.7", Verdict.PERMERROR),
        ("nothing.example", "192.0.2.7", Verdict.NONE),
    ],
)
def test_spf_decides_as_receivers_do(domain: str, sender: str, verdict: Verdict) -> None:
    assert evaluate(domain, sender, LOOKUPS) is verdict
