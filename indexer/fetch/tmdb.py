"""Client of TMDB's API: entries of movies, and their posters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from index.core.errors import InvalidInput, SourceUnavailable, Unauthorised
from index.posters.images import MAX_BYTES
from indexer.fetch.per_movie import Absent, LinkedMovie
from indexer.fetch.web import HttpClient, Response, html_error

NOTICE = (
    "This product uses the TMDB API but is not endorsed or certified by TMDB. Posters and facts are TMDB's content,"
    " under https://www.themoviedb.org/api-terms-of-use : keep them for six months at most; commercial use and training"
    " of machine-learning systems need an agreement. You are responsible for complying with these terms."
)

_MAX_JSON = 4 * 2**20  # bytes; an entry with the whole crew of a large film has half a megabyte
UNKNOWN = Absent("TMDB does not know the movie")
_VARIABLES = ("TMDB_ACCESS_TOKEN", "TMDB_API_KEY")


@dataclass(frozen=True, slots=True)
class Key:
    """Credentials for TMDB: a v3 key (query parameter) or a v4 token (header). Never printed."""

    secret: str = field(repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Key:
        """Return the key in the environment.

        Raises:
            Unauthorised: the environment has no key, or an invalid one.
        """
        for name in _VARIABLES:
            secret = environment.get(name, "").strip()
            if secret and not re.fullmatch(r"[\w.~+/=-]+", secret, re.ASCII):
                raise Unauthorised(f"{name} contains characters that no TMDB key has: copy the key again")
            if secret:
                return cls(secret)
        raise Unauthorised(
            "posters and facts need a TMDB key, which is free: create one at https://www.themoviedb.org/settings/api"
            " and set TMDB_API_KEY. Without a key, use posterity fetch movielens, posterity fetch weights and posterity"
            " fetch posters --from FOLDER"
        )

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the key to a request."""
        if self.secret.count(".") == 2:  # a JSON Web Token, so a v4 token
            request.headers["Authorization"] = f"Bearer {self.secret}"
        else:
            request.prepare_url(request.url, {"api_key": self.secret})
        return request


class Api:
    """TMDB's API. Threads may share it.

    Args:
        client: for requests.
        address: of the API, without the version.
        key: credentials.
    """

    def __init__(self, client: HttpClient, address: str, key: Key) -> None:
        self._client = client
        self._address = address.rstrip("/")
        self._key = key

    def json(self, path: str, **params: str) -> dict[str, Any] | None:
        """Return the JSON object at a path of the API; None for status 404.

        Raises:
            Unauthorised: the key is refused.
            SourceUnavailable: the API does not answer, or not as TMDB's does.
            Busy: the API asks to come back much later.
        """
        response = self._client.get(f"{self._address}/3/{path}", params=params, auth=self._key, max_bytes=_MAX_JSON)
        if response.status == 401:
            raise Unauthorised(
                f"{response.url} refuses the key (status 401): set TMDB_API_KEY to the v3 key or the v4 token from"
                " https://www.themoviedb.org/settings/api"
            )
        if response.status == 404 and not response.is_html:
            return None
        _check(response, "JSON")
        try:
            value = json.loads(response.content)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise SourceUnavailable(f"{response.url} gave no JSON object")
        return value

    def find(self, imdb_id: str) -> dict[str, Any]:
        """Return entries by IMDb id: lists under ``movie_results``, ``tv_results`` and so on.

        Raises:
            Unauthorised, SourceUnavailable, Busy: as ``json``.
        """
        return self.json(f"find/{imdb_id}", external_source="imdb_id") or {}


class Posters:
    """Source of posters from TMDB. Threads may share it.

    Args:
        client: for requests.
        api: URL of the API, without the version.
        key: credentials.
        size: of the posters, by the API's names: w185, w342, w500, w780, original.

    Raises:
        Unauthorised: the key is refused.
        InvalidInput: the API has no such size.
        SourceUnavailable: the API does not answer, or not as TMDB's does.
        Busy: the API asks to come back much later.
    """

    def __init__(self, client: HttpClient, api: str, key: Key, size: str) -> None:
        self._client = client
        self._api = Api(client, api, key)
        images: Any = (self._api.json("configuration") or {}).get("images")
        try:
            base, sizes = str(images["secure_base_url"] or images["base_url"]), list(images["poster_sizes"])
        except (TypeError, KeyError) as error:
            raise SourceUnavailable(
                f"{api.rstrip('/')}/3/configuration lacks the URL of images: set POSTERITY_TMDB_API to TMDB's API or a"
                " mirror"
            ) from error
        if size not in sizes:
            raise InvalidInput(f"TMDB has no posters of size {size}: give one of {', '.join(map(str, sizes))}")
        self._images = f"{base.rstrip('/')}/{size}"

    def __call__(self, movie: LinkedMovie) -> bytes | Absent:
        """Return the movie's poster file.

        Raises:
            Unauthorised: the key is refused.
            SourceUnavailable: the API does not answer, or not as TMDB's does.
            Busy: the API asks to come back much later.
        """
        entry = self._entry(movie)
        if entry is None:
            return UNKNOWN
        path = entry.get("poster_path")
        if path is None:
            return Absent("TMDB has no poster of the movie")
        if not re.fullmatch(r"/[\w.-]+", str(path), re.ASCII):
            raise SourceUnavailable("TMDB gave an invalid poster path")
        response = self._client.get(f"{self._images}{path}", max_bytes=MAX_BYTES)
        if response.status == 404:
            return Absent("TMDB lists a poster, but does not have the file")
        _check(response, "an image")
        return response.content

    def _entry(self, movie: LinkedMovie) -> dict[str, Any] | None:
        """Return TMDB's entry of a movie, by its TMDB id or else by its IMDb id."""
        if movie.tmdb_id is not None:
            entry = self._api.json(f"movie/{movie.tmdb_id}")
            if entry is not None:
                return entry
        if movie.imdb_id is not None:  # TMDB ids change when entries are merged; IMDb ids rarely change
            results = self._api.find(movie.imdb_id)
            entries = [*(results.get("movie_results") or ()), *(results.get("tv_results") or ())]
            if entries and isinstance(entries[0], dict):
                return entries[0]
        return None


def _check(response: Response, expected: str) -> None:
    if response.is_html:
        raise html_error(response.url, expected)
    if response.status != 200:
        raise SourceUnavailable(f"{response.url} answers {response.status}")
