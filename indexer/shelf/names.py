"""Names of files and folders, as Jellyfin, Kodi, Plex, Emby, Radarr and releases write them: title, year, ids, kind."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from index.catalogue.title_forms import words
from index.library.entries import IMDB_ID, MAX_TMDB_ID

VIDEOS = frozenset(
    {
        ".3g2",
        ".3gp",
        ".asf",
        ".avi",
        ".bin",
        ".divx",
        ".dv",
        ".dvr-ms",
        ".f4v",
        ".flv",
        ".img",
        ".iso",
        ".m2t",
        ".m2ts",
        ".m2v",
        ".m4v",
        ".mk3d",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpe",
        ".mpeg",
        ".mpg",
        ".mts",
        ".mxf",
        ".nrg",
        ".ogm",
        ".ogv",
        ".qt",
        ".rm",
        ".rmvb",
        ".strm",
        ".tp",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
        ".wtv",
        ".xvid",
    }
)
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tbn", ".gif", ".avif")  # in order of preference
DISCS = frozenset({"video_ts", "bdmv", "hvdvd_ts"})  # folders of one film

# Folders of videos that are no films. Source: naming rules of Jellyfin, Plex and Kodi.
_EXTRAS = frozenset(
    {
        "backdrops",
        "behind the scenes",
        "behindthescenes",
        "deleted scenes",
        "extra",
        "extras",
        "featurettes",
        "plex versions",
        "sample",
        "samples",
        "theme-music",
        "trailer",
        "trailers",
    }
)
_EXTRAS_OF_A_FILM = frozenset(
    {"bonus", "clips", "deleted", "interviews", "other", "others", "outtakes", "scenes", "shorts", "specials"}
)
_SYSTEM = frozenset(
    {
        "@eadir",
        "eadir",
        "#recycle",
        "@recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "extrafanart",
        "extrathumbs",
        "metadata",
        "subs",
        "subtitles",
        "temprec",
        "tempsbe",
        "ps3_update",
        "ps3_vprm",
    }
)
_EXTRA_NAMES = frozenset({"trailer", "sample", "theme", "minta"})
_EXTRA_SUFFIX = re.compile(
    r"(?:[-._]|- )(trailer|sample)[0-9]*$"
    r"|-(behindthescenes|deletedscene|deleted|featurette|interview|scene|short|clip|extra|other)[0-9]*$",
    re.IGNORECASE,
)
_SEASON = re.compile(
    r"(?:season|series|staffel|saison|temporada|stagione|seizoen|sezon|s)[ ._-]*[0-9]{1,4}(?: .*)?", re.IGNORECASE
)
_EPISODE = re.compile(r"(?<![a-z0-9])(?:s[0-9]{1,3}[ ._-]*e[0-9]{1,4}|[0-9]{1,2}x[0-9]{2,3})(?![0-9])", re.IGNORECASE)
_PART = re.compile(
    r"[ ._-]+[(\[]?(?P<kind>cd|dvd|dis[ck]|part|pt)[ ._-]*(?P<n>[1-9][0-9]?|[a-d])[)\]]?$", re.IGNORECASE
)

_ID = re.compile(
    r"[\[{(]\s*(?P<site>imdb|tmdb|themoviedb)(?:id)?\s*[-=_: ]\s*(?P<id>[^\]})\s]*)\s*[\]})]", re.IGNORECASE
)
_BARE_IMDB = re.compile(r"(?<![a-z0-9])tt[0-9]{7,10}(?![0-9])", re.IGNORECASE)
_EDITION = re.compile(r"\{edition-[^}]*\}", re.IGNORECASE)
_YEAR = r"(?:18[89]|19[0-9]|20[0-9])[0-9]"
_BRACKETED_YEAR = re.compile(rf"[ ._-]*[(\[{{]\s*({_YEAR})(?:\s*[-–]\s*[0-9]{{0,4}})?\s*[)\]}}]")
_BARE_YEAR = re.compile(rf"(?<![0-9a-z])({_YEAR})(?![0-9a-z])", re.IGNORECASE)
# Where the technical part of a release's name begins. Words that titles have, such as "limited", are not among them.
_RELEASE = re.compile(
    r"[\[({]?(?<![a-z0-9])(?:[0-9]{3,4}[pi]|[48]k|uhd|blu-?ray|b[dr]-?rip|dvd(?:-?rip|scr|[59]|r)?|web-?(?:rip|dl)"
    r"|hd-?(?:tv|rip)|remux|[xh][ .]?26[45]|hevc|avc|xvid|divx|av1|hdr(?:10)?|10bit|ac3|dts|aac)(?![a-z0-9])",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\[[^\]]*\]|\{[^}]*\}")
_NUMBERED = re.compile(r"^\s*\[([^\]]+)\](?=[0-9²³])")  # a title in brackets with its number: [REC]²
_LATEST = datetime.now(UTC).year + 5  # of a year without brackets: Blade Runner 2049 is a title
_GENERIC = frozenset(
    {
        "movie",
        "movies",
        "film",
        "films",
        "video",
        "videos",
        "main",
        "feature",
        "filme",
        "peliculas",
        "cinema",
        "kino",
        "title",
        "video_ts",
        "bdmv",
        "index",
    }
)


@dataclass(frozen=True, slots=True)
class Name:
    """A name, read."""

    title: str  # empty if nothing is left
    year: int | None = None
    imdb_id: str | None = None
    tmdb_id: int | None = None
    invalid: tuple[str, ...] = ()  # ids as written that are none

    @property
    def certain(self) -> bool:
        """True with a year or an id."""
        return self.year is not None or self.imdb_id is not None or self.tmdb_id is not None

    @property
    def generic(self) -> bool:
        """True for a name that says nothing, such as movie.mkv."""
        return not any(map(str.isalnum, self.title)) or self.title.casefold() in _GENERIC

    @property
    def key(self) -> str:
        """The name as compared: equal for versions of a film."""
        title = self.title.casefold()
        plain = title if title.isascii() and title.replace(" ", "").isalnum() else " ".join(words(self.title)) or title
        return plain if self.year is None else f"{plain} ({self.year})"


@lru_cache(4096)  # a film's file and folder are often called the same
def read_name(text: str) -> Name:
    """Read the name of a file without its suffix, or of a folder.

    A year counts in brackets, ``Heat (1995)``; without them, before the technical part of a release's name or at its
    end, ``Heat.1995.1080p``, but not at the beginning: 1917 and 2001 are titles.
    """
    imdb_id = tmdb_id = None
    invalid = []
    if "{" in text or "[" in text or "(" in text:
        for found in _ID.finditer(text):
            given = found["id"]
            if found["site"].lower() == "imdb":
                if re.fullmatch(IMDB_ID, given.lower(), re.ASCII):
                    imdb_id = imdb_id or given.lower()
                    continue
            elif given.isascii() and given.isdigit() and 0 < int(given) <= MAX_TMDB_ID:
                tmdb_id = tmdb_id or int(given)
                continue
            invalid.append(found[0])
        text = _EDITION.sub(" ", _ID.sub(" ", text))
    bare = _BARE_IMDB.search(text)
    if bare is not None:
        imdb_id = imdb_id or bare[0].lower()
        text = _BARE_IMDB.sub(" ", text)
    title, year = _title_and_year(text)
    return Name(title, year, imdb_id, tmdb_id, tuple(invalid))


def _title_and_year(text: str) -> tuple[str, int | None]:
    dotted = " " not in text.strip()
    bracketed = _BRACKETED_YEAR.search(text)
    if bracketed is not None and bracketed.start() > 0:
        title = _plain(text[: bracketed.start()], dotted=dotted)
        if title:
            return title, int(bracketed[1])
    release = _RELEASE.search(text)
    head = text if release is None else text[: release.start()]
    years = [each for each in _BARE_YEAR.finditer(head) if int(each[1]) <= _LATEST and each.start()]
    if years:
        last = years[-1]
        title = _plain(head[: last.start()], dotted=dotted)
        if title and (dotted or release is not None or not _plain(head[last.end() :], dotted=dotted)):
            return title, int(last[1])
    return _plain(head, dotted=dotted) or _plain(text, dotted=dotted), None


def _plain(text: str, *, dotted: bool) -> str:
    """Return a title with spaces for dots, if there are no others, and without what brackets and signs surround it."""
    if "[" in text or "{" in text:
        text = _BRACKETS.sub(" ", _NUMBERED.sub(r"\1", text)).strip() or text.strip(" []{}")
    if dotted:
        text = text.replace(".", " ").replace("_", " ")
    return " ".join(text.split()).lstrip(" -_.,").rstrip(" -_,([{")


def without_part(stem: str) -> tuple[str, str] | None:
    """Return a name without the number of its part, and the kind of part (cd, pt, …); None for a whole film's."""
    found = _PART.search(stem)
    return None if found is None or not found.start() else (stem[: found.start()], found["kind"].lower())


