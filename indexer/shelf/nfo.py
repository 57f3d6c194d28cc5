"""NFO files as Kodi, Jellyfin, Emby and Radarr write them: XML, an address at IMDb or TMDB, or both."""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from xml.etree.ElementTree import Element, ParseError, XMLParser

from index.library.entries import IMDB_ID, MAX_TITLE, MAX_TMDB_ID
from indexer.datasets.tables.values import whole, year
from indexer.shelf.film import Facts

MAX_BYTES = 2**20  # of an NFO file
LABELS = ("director", "writers", "actors", "keywords", "collection", "certificate", "country", "studio")

_MOST = 20  # labels of one kind
_LONGEST = 200  # characters of a label
_LONGEST_OVERVIEW = 4000  # characters
_ROOT = re.compile(r"<(movie|tvshow|episodedetails|musicvideo|artist|album|video)[\s>/]", re.IGNORECASE)
_NO_FILMS = {
    "tvshow": "of a series",
    "episodedetails": "of an episode of a series",
    "musicvideo": "of a music video",
    "artist": "of an artist",
    "album": "of an album",
}
_IMDB_ADDRESS = re.compile(r"imdb\.[a-z.]+/(?:[a-z-]+/)?title/(tt[0-9]{7,10})(?![0-9])", re.IGNORECASE)
_TMDB_ADDRESS = re.compile(r"themoviedb\.org/movie/([0-9]{1,18})", re.IGNORECASE)
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]+|#x[0-9a-f]+);)([a-z][a-z0-9]*;)?", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NAMED_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class NotAFilm(Exception):
    """NFO file of something else, such as a series; the message says of what."""


class BadNfo(Exception):
    """NFO file that cannot be read as XML; ``facts`` are the ids found in its text."""

    def __init__(self, message: str, facts: Facts) -> None:
        super().__init__(message)
        self.facts = facts


def read_nfo(content: bytes) -> Facts:
    """Return the facts in an NFO file.

    The first film counts, if there are several root elements; text around it is searched for addresses at IMDb and
    TMDB. The document type, and the entities it may declare, are left out.

    Raises:
        NotAFilm: the file is of a series, an episode or music.
        BadNfo: the XML cannot be read, or the file names no film.
    """
    text = _CONTROL.sub("", _decoded(content))
    root = _ROOT.search(text)
    addressed = _from_addresses(text)
    if root is None:
        if addressed == Facts():
            raise BadNfo("it holds neither <movie> nor an address at IMDb or TMDB", addressed)
        return addressed
    name = root[1]
    if name.lower() in _NO_FILMS:
        raise NotAFilm(f"its NFO file is {_NO_FILMS[name.lower()]}")
    end = re.compile(rf"</{name}\s*>", re.IGNORECASE).search(text, root.end())
    element = text[root.start() : len(text) if end is None else end.end()]
    outside = text[: root.start()] + ("" if end is None else text[end.end() :])
    try:
        facts = _facts(_parsed(element))
    except ParseError as error:
        raise BadNfo(f"its XML is damaged ({error})", addressed) from error
    addressed = _from_addresses(outside)
    return replace(facts, imdb_id=facts.imdb_id or addressed.imdb_id, tmdb_id=facts.tmdb_id or addressed.tmdb_id)


def _decoded(content: bytes) -> str:
    """Return a file's text: by its mark, in the encoding it names, in UTF-8, or else in Windows-1252."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    named = _NAMED_ENCODING.match(content)
    for encoding in ("utf-8", *([named[1].decode()] if named else ())):
        try:
            return content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return content.decode("cp1252", errors="replace")


def _parsed(element: str) -> Element:
    try:
        return _parsed_strictly(element)
    except ParseError:
        return _parsed_strictly(_ENTITY.sub(_escaped, element))  # bare ampersands, and the entities of HTML


def _parsed_strictly(element: str) -> Element:
    # Safe, and ten times as fast as defusedxml: an element without its document cannot declare entities.
    parser = XMLParser()  # noqa: S314
    parser.feed(element)
    root: Element = parser.close()
    return root


def _escaped(found: re.Match[str]) -> str:
    character = html.unescape(found[0]) if found[1] else ""
    known = character and character != found[0]
    return html.escape(character) if known else f"&amp;{found[0][1:]}"


def _from_addresses(text: str) -> Facts:
    imdb, tmdb = _IMDB_ADDRESS.search(text), _TMDB_ADDRESS.search(text)
    return Facts(imdb_id=imdb[1].lower() if imdb else None, tmdb_id=tmdb_id(tmdb[1]) if tmdb else None)


def _facts(movie: Element) -> Facts:
    children: dict[str, list[Element]] = {}
    for child in movie:
        children.setdefault(str(child.tag).lower(), []).append(child)

    def texts(*tags: str) -> list[str]:
        return [text for tag in tags for each in children.get(tag, ()) if (text := " ".join((each.text or "").split()))]

    def first(*tags: str) -> str:
        return next(iter(texts(*tags)), "")

    unique = {str(each.get("type", "")).lower(): (each.text or "").strip() for each in children.get("uniqueid", ())}
    imdb_ids = [unique.get("imdb", ""), *texts("imdbid", "imdb_id", "imdb", "id")]
    sets = [name for each in children.get("set", ()) if (name := (each.findtext("name") or each.text or "").strip())]
    released = (year(text) for text in texts("year", "premiered", "releasedate", "aired"))
    return Facts(
        first("title", "localtitle")[:MAX_TITLE],
        first("originaltitle")[:MAX_TITLE],
        next((found for found in released if found is not None), None),
        next(filter(None, map(imdb_id, imdb_ids)), None),
        next(filter(None, map(tmdb_id, [unique.get("tmdb", ""), *texts("tmdbid", "tmdb_id", "tmdb")])), None),
        labels(texts("genre"), separators="/|,"),
        {
            "director": labels(texts("director")),
            "writers": labels(texts("credits", "writer")),
            "actors": labels(each.findtext("name") or "" for each in children.get("actor", ())),
            "keywords": labels(texts("tag")),
            "collection": labels([*sets, *texts("collection")], separators="|"),
            "certificate": labels(texts("mpaa", "certification")[:1], separators="|"),
            "country": labels(texts("country")),
            "studio": labels(texts("studio"), separators="|"),
        },
        first("plot", "outline")[:_LONGEST_OVERVIEW],
    )


def imdb_id(text: str) -> str | None:
    """Return an IMDb id; None if the text is none."""
    found = text.strip().lower()
    return found if re.fullmatch(IMDB_ID, found, re.ASCII) else None


def tmdb_id(text: str) -> int | None:
    """Return a TMDB id; None if the text is none."""
    return whole(text, MAX_TMDB_ID)


def labels(texts: Iterable[str], separators: str = "/|") -> tuple[str, ...]:
    """Return the names in texts, each once, at most 20: older programs write several in one, ``Crime / Drama``."""
    split: Callable[[str], list[str]] = re.compile(rf"\s*[{re.escape(separators)}]\s*").split
    names = (" ".join(name.split())[:_LONGEST] for text in texts for name in split(text))
    return tuple(name for name in dict.fromkeys(names) if name)[:_MOST]
