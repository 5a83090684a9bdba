"""Whether two names are one person's, as far as names can tell. Pure.

"J. K. Rowe" fits "Jane K. Rowe"; "Jane M. Rowe" does not. A fit is sure where a whole given name
agrees, and possible where only an initial does. Accents, hyphens, case and the order of family
and given name do not count; a particle ("van der") belongs to the family name.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from newsletter.core.author_names import GROUP, is_suffix


class Fit(IntEnum):
    """How well two names agree."""

    NONE = 0
    POSSIBLE = 1
    SURE = 2


class Reading(NamedTuple):
    """One way to read a name: given names and initials, the family name, Jr. or III."""

    given: tuple[str, ...]
    family: str
    suffix: str


_PARTICLES = frozenset(
    {"van", "von", "der", "den", "de", "del", "della", "di", "da", "das", "dos", "du", "la", "le",
     "ter", "ten", "te", "zu", "zur", "zum", "vom", "af", "av", "al", "el", "bin", "ibn", "ben",
     "abu", "st", "saint", "op", "vander", "vanden"}
)  # fmt: skip
# Letters that NFKD leaves as they are.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "þ": "th", "æ": "ae", "œ": "oe",
     "ß": "ss", "ŧ": "t", "ŋ": "n"}
)  # fmt: skip
# As Germans and Scandinavians write them where they lack the letter.
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
# Families that are written first where many people share few names.
_FIRST_FAMILIES = frozenset(
    {"wang", "li", "zhang", "liu", "chen", "yang", "huang", "zhao", "wu", "zhou", "xu", "sun",
     "ma", "zhu", "hu", "guo", "he", "lin", "gao", "luo", "zheng", "liang", "xie", "song", "tang",
     "han", "feng", "deng", "cao", "peng", "zeng", "xiao", "tian", "dong", "pan", "yuan", "cai",
     "jiang", "yu", "du", "ye", "cheng", "wei", "su", "lu", "ding", "ren", "shen", "yao", "kim",
     "lee", "park", "choi", "jung", "jeong", "kang", "cho", "yoon", "jang", "lim", "nguyen",
     "tran", "le", "pham", "phan", "vu", "vo", "dang", "bui", "do", "ngo"}
)  # fmt: skip
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_SUFFIXES = {"junior": "jr", "senior": "sr", "2nd": "ii", "3rd": "iii", "4th": "iv"}
_RUN = re.compile(r"[A-Z]{1,3}")


def fit(wanted: str, named: str) -> Fit:
    """How well a name that a reader follows or mutes agrees with one on a paper."""
    if folded(wanted) == folded(named):
        return Fit.SURE if folded(wanted) else Fit.NONE
    if GROUP.search(wanted) or GROUP.search(named):
        return Fit.SURE if _group(wanted) == _group(named) else Fit.NONE
    found = Fit.NONE
    for mine in _spellings(wanted):
        for theirs in _spellings(named):
            found = max(found, _best(_readings(mine), _readings(theirs)))
    return found


def _best(one: Sequence[Reading], other: Sequence[Reading]) -> Fit:
    """The best agreement of the ways to read two names; sure only of the likeliest."""
    if "".join((*one[0].given, one[0].family)) == "".join((*other[0].given, other[0].family)):
        return Fit.SURE if one[0].given and _agree(one[0].suffix, other[0].suffix) else Fit.NONE
    best = Fit.NONE
    for place, mine in enumerate(one):
        for other_place, theirs in enumerate(other):
            found = _agreement(mine, theirs)
            best = max(best, min(found, Fit.POSSIBLE) if place or other_place else found)
    return best


def _agree(one: str, other: str) -> bool:
    return not one or not other or one == other


def contradict(names: Iterable[str]) -> bool:
    """Whether some of these names cannot be one person's."""
    return any(fit(one, other) is Fit.NONE for one, other in combinations(set(names), 2))


@lru_cache(maxsize=100_000)
def folded(name: str) -> str:
    """The name in small letters without accents, signs and double spaces; its words in order."""
    words = _words(_plain(name))
    return "".join(words) if _CJK.search(name) else " ".join(words)


