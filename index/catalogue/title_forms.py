"""Forms of a movie title: parsed as MovieLens writes it, its alternative titles, and the words that are compared."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import groupby

from anyascii import anyascii
from opencc import OpenCC

_YEAR = re.compile(r"\s*\(([0-9]{4})(?:\s*[-–]\s*[0-9]{0,4})?\)\s*$")
_ARTICLES = (
    "The|A|An|Le|La|Les|L'|Un|Une|El|Los|Las|Una|Il|Lo|I|Gli|Der|Die|Das|Den|Det|Ein|Eine|De|Het|En|Ett|O|Os|As|Um|Uma"
)
_TRAILING_ARTICLE = re.compile(rf"^(?P<rest>.+), (?P<article>{_ARTICLES})$", re.IGNORECASE)
_PARTS = re.compile(r"\(([^()]*)\)")
_ALSO_KNOWN_AS = re.compile(r"^(?:a\.k\.a\.|aka)\s+", re.IGNORECASE)

_APOSTROPHES = "'’‘‛`´ʼʹ′＇"
_IGNORED = frozenset({"a", "an", "the", "and"})
_FOREIGN = frozenset(_ARTICLES.lower().split("|")) - _IGNORED - {"i", "o", "as"}  # more often a word of English
_DOTTED = re.compile(r"(?<![a-z0-9])([a-z])[.*](?=[a-z](?![a-z0-9]))")  # S.H.I.E.L.D., M*A*S*H
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_WORD = re.compile(r"[a-z]+|[0-9]+|[^\x00-\x7f]")
_ROMAN = {
    str(10 * tens + ones): "x" * tens + roman
    for tens in range(4)
    for ones, roman in enumerate(["", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"])
    if tens or ones
}
_ARABIC = {roman: arabic for arabic, roman in _ROMAN.items()}
NUMERALS = _ROMAN | _ARABIC  # from 1 to 39: roman of arabic, and arabic of roman
_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
# From 2 on: "one" is a word more often than a number.
_DIGITS = {word: str(number) for number, word in enumerate((*_ONES, *_TEENS), 1) if number > 1}
_DIGITS |= {word: str(10 * tens) for tens, word in enumerate(_TENS, 2)}
SPELLED = {digits: word for word, digits in _DIGITS.items()}  # from 2 to 20, and tens
_COUNTED = frozenset({"part", "episode", "chapter", "vol", "volume", "book", "act", "no", "number"})


def parse_title(text: str) -> tuple[str, int | None]:
    """Return the title with its articles in front, and the year of release (None if absent).

    "Amelie (Fabuleux destin d'Amélie Poulain, Le) (2001)" gives "Amelie (Le Fabuleux destin d'Amélie Poulain)", 2001.
    """
    year = _YEAR.search(text)
    title = (text if year is None else text[: year.start()]).strip()
    if not title:  # the title itself is "(1972)"
        return text.strip(), None
    # Alternative titles follow in parentheses, each with its own article.
    main, bracket, others = title.partition(" (")
    main = _article_first(main)
    others = _PARTS.sub(lambda part: f"({_article_first(part[1])})", bracket[1:] + others)
    return f"{main} {others}".strip(), None if year is None else int(year[1])


def alternatives(title: str) -> tuple[str, list[str]]:
    """Return the main title of one that ``parse_title`` returned, and the alternative titles in its parentheses."""
    main, bracket, others = title.partition(" (")
    return main, [_ALSO_KNOWN_AS.sub("", part) for part in _PARTS.findall(bracket[1:] + others)]


def without_article(words: list[str]) -> list[str]:
    """Return the words of a title without the article of another language that it begins with."""
    return words[1:] if words and words[0] in _FOREIGN else words


def verbatim(title: str) -> str:
    """Return a title in which only letter case, white space and the kind of apostrophe do not matter."""
    plain = unicodedata.normalize("NFKC", title).casefold()
    return " ".join(plain.translate(_APOSTROPHE).split())


def words(title: str) -> list[str]:
    """Return the words of a title as they are compared: in ASCII and lower case, digits apart from letters.

    Accents, apostrophes, punctuation, "and" and English articles do not matter, if there is anything else. Two letters
    with dots or three letters apart are one word. Chinese, Japanese and Korean characters are kept, each as a word:
    Chinese ones simplified, kana as full-width katakana.
    """
    return without_small_words(every_word(title))


def without_small_words(words: list[str]) -> list[str]:
    """Return words without "and" and English articles, if there is anything else; themselves without any."""
    if _IGNORED.isdisjoint(words):
        return words
    return _letters_joined([word for word in words if word not in _IGNORED]) or words


def every_word(title: str) -> list[str]:
    """Return the words of a title as ``words`` does, with "and" and articles."""
    plain = title if title.isascii() else _composed(title).translate(_PLAIN)
    plain = plain.lower().replace("'", "").replace("&", " and ").replace("+", " and ")
    if "." in plain or "*" in plain or "," in plain:
        plain = _THOUSANDS.sub("", _DOTTED.sub(r"\1", plain))
    return _letters_joined(_WORD.findall(plain))


def romanised(title: str) -> list[str]:
    """Return the words of a title in the Latin script, Chinese, Japanese and Korean syllable by syllable."""
    return words("".join(f" {anyascii(c)} " if is_cjk(c) else c for c in title))


def numbered(words: list[str]) -> list[str]:
    """Return the words of a title with numbers as digits: roman up to 39, but for the first word, and spelled to 99."""
    if _ARABIC.keys().isdisjoint(words[1:]) and _DIGITS.keys().isdisjoint(words):
        return words
    found: list[str] = []
    for at, word in enumerate(words):
        if word in _ONES and at and words[at - 1] in _TENS:  # twenty one
            found[-1] = str(int(found[-1]) + 1 + _ONES.index(word))
        else:
            found.append(_DIGITS.get(word) or (_arabic(words, at) if at else word))
    return found


def is_cjk(character: str) -> bool:
    """Return True for a Chinese, Japanese or Korean character, which is a word by itself."""
    return any(first <= character <= last for first, last in _CJK)


def _letters_joined(words: list[str]) -> list[str]:
    """Return words with three or more letters in a row as one."""
    single = [len(word) == 1 and word.isascii() and word.isalpha() for word in words]
    if sum(single) < 3:
        return words
    found: list[str] = []
    for is_single, group in groupby(zip(single, words, strict=True), key=lambda each: each[0]):
        row = [word for _, word in group]
        found += ["".join(row)] if is_single and len(row) > 2 else row
    return found


def _article_first(title: str) -> str:
    prefix = _ALSO_KNOWN_AS.match(title)
    if prefix is not None:
        return prefix[0] + _article_first(title[prefix.end() :])
    found = _TRAILING_ARTICLE.match(title)
    if found is None:
        return title
    space = "" if found["article"].endswith("'") else " "
    return f"{found['article']}{space}{found['rest']}"


def _arabic(words: list[str], at: int) -> str:
    word = words[at]
    # "I" is a word more often than a numeral.
    if word == "i" and words[at - 1] not in _COUNTED and at < len(words) - 1:
        return word
    return _ARABIC.get(word, word)


def _composed(title: str) -> str:
    """Return a title with each letter and its marks as one character; half-width kana, too, whose marks follow them."""
    return unicodedata.normalize("NFC", _HALF_WIDTH.sub(lambda kana: unicodedata.normalize("NFKC", kana[0]), title))


def _simplified(character: str) -> str:
    """Return a Chinese character in its simplified form, and any other as it is."""
    return str(_converter().convert(character))


@cache  # its dictionaries take 7 ms to read, which only titles in Chinese characters need
def _converter() -> OpenCC:
    return OpenCC("t2s")


class _PlainCharacters(dict[int, str]):
    """ASCII and CJK characters in place of each character, computed once."""

    def __missing__(self, code: int) -> str:
        self[code] = plain = _plain(chr(code))
        return plain


def _plain(character: str) -> str:
    if character.isascii():
        return character
    if character in _APOSTROPHES:
        return ""
    if character == "°":
        return " degrees "
    same = unicodedata.normalize("NFKC", character)
    if same.isascii() and not same.isalnum():  # full-width punctuation
        return same
    if all(map(is_cjk, same)):
        return f" {' '.join(_simplified(same).translate(_KATAKANA))} "
    if unicodedata.decomposition(character).startswith("<fraction>"):
        return f" {same} ".replace("\N{FRACTION SLASH}", " ")
    kind = unicodedata.category(character)[0]
    if kind not in "LMN":
        return " "
    letters = "".join(c for c in anyascii(character).lower() if c.isalnum())
    return letters or ("" if kind == "M" else " ")


_CJK = (
    ("\u3005", "\u3007"), ("\u3040", "\u30ff"), ("\u3400", "\u9fff"), ("\uac00", "\ud7a3"), ("\uf900", "\ufaff"),
    ("\U00020000", "\U0003ffff"),
)  # fmt: skip
_HALF_WIDTH = re.compile("[\uff66-\uff9f]+")
_KATAKANA = {hiragana: hiragana + 0x60 for hiragana in range(0x3041, 0x3097)}
_PLAIN = _PlainCharacters()
_APOSTROPHE = dict.fromkeys(map(ord, _APOSTROPHES), "'")