def why_no_film(stem: str) -> str | None:
    """Return the reason for which a video of this name is no film; None if it may be one."""
    if stem.casefold() in _EXTRA_NAMES:
        return f"a {stem.casefold()}"
    extra = _EXTRA_SUFFIX.search(stem)
    if extra is not None:
        return f"an extra ({(extra[1] or extra[2]).lower()})"
    if _EPISODE.search(stem):
        return "an episode of a series"
    return None


def holds_extras(folder: str, *, of_a_film: bool) -> bool:
    """Return True if a folder of this name holds extras.

    Args:
        folder: its name.
        of_a_film: it is in the folder of a film; others may have "shorts" that are films.
    """
    lower = folder.casefold()
    return lower in _EXTRAS or (of_a_film and lower in _EXTRAS_OF_A_FILM)


def is_system(folder: str) -> bool:
    """Return True for hidden folders and those of artwork, subtitles, recycle bins and the like."""
    return folder.startswith((".", "@", "#", "$")) or folder.casefold() in _SYSTEM or folder.endswith(".trickplay")


def is_season(folder: str) -> bool:
    """Return True for the folder of a season of a series."""
    return _SEASON.fullmatch(folder) is not None


def combined(file: Name, folder: Name) -> Name:
    """Return the name of the only film in a folder.

    The folder's counts where it has a year or an id and the file says nothing else: Radarr and people name folders
    with care, while files may keep the name of their release.
    """
    if file.generic:
        chosen = folder
    elif folder.generic or not folder.certain:
        chosen = file
    elif file.year is not None and folder.year is not None and file.year != folder.year:
        return file
    else:
        chosen = folder
    year = chosen.year if chosen.year is not None else file.year
    return replace(
        chosen,
        year=year,
        imdb_id=file.imdb_id or folder.imdb_id,
        tmdb_id=file.tmdb_id or folder.tmdb_id,
        invalid=tuple(dict.fromkeys((*file.invalid, *folder.invalid))),
    )