def keys(name: str) -> set[str]:
    """What a name is looked up by: its family names, however it is read."""
    return {"\n" + _group(name)} | {reading.family for reading in readings(name)}


def _wide_keys(name: str) -> set[str]:
    """A superset of `keys`, in a tenth of the time for the names that nearly all papers have."""
    if not name.isascii() or "," in name or GROUP.search(name):
        return keys(name)
    words = name.lower().replace("'", "").replace(".", " ").replace("-", " ").split()
    if not words or is_suffix(words[-1]) or not "".join(words).isalpha():
        return keys(name)
    found = {words[-1], words[0], "".join(words[-2:]), "\n" + " ".join(words)}
    if len(words[-1]) <= 3:
        found.add("".join(words[:-1]))
        found.add(words[0] + words[1] if len(words) > 3 else words[0])
    if not _PARTICLES.isdisjoint(words):
        found |= keys(name)
    return found


class PersonIndex:
    """The names on many papers, to find those that fit one name without comparing all."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_key: dict[str, list[str]] = defaultdict(list)
        for name in dict.fromkeys(names):
            for key in _wide_keys(name):
                self._by_key[key].append(name)

    def fitting(self, wanted: str) -> dict[str, Fit]:
        """The names that fit ``wanted``, each with how well.

        Where those that fit contradict one another, several persons do, and each only possibly.
        """
        near = dict.fromkeys(name for key in keys(wanted) for name in self._by_key.get(key, ()))
        fits = ((name, fit(wanted, name)) for name in near)
        found = {name: how for name, how in fits if how}
        if len(found) > 1 and contradict(found):
            same = folded(wanted)
            for name in found:
                # The very name that was asked for stays sure where it has a middle name.
                if folded(name) != same or not _is_full(name):
                    found[name] = Fit.POSSIBLE
        return found


def _is_full(name: str) -> bool:
    """Whether the name has a given name and a middle one."""
    given = readings(name)[0].given
    return len(given) > 1 and len(given[0]) > 1


def readings(name: str) -> list[Reading]:
    """The ways to read a name, the likeliest first."""
    return [reading for plain in _spellings(name) for reading in _readings(plain)]


@lru_cache(maxsize=100_000)
def _readings(plain: str) -> tuple[Reading, ...]:
    family, comma, given = plain.partition(",")
    if not comma:
        return tuple(dict.fromkeys(_in_order(plain)))
    words, suffix = _without_suffix(_words(family))
    first, other = _without_suffix(_words(given))
    return (_reading(first, words, suffix or other),)


def _in_order(plain: str) -> list[Reading]:
    """Readings of a name without a comma."""
    words, suffix = _without_suffix(_words(plain, keep_case=True))
    if not words:
        return [Reading((), "", "")]
    small = [word.casefold() for word in words]
    if len(words) == 1:
        return [Reading((), small[0], suffix)]
    if _CJK.search(plain):
        return [Reading((), "".join(small), suffix)]
    last = words[-1]
    cut = len(small) - 1
    while cut > 1 and small[cut - 1] in _PARTICLES:
        cut -= 1
    main = _reading(_initials(words[:1], small) + small[1:cut], small[cut:], suffix)
    found = [main]
    ending = next((at for at, word in enumerate(words) if at and len(word) == 1), len(words))
    if len(words[0]) > 1 and ending < len(words) and all(len(word) == 1 for word in words[ending:]):
        # "Иванов И. И."
        return [_reading(small[ending:], small[:ending], suffix)]
    if len(last) <= 3 and _RUN.fullmatch(last) and not _RUN.fullmatch(words[0]):
        # "Rowe JK"
        return [_reading(list(last.casefold()), small[:-1], suffix), main]
    in_capitals = words[0].isupper() and not last.isupper() and not suffix
    if in_capitals and len(words[0]) > 3:  # "ROWE Jane"
        found.insert(0, _reading(small[1:], small[:1], suffix))
    elif (in_capitals and len(words[0]) > 1) or (
        len(words) == 2 and small[0] in _FIRST_FAMILIES and len(small[1]) > 1
    ):
        found.append(_reading(small[1:], small[:1], suffix))
    if len(small) > 2 and cut == len(small) - 1 and len(small[-2]) > 1:
        # "Maria Smith Jones" may be Maria Smith-Jones.
        found.append(_reading(small[:-2], small[-2:], suffix))
    return found


def _initials(first: list[str], small: list[str]) -> list[str]:
    """``JK`` before a family name as two initials."""
    return list(first[0].casefold()) if _RUN.fullmatch(first[0]) else small[:1]


def _reading(given: Sequence[str], family: Sequence[str], suffix: str) -> Reading:
    given = list(given)
    family = list(family)
    while given and given[-1] in _PARTICLES:  # "Berg, Vincent van der"
        family.insert(0, given.pop())
    return Reading(tuple(given), "".join(family), suffix)


def _agreement(one: Reading, other: Reading) -> Fit:
    """How well two readings agree; a given name on both sides is needed."""
    if one.family != other.family or not one.family:
        return Fit.NONE
    if not _agree(one.suffix, other.suffix):
        return Fit.NONE
    if not one.given or not other.given:
        return Fit.NONE
    if "".join(one.given) == "".join(other.given):
        return Fit.SURE
    aligned = _aligned(one.given, other.given)
    if aligned is Fit.NONE and max(len(one.given), len(other.given)) > 1:
        # "Xiaoming" and "Xiao-Ming" and "X. M."
        aligned = min(_aligned(_joined(one.given), _joined(other.given)), Fit.POSSIBLE)
        if aligned and not _joined_may_agree(one.given, other.given):
            return Fit.NONE
    return aligned


def _joined(given: Sequence[str]) -> tuple[str, ...]:
    """Full names in one word; initials as they are."""
    return ("".join(given),) if all(len(word) > 1 for word in given) else tuple(given)


def _joined_may_agree(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the longer form of one name is the other's, cut at its hyphen."""
    return "".join(one).startswith("".join(other)) or "".join(other).startswith("".join(one))


