"""TMDB's API: which poster a film has, and the poster."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from index.core.errors import InvalidInput, SourceUnavailable, Unauthorised
from index.posters.images import MAX_BYTES
from indexer.fetch.posters import Film, Missing
from indexer.fetch.web import Answer, Web, no_page

NOTICE = (
    "This product uses the TMDB API but is not endorsed or certified by TMDB. Posters are its content, under"
    " https://www.themoviedb.org/api-terms-of-use : kept for six months at most, no commercial use and no training of"
    " machine-learning systems without an agreement. Whether what you do is allowed is for you to find out."
)

_MOST = 2**20  # bytes of a JSON reply
_VARIABLES = ("TMDB_ACCESS_TOKEN", "TMDB_API_KEY")


@dataclass(frozen=True, slots=True)
class Key:
    """What lets us ask: the v3 key, which is a parameter, or the v4 token, which is a header. Never shown."""

    secret: str = field(repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Key:
        """The key in the environment.

        Raises:
            Unauthorised: there is none, or it cannot be one.
        """
        for name in _VARIABLES:
            secret = environment.get(name, "").strip()
            if secret and not re.fullmatch(r"[\w.~+/=-]+", secret, re.ASCII):
                raise Unauthorised(f"{name} holds characters that no key of TMDB has: copy it again")
            if secret:
                return cls(secret)
        raise Unauthorised(
            "posters need a key of TMDB, which is free: make one at https://www.themoviedb.org/settings/api and set"
            " TMDB_API_KEY. Without one, posterity fetch movielens and posterity fetch weights work, and posterity"
            " fetch posters --from FOLDER"
        )

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request with the key in it."""
        if self.secret.count(".") == 2:  # a token of three parts
            request.headers["Authorization"] = f"Bearer {self.secret}"
        else:
            request.prepare_url(request.url, {"api_key": self.secret})
        return request


class Tmdb:
    """Finds posters. Threads may share it.

    Args:
        size: of the posters, as the API names sizes: w185, w342, w500, w780, original.

    Raises:
        Unauthorised: the key is of no use.
        InvalidInput: there is no such size.
        SourceUnavailable, Busy: the API cannot be asked.
    """

    def __init__(self, web: Web, api: str, key: Key, size: str) -> None:
        self._web = web
        self._api = api.rstrip("/")
        self._key = key
        images: Any = (self._json("configuration") or {}).get("images")
        try:
            base, sizes = str(images["secure_base_url"] or images["base_url"]), list(images["poster_sizes"])
        except (TypeError, KeyError) as error:
            raise SourceUnavailable(f"{self._api}/3/configuration does not say where pictures are") from error
        if size not in sizes:
            raise InvalidInput(f"TMDB has no posters of size {size}: give one of {', '.join(map(str, sizes))}")
        self._pictures = f"{base.rstrip('/')}/{size}"

    def __call__(self, film: Film) -> bytes | Missing:
        """The film's poster.

        Raises:
            Unauthorised, SourceUnavailable, Busy: as on opening.
        """
        found = self._film(film)
        if isinstance(found, Missing):
            return found
        path = found.get("poster_path")
        if path is None:
            return Missing("TMDB has no poster of the film")
        if not re.fullmatch(r"/[\w.-]+", str(path), re.ASCII):
            raise SourceUnavailable("TMDB names a poster in an unknown way")
        answer = self._web.get(f"{self._pictures}{path}", most=MAX_BYTES)
        if answer.status == 404:
            return Missing("TMDB names a poster that it does not have")
        _expect(answer, "a picture")
        return answer.content

    def _film(self, film: Film) -> dict[str, Any] | Missing:
        if film.tmdb_id is not None:
            found = self._json(f"movie/{film.tmdb_id}")
            if found is not None:
                return found
        if film.imdb_id is not None:  # ids of TMDB change as films are merged; those of IMDb seldom do
            listed = self._json(f"find/{film.imdb_id}", external_source="imdb_id") or {}
            results = [*(listed.get("movie_results") or ()), *(listed.get("tv_results") or ())]
            if results and isinstance(results[0], dict):
                return results[0]
        return Missing("TMDB does not know the film")

    def _json(self, path: str, **params: str) -> dict[str, Any] | None:
        """What a part of the API answers; None where it knows nothing of the kind."""
        answer = self._web.get(f"{self._api}/3/{path}", params=params, auth=self._key, most=_MOST)
        if answer.status == 401:
            raise Unauthorised(
                f"{answer.url} refuses the key (status 401): set TMDB_API_KEY to the v3 key or the v4 token from"
                " https://www.themoviedb.org/settings/api"
            )
        if answer.status == 404 and not answer.is_page:
            return None
        _expect(answer, "JSON")
        try:
            value = json.loads(answer.content)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise SourceUnavailable(f"{answer.url} gave something else than a JSON object")
        return value


def _expect(answer: Answer, wanted: str) -> None:
    if answer.is_page:
        raise no_page(answer.url, wanted)
    if answer.status != 200:
        raise SourceUnavailable(f"{answer.url} answers {answer.status}")