def _aligned(one: Sequence[str], other: Sequence[str]) -> Fit:
    """Given names in pairs: sure where the first agree as whole names."""
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs and not (min(len(mine), len(theirs)) == 1 and mine[:1] == theirs[:1]):
            return Fit.NONE
    return Fit.SURE if one[0] == other[0] and len(one[0]) > 1 else Fit.POSSIBLE


@lru_cache(maxsize=100_000)
def _spellings(name: str) -> list[str]:
    """The name without accents, and with those that are spelled out elsewhere."""
    plain = _plain(name, keep_case=True)
    if plain.isascii() and name.isascii():
        return [plain]
    spelled = unicodedata.normalize("NFC", name)
    other = "".join(_out(sign) for sign in spelled)
    return list(dict.fromkeys([plain, _plain(other, keep_case=True)]))


def _out(sign: str) -> str:
    small = sign.lower().translate(_SPELLED_OUT)
    return sign if small == sign.lower() else small.capitalize() if sign.isupper() else small


def _plain(name: str, *, keep_case: bool = False) -> str:
    """Without accents and apostrophes; small unless ``keep_case``."""
    if not name.isascii():
        name = "".join(
            sign.lower().translate(_LETTERS).capitalize()
            if sign.isupper()
            else sign.translate(_LETTERS)
            for sign in name
        )
        decomposed = unicodedata.normalize("NFKD", name)
        name = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    name = re.sub(r"['’ʼ`´‘ʻ·]", "", name)
    return name if keep_case else name.casefold()


def _words(plain: str, *, keep_case: bool = False) -> list[str]:
    found = re.findall(r"[^\W_]+", plain)
    return found if keep_case else [word.casefold() for word in found]


def _without_suffix(words: Sequence[str]) -> tuple[list[str], str]:
    """The words without "Jr." or "III" at their end, and that in one spelling."""
    if len(words) > 1 and is_suffix(words[-1]) and (len(words) > 2 or words[-1].islower()):
        last = words[-1].casefold()
        return list(words[:-1]), _SUFFIXES.get(last, last)
    return list(words), ""


def _group(name: str) -> str:
    """A collaboration's name without its article and the word for what it is."""
    plain = folded(GROUP.sub(" ", name))
    return re.sub(r"^the ", "", plain)
