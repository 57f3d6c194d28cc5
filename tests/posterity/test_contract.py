"""One interface: an index and a client on the same data give the same results and raise the same errors."""

from __future__ import annotations

import inspect
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import posterity
from index.library.api_keys import Keys
from index.library.database import FIRST_ID, Database
from posterity import arguments, errors
from posterity.interface import MovieService
from posterity.results import GroupPicks, Matches, Movies, Predictions
from tests.conftest import SPACE, WEDDINGS, World, poster
from tests.index.imports import samples
from tests.serving import serving

Call = Callable[[Any], Any]


@dataclass(frozen=True)
class Services:
    index: posterity.Index
    client: posterity.Client
    api_key: str


@pytest.fixture(scope="module")
def services(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """An index and a client on the same data; each test undoes its changes."""
    data = tmp_path_factory.mktemp("contract") / "data"
    shutil.copytree(world.data, data, symlinks=True)
    _, key = Keys(Database(data)).create("tests")
    limits = [f"--{kind}-limit=" for kind in ("read", "write", "upload")]
    with (
        serving("serve", "--data", data, *limits) as server,
        posterity.Client(server.address, api_key=key) as client,
        posterity.open(data) as index,
    ):
        yield Services(index, client, key)


@pytest.fixture(params=["index", "client"])
def service(services: Services, request: pytest.FixtureRequest) -> MovieService:
    found: MovieService = getattr(services, request.param)
    return found


def image(movie: int) -> bytes:
    stream = io.BytesIO()
    poster(movie).resize((150, 200)).save(stream, "PNG")
    return stream.getvalue()


def public(kind: type) -> dict[str, Any]:
    return {name: value for name, value in vars(kind).items() if callable(value) and not name.startswith("_")}


def test_both_have_the_methods_of_the_interface_and_no_others() -> None:
    for kind in (posterity.Client, posterity.Index):
        assert set(public(kind)) == set(public(MovieService))
        for name, method in public(MovieService).items():
            assert inspect.signature(getattr(kind, name)) == inspect.signature(method), name
            assert inspect.getdoc(getattr(kind, name)) == inspect.getdoc(method)


def test_both_are_the_interface_in_a_with_block(service: MovieService) -> None:
    assert isinstance(service, MovieService)
    assert type(service).__enter__(service) is service


MANY = [*range(100, 900), "imdb:tt0000002"]  # more than an address may hold

ANSWERED: dict[str, Call] = {
    "movies": lambda s: s.movies("star", limit=3, offset=1),
    "movies after another": lambda s: s.movies(limit=3, after=2),
    "movies by id": lambda s: s.movies(limit=100),
    "movies by words beyond ASCII": lambda s: s.movies("星" * 200),
    "no movies": lambda s: s.movies("nothing is called so"),
    "all movies": lambda s: list(s.all_movies()),
    "movie": lambda s: s.movie(3),
    "movie by IMDb id": lambda s: s.movie(" IMDB:tt0000003 "),
    "movie by TMDB id": lambda s: s.movie("tmdb:1003"),
    "movie by a numpy number": lambda s: s.movie(np.int64(3)),
    "movie without ratings": lambda s: s.movie(22),
    "poster": lambda s: s.poster(3),
    "thumbnail": lambda s: s.poster(3, width=120),
    "thumbnail as JPEG": lambda s: s.poster(3, width=120, format="jpeg"),
    "similar": lambda s: s.similar(3),
    "similar by poster": lambda s: s.similar(3, by="poster", limit=4, offset=2),
    "similar by taste": lambda s: s.similar("tmdb:1003", by="taste"),
    "similar by facts": lambda s: s.similar(3, by="facts"),
    "similar by weights": lambda s: s.similar(3, weights={"poster": 1, "taste": 0.25}),
    "similar by weights in many digits": lambda s: s.similar(
        3, weights={"poster": 1 / 3, "taste": 1e-7, "facts": 1000}
    ),
    "similar filtered": lambda s: s.similar(3, genre=["sci-fi", "Action"], year_from=1972, year_to=1979),
    "similar of one genre": lambda s: s.similar(3, genre="Romance"),
    "similar excluding": lambda s: s.similar(3, exclude=[1, "imdb:tt0000002", 777]),
    "similar among": lambda s: s.similar(3, among={1, 2, 12, 777}),
    "similar among an array": lambda s: s.similar(3, among=np.array([1, 2, 12])),
    "similar among a column": lambda s: s.similar(3, among=pd.Series([1, 2, 12])),
    "similar excluding many": lambda s: s.similar(3, exclude=MANY, by="taste", offset=1),
    "similar explained": lambda s: s.similar(3, by="poster", limit=2, explain=True),
    "similar explained excluding many": lambda s: s.similar(3, by="poster", limit=2, exclude=MANY, explain=True),
    "similar by blend explained": lambda s: s.similar(3, limit=4, explain=True),
    "similar by weights explained": lambda s: s.similar(3, weights={"poster": 1, "taste": 0.25}, limit=2, explain=True),
    "similar by blend explained excluding many": lambda s: s.similar(
        3, weights={"poster": 1, "taste": 0.25}, limit=2, exclude=MANY, explain=True
    ),
    "similar to several": lambda s: s.similar_to([1, "tmdb:1002", 777], unlike=[12], limit=5),
    "similar to several by poster": lambda s: s.similar_to((1, 2), by="poster", among=[*MANY[:1], 3, 4]),
    "similar to several weighted": lambda s: s.similar_to([1, 2], weights={"facts": 1}, genre="Romance", offset=1),
    "similar to each": lambda s: s.similar_to_each([3, "tmdb:1004", 777, 20], by="poster", limit=2),
    "similar to each weighted": lambda s: s.similar_to_each([3, 4], weights={"taste": 2}, exclude=[1]),
    "similar to a poster, with a long filter": lambda s: s.similar_to_poster(
        image(3), limit=3, genre="Sci-Fi", exclude=range(4, 2000)
    ),
    "similar to a poster": lambda s: s.similar_to_poster(image(3), limit=3, exclude=[4], year_from=1900),
    "similar distinct": lambda s: s.similar(3, distinct=True, limit=4, offset=1),
    "similar distinct excluding many": lambda s: s.similar(3, by="poster", distinct=True, exclude=MANY),
    "similar to several distinct": lambda s: s.similar_to([1, 2], unlike=[12], distinct=True),
    "similar to each distinct": lambda s: s.similar_to_each([3, 4], by="poster", distinct=True, limit=3),
    "similar to a poster, distinct": lambda s: s.similar_to_poster(image(3), limit=3, distinct=True),
    "explain": lambda s: s.explain(3, "tmdb:1004"),
    "explain a blend": lambda s: s.explain(3, 4, by="blend"),
    "explain a blend by weights in many digits": lambda s: s.explain(
        3, 4, by="blend", weights={"poster": 1 / 3, "taste": 1e-7, "facts": 1000}
    ),
    "explain a blend by weights": lambda s: s.explain(3, 4, by="blend", weights={"taste": 2, "facts": 0.5}),
    "explain taste": lambda s: s.explain(3, 4, by="taste"),
    "predict": lambda s: s.predict(2, [3, "tmdb:1012", 777]),
    "predict explained": lambda s: s.predict(2, [3], explain=True),
    "predict for someone new": lambda s: s.predict({1: 5, "imdb:tt0000012": 1, 777: 3}, [3, 13]),
    "recommend": lambda s: s.recommend(2, limit=5, offset=1),
    "recommend diverse": lambda s: s.recommend(2, limit=5, diversity=0.5),
    "recommend explained": lambda s: s.recommend(2, limit=2, explain=True),
    "recommend to someone new": lambda s: s.recommend({1: 5, 2: 4.5, 12: 1}, genre=["Sci-Fi"], exclude=MANY),
    "recommend to a numpy user": lambda s: s.recommend(np.int64(2), limit=np.int32(1)),
    "recommend by watched films": lambda s: s.recommend({1: 5}, watched=[11, "imdb:tt0000012", 777], limit=3),
    "recommend to two together": lambda s: s.recommend_together([1, {1: 5, "tmdb:1002": 4, 777: 3}], limit=5),
    "recommend to three fairly": lambda s: s.recommend_together(
        [np.int64(2), 7, posterity.Person({1: 5}, watched=[2, 777], watchlist=[3, 4])], together="fair", offset=1
    ),
    "recommend of a watchlist together": lambda s: s.recommend_together(
        (posterity.Person.of(s.import_ratings(samples.letterboxd())), {12: 5}),
        together="least-misery",
        watchlist="any",
        seen=True,
        genre="Sci-Fi",
        exclude=MANY,
    ),
    "import": lambda s: s.import_ratings(samples.letterboxd()),
    "import of a watchlist": lambda s: s.import_ratings(samples.LETTERBOXD_WATCHLIST.encode(), name="watchlist.csv"),
    "rated": lambda s: s.rated(1),
    "snapshot": lambda s: s.snapshot(),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_both_answer_the_same_to_the_digit(name: str, services: Services) -> None:
    local, remote = ANSWERED[name](services.index), ANSWERED[name](services.client)
    if name.startswith("similar to a poster"):
        # Both embed it, and the server with one thread for matrices: another order of summation (tests/tolerances.py).
        for ours, theirs in zip(local, remote, strict=True):
            assert ours["score"] == pytest.approx(theirs["score"], abs=1e-5)
            assert ours["percentile"] == pytest.approx(theirs["percentile"], abs=1e-4)
            ours["score"], ours["percentile"] = theirs["score"], theirs["percentile"]
    assert local == remote
    assert type(local) is type(remote)
    if not isinstance(local, bytes):
        assert json.dumps(local) == json.dumps(remote)  # plain values, in the same order


def test_results_are_what_was_asked_for(service: MovieService, world: World) -> None:
    assert service.movie("imdb:tt0000003")["title"] == "Starship 3"
    assert [movie["title"][:8] for movie in service.movies("star", limit=2)] == ["Starship"] * 2
    assert [movie["movie_id"] for movie in service.all_movies()] == list(range(1, 24))
    assert service.poster(3) == (world.posters / "3.jpg").read_bytes()
    assert Image.open(io.BytesIO(service.poster(3, width=120))).size == (120, 180)
    found = service.similar(3, by="poster", limit=4, exclude=[1, "imdb:tt0000002"], genre=["Sci-Fi"], year_from=1970)
    assert {match["movie"]["movie_id"] for match in found} <= {*SPACE} - {1, 2, 3} | {21}
    assert "explanation" in service.similar(3, by="poster", limit=1, explain=True)[0]
    assert service.similar_to([1, 2], unlike=[12], by="taste", limit=3)[0]["movie"]["movie_id"] in SPACE
    assert service.similar_to_each([3, 4, 777], limit=2).keys() == {3, 4}
    assert service.similar_to_poster(image(3), limit=1)[0]["movie"]["movie_id"] == 3
    look = service.explain(3, 4)
    assert sum(map(sum, look["heat"])) == pytest.approx(look["score"], abs=1e-5)
    assert service.explain(3, 4, by="taste")["score"] > 0
    blend = service.explain(3, 4, by="blend")
    assert sum(part["contribution"] for part in blend["parts"]) == pytest.approx(blend["score"], abs=1e-12)
    assert service.snapshot()["id"] == world.manifest.id
    assert service.predict(2, [3])[0]["rating"] == service.predict(2, [3, 4])[0]["rating"]
    newcomer = service.recommend({1: 5, "imdb:tt0000002": 5, 12: 1}, limit=3)
    assert {each["movie"]["movie_id"] for each in newcomer} <= {*range(3, 24)} - {12}
    assert service.rated(1).keys().isdisjoint(each["movie"]["movie_id"] for each in service.recommend(1, limit=100))
    assert isinstance(service.movies(), Movies)
    assert isinstance(service.similar(3), Matches)
    assert isinstance(service.recommend(2), Predictions)


def test_an_export_is_read_from_a_file(service: MovieService, tmp_path: Path) -> None:
    file = tmp_path / "watchlist.csv"
    file.write_text(samples.LETTERBOXD_WATCHLIST)
    found = service.import_ratings(file)
    assert [each["movie"]["movie_id"] for each in found["watchlist"]] == [7]
    assert service.import_ratings(str(file)) == found
    ratings = service.import_ratings(samples.IMDB_2024.encode())
    assert {each["movie"]["movie_id"]: each["rating"] for each in ratings["matched"]} == {3: 4.5, 12: 1}


TEXT = b"this is no image"
HUGE = bytes(11 * 2**20)

REFUSED: dict[str, tuple[Call, type[errors.PosterityError]]] = {
    "limit of 0": (lambda s: s.similar(3, limit=0), errors.InvalidInput),
    "limit of 101": (lambda s: s.movies(limit=101), errors.InvalidInput),
    "limit as a text": (lambda s: s.similar(3, limit="5"), errors.InvalidInput),
    "limit that is true": (lambda s: s.similar(3, limit=True), errors.InvalidInput),
    "limit that is not whole": (lambda s: s.recommend(2, limit=2.5), errors.InvalidInput),
    "diversity above 1": (lambda s: s.recommend(2, diversity=1.5), errors.InvalidInput),
    "diversity that is no number": (lambda s: s.recommend(2, diversity="much"), errors.InvalidInput),
    "offset below 0": (lambda s: s.recommend(2, offset=-1), errors.InvalidInput),
    "offset of 501": (lambda s: s.similar_to([1], offset=501), errors.InvalidInput),
    "offset of 10,001": (lambda s: s.movies(offset=10_001), errors.InvalidInput),
    "after of words": (lambda s: s.movies("heat", after=1), errors.InvalidCombination),
    "blank words": (lambda s: s.movies(""), errors.InvalidInput),
    "too many words": (lambda s: s.movies("w" * 201), errors.InvalidInput),
    "far too many words": (lambda s: s.movies("w" * 5000), errors.InvalidInput),
    "words that are none": (lambda s: s.movies(b"star"), errors.InvalidInput),
    "half a character": (lambda s: s.movies("\ud83c"), errors.InvalidInput),
    "unknown space": (lambda s: s.similar(3, by="sound"), errors.InvalidInput),
    "space that is none": (lambda s: s.similar_to([3], by=None), errors.InvalidInput),
    "weights without a blend": (lambda s: s.similar(3, by="poster", weights={"poster": 1}), errors.InvalidCombination),
    "weights of 0": (lambda s: s.similar(3, weights={"poster": 0}), errors.InvalidCombination),
    "no weights": (lambda s: s.similar(3, weights={}), errors.InvalidCombination),
    "weight below 0": (lambda s: s.similar(3, weights={"poster": -1}), errors.InvalidInput),
    "weight that is none": (lambda s: s.similar_to([3], weights={"poster": "much"}), errors.InvalidInput),
    "weight without end": (lambda s: s.similar(3, weights={"poster": float("inf")}), errors.InvalidInput),
    "weight of an unknown space": (lambda s: s.similar(3, weights={"sound": 1}), errors.InvalidInput),
    "weights as a text": (lambda s: s.similar(3, weights="poster:1"), errors.InvalidInput),
    "unknown genre": (lambda s: s.similar(3, genre=["Opera"]), errors.InvalidInput),
    "genre with a comma": (lambda s: s.similar(3, genre=["Sci-Fi,Action"]), errors.InvalidInput),
    "blank genre": (lambda s: s.recommend(2, genre=[""]), errors.InvalidInput),
    "genre that is none": (lambda s: s.recommend(2, genre=7), errors.InvalidInput),
    "years in disorder": (lambda s: s.similar(3, year_from=1980, year_to=1970), errors.InvalidCombination),
    "year 1": (lambda s: s.recommend(2, year_from=1), errors.InvalidInput),
    "year beyond numbers": (lambda s: s.similar(3, year_from=10**30), errors.InvalidInput),
    "one id to exclude": (lambda s: s.similar(3, exclude=5), errors.InvalidInput),
    "text to exclude": (lambda s: s.similar(3, exclude="tmdb:5"), errors.InvalidInput),
    "half an id to exclude": (lambda s: s.similar_to([3], exclude=[1.5]), errors.InvalidInput),
    "among none": (lambda s: s.similar(3, among=[]), errors.InvalidInput),
    "among too many": (lambda s: s.similar(3, among=range(10_001)), errors.InvalidInput),
    "explained by taste": (lambda s: s.similar(3, by="taste", explain=True), errors.InvalidCombination),
    "explained by taste, excluding many": (
        lambda s: s.similar(3, by="taste", explain=True, exclude=MANY),
        errors.InvalidCombination,
    ),
    "explanation by weights without a blend": (
        lambda s: s.explain(3, 4, by="taste", weights={"taste": 1}),
        errors.InvalidCombination,
    ),
    "explained by a word": (lambda s: s.similar(3, by="poster", explain="yes"), errors.InvalidInput),
    "distinct by a word": (lambda s: s.similar(3, distinct="yes"), errors.InvalidInput),
    "several distinct by a number": (lambda s: s.similar_to([3], distinct=1), errors.InvalidInput),
    "format without a width": (lambda s: s.poster(3, format="jpeg"), errors.InvalidCombination),
    "format that is none": (lambda s: s.poster(3, width=120, format="gif"), errors.InvalidInput),
    "width of 77": (lambda s: s.poster(3, width=77), errors.InvalidInput),
    "unknown movie": (lambda s: s.movie(777), errors.NotFound),
    "unknown IMDb id": (lambda s: s.similar("imdb:tt7777777"), errors.NotFound),
    "unknown movie, excluding many": (lambda s: s.similar(777, exclude=MANY), errors.NotFound),
    "no movie": (lambda s: s.movie(None), errors.InvalidInput),
    "half a movie": (lambda s: s.movie(3.5), errors.InvalidInput),
    "movie by title": (lambda s: s.movie("Starship 3"), errors.NotFound),
    "movie by a path": (lambda s: s.movie("../snapshot"), errors.NotFound),
    "movie by dots": (lambda s: s.similar(".."), errors.NotFound),
    "movie by a query": (lambda s: s.poster("3?width=120"), errors.NotFound),
    "movie by lines": (lambda s: s.movie("3\r\nHost: elsewhere"), errors.NotFound),
    "movie by half a character": (lambda s: s.movie("\ud83c"), errors.InvalidInput),
    "movie below 0": (lambda s: s.movie(-3), errors.NotFound),
    "movie beyond numbers": (lambda s: s.movie(10**30), errors.NotFound),
    "empty movie": (lambda s: s.movie(""), errors.NotFound),
    "movie without a poster": (lambda s: s.poster(20), errors.NotComparable),
    "movie without a vector": (lambda s: s.similar(20, by="poster"), errors.NotComparable),
    "movie without a vector, excluding many": (
        lambda s: s.similar(20, by="poster", exclude=MANY),
        errors.NotComparable,
    ),
    "several without a vector": (lambda s: s.similar_to([3, 20], by="poster"), errors.NotComparable),
    "several unknown": (lambda s: s.similar_to([777, "tmdb:7"]), errors.NotFound),
    "similar to none": (lambda s: s.similar_to([]), errors.InvalidInput),
    "similar to one that is no list": (lambda s: s.similar_to(3), errors.InvalidInput),
    "similar to each of none": (lambda s: s.similar_to_each([]), errors.InvalidInput),
    "similar to each of 101": (lambda s: s.similar_to_each(range(101)), errors.InvalidInput),
    "image that is none": (lambda s: s.similar_to_poster(TEXT), errors.InvalidInput),
    "image without bytes": (lambda s: s.similar_to_poster(b""), errors.InvalidInput),
    "image by name": (lambda s: s.similar_to_poster("poster.jpg"), errors.InvalidInput),
    "image of 11 MiB": (lambda s: s.similar_to_poster(HUGE), errors.InvalidInput),
    "import of no export": (lambda s: s.import_ratings(TEXT), errors.InvalidInput),
    "import of nothing": (lambda s: s.import_ratings(b""), errors.InvalidInput),
    "import of a number": (lambda s: s.import_ratings(7), errors.InvalidInput),
    "import of a missing file": (lambda s: s.import_ratings("missing.csv"), errors.InvalidInput),
    "explained without a poster": (lambda s: s.explain(3, 20), errors.NotComparable),
    "explained by facts": (lambda s: s.explain(3, 4, by="facts"), errors.InvalidInput),
    "explained unknown": (lambda s: s.explain(3, 777), errors.NotFound),
    "unknown user": (lambda s: s.recommend(4000), errors.NotFound),
    "prediction for an unknown user": (lambda s: s.predict(4000, [1]), errors.NotFound),
    "ratings of an unknown user": (lambda s: s.rated(4000), errors.NotFound),
    "user below 0": (lambda s: s.rated(-1), errors.NotFound),
    "user beyond numbers": (lambda s: s.rated(10**30), errors.NotFound),
    "recommendation for a user below 0": (lambda s: s.recommend(-1), errors.InvalidInput),
    "user by name": (lambda s: s.recommend("ann"), errors.NotFound),
    "a group of one": (lambda s: s.recommend_together([1]), errors.InvalidInput),
    "a group of eleven": (lambda s: s.recommend_together(range(1, 12)), errors.InvalidInput),
    "a group that is a name": (lambda s: s.recommend_together("ann"), errors.InvalidInput),
    "a group with an unknown user": (lambda s: s.recommend_together([1, 4000]), errors.NotFound),
    "a group by another way": (lambda s: s.recommend_together([1, 2], together="loudest"), errors.InvalidInput),
    "a group by another watchlist": (lambda s: s.recommend_together([1, 2], watchlist="mine"), errors.InvalidInput),
    "a group with another filter": (lambda s: s.recommend_together([1, 2], weights=1), errors.InvalidInput),
    "a group with a rating off the scale": (lambda s: s.recommend_together([1, {1: 11}]), errors.InvalidInput),
    "watched that is no list": (lambda s: s.recommend({1: 5}, watched=3), errors.InvalidInput),
    "rate several off the scale": (lambda s: s.rate_all(4000, {1: 5, 2: 9}), errors.InvalidInput),
    "rate several twice": (lambda s: s.rate_all(4000, {1: 5, "tmdb:1001": 4}), errors.InvalidCombination),
    "rate none": (lambda s: s.rate_all(4000, {}), errors.InvalidInput),
    "rate several by a list": (lambda s: s.rate_all(4000, [1, 2]), errors.InvalidInput),
    "delete the ratings of a user below 0": (lambda s: s.delete_ratings(-1), errors.NotFound),
    "rating off the scale": (lambda s: s.recommend({1: 11}), errors.InvalidInput),
    "rating that is none": (lambda s: s.recommend({1: float("nan")}), errors.InvalidInput),
    "rated twice": (lambda s: s.recommend({1: 4, "tmdb:1001": 5}), errors.InvalidCombination),
    "prediction of nothing": (lambda s: s.predict(2, []), errors.InvalidInput),
    "add without a title": (lambda s: s.add_movie(" "), errors.InvalidInput),
    "add a title of two lines": (lambda s: s.add_movie("Heat\nHeat"), errors.InvalidInput),
    "add a title that is none": (lambda s: s.add_movie(None), errors.InvalidInput),
    "add without a title but a poster": (lambda s: s.add_movie("", poster=image(3)), errors.InvalidInput),
    "add of the year 95": (lambda s: s.add_movie("Heat", year=95), errors.InvalidInput),
    "add a blank genre": (lambda s: s.add_movie("Heat", genres=[""], poster=image(3)), errors.InvalidInput),
    "add a wrong IMDb id": (lambda s: s.add_movie("Heat", imdb_id="0113277"), errors.InvalidInput),
    "add a taken IMDb id": (lambda s: s.add_movie("Heat", imdb_id="tt0000003"), errors.Conflict),
    "add a wrong poster": (lambda s: s.add_movie("Heat", poster=TEXT), errors.InvalidInput),
    "add a poster by name": (lambda s: s.add_movie("Heat", poster="heat.jpg"), errors.InvalidInput),
    "add movies that are none": (lambda s: s.add_movies(["Heat"]), errors.InvalidInput),
    "add movies as a text": (lambda s: s.add_movies("Heat"), errors.InvalidInput),
    "add movies with half a character": (lambda s: s.add_movies([{"title": "\ud83c"}]), errors.InvalidInput),
    "add a movie as large as a book": (lambda s: s.add_movies([{"title": "x" * 600_000}]), errors.InvalidInput),
    "add movies and update perhaps": (lambda s: s.add_movies([{"title": "Heat"}], update="no"), errors.InvalidInput),
    "replace an unknown movie": (lambda s: s.replace_movie(777, "Heat"), errors.NotFound),
    "replace by a taken TMDB id": (lambda s: s.replace_movie(3, "Heat", tmdb_id=1004), errors.Conflict),
    "update an unknown movie": (lambda s: s.update_movie(777, title="Heat"), errors.NotFound),
    "update to no title": (lambda s: s.update_movie(3, title=None), errors.InvalidInput),
    "update to a year that is none": (lambda s: s.update_movie(3, year="1995"), errors.InvalidInput),
    "update something unknown": (lambda s: s.update_movie(3, stars="5"), errors.InvalidInput),
    "update to a taken IMDb id": (lambda s: s.update_movie(3, imdb_id="tt0000004"), errors.Conflict),
    "replace the poster of an unknown movie": (lambda s: s.replace_poster(777, image(3)), errors.NotFound),
    "replace a poster by no image": (lambda s: s.replace_poster(3, TEXT), errors.InvalidInput),
    "delete an unknown movie": (lambda s: s.delete_movie(777), errors.NotFound),
    "delete a path": (lambda s: s.delete_movie("3/poster"), errors.NotFound),
    "rate off the scale": (lambda s: s.rate(4000, 1, 9), errors.InvalidInput),
    "rate without a number": (lambda s: s.rate(4000, 1, "5"), errors.InvalidInput),
    "rate an unknown movie": (lambda s: s.rate(4000, 777, 3), errors.NotFound),
    "rate by a user below 0": (lambda s: s.rate(-1, 1, 3), errors.NotFound),
    "rate by a user that is none": (lambda s: s.rate(None, 1, 3), errors.InvalidInput),
    "delete a rating of an unknown movie": (lambda s: s.delete_rating(4000, 777), errors.NotFound),
}


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse_with_the_same_error(name: str, services: Services) -> None:
    call, kind = REFUSED[name]
    documented = errors.InvalidInput if issubclass(kind, errors.InvalidInput) else kind
    with pytest.raises(kind) as local:
        call(services.index)
    with pytest.raises(documented) as remote:
        call(services.client)
    assert len(str(local.value).splitlines()) == len(str(remote.value).splitlines()) == 1


def test_a_movie_is_added_replaced_and_deleted(service: MovieService, services: Services) -> None:
    movie = service.add_movie("Meadow", year=2020, genres=["Sci-Fi", "Action"], poster=image(4))
    assert movie["movie_id"] >= FIRST_ID
    assert movie["genres"] == ["Sci-Fi", "Action"]
    for each in (services.index, services.client):  # added by either
        assert each.similar(4, by="poster", limit=1)[0]["movie"] == movie
    assert service.replace_movie(movie["movie_id"], "Hill", tmdb_id=5)["has_poster"]
    assert service.movie("tmdb:5")["title"] == "Hill"
    updated = service.update_movie("tmdb:5", imdb_id="tt7654321", genres=["Drama"])
    assert (updated["title"], updated["tmdb_id"], updated["genres"]) == ("Hill", 5, ["Drama"])
    assert service.update_movie("imdb:tt7654321", imdb_id=None, genres=None, year=None)["genres"] == []
    assert service.movie("tmdb:5")["imdb_id"] is None
    assert service.replace_poster("tmdb:5", image(14))["has_poster"]
    assert services.client.poster("tmdb:5") == services.index.poster("tmdb:5") == image(14)
    (guessed,) = service.predict(2, [movie["movie_id"]])  # nobody has rated it: by its content
    assert 0.5 <= guessed["low"] < guessed["rating"] < guessed["high"] <= 5
    service.delete_movie("tmdb:5")
    service.delete_movie(movie["movie_id"])  # again
    for each in (services.index, services.client):
        with pytest.raises(errors.NotFound, match="no movie here has the TMDB id '5'"):
            each.movie("tmdb:5")
    assert service.replace_movie(movie["movie_id"], "Back")["title"] == "Back"
    service.delete_movie(movie["movie_id"])


def test_many_movies_are_added_once_whoever_adds_them(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "MAX_ADDED", 2)  # movies of a request
    rows: list[Any] = [
        {"id": "own-1", "title": "Many 1", "year": np.int64(2001), "genres": ("Drama",)},
        {"title": "Many 2", "genres": None, "imdb_id": "tt7770002"},
        {"title": "Many 3", "year": 95},
        {"title": "Starship 3", "imdb_id": "tt0000003"},
        {"title": "Many 4", "stars": 5.0},
    ]
    first = services.client.add_movies(rows)
    assert [each["outcome"] for each in first] == ["created", "created", "refused", "exists", "refused"]
    assert [each["index"] for each in first] == list(range(5))
    again = services.index.add_movies(iter(rows))
    assert [each["outcome"] for each in again] == ["exists", "exists", "refused", "exists", "refused"]
    assert again == services.client.add_movies(rows)
    changed = [rows[0] | {"title": "Many 11"}]
    assert [each["outcome"] for each in services.index.add_movies(changed, update=True)] == ["updated"]
    for each in (services.client, services.index):
        assert (each.movie("own-1")["title"], each.movie("own-1")["source_id"]) == ("Many 11", "own-1")
        with pytest.raises(errors.Conflict, match=r"id own-1 is Many 11 .* here"):
            each.add_movie("Another", id="own-1")
        alone = each.add_movie("Alone", id="own/3")
        assert each.movie("own/3") == alone
        assert alone["source_id"] == "own/3"
        each.delete_movie("own/3")
        assert each.add_movies([]) == []
    for movie in ("own-1", "imdb:tt7770002"):
        services.client.delete_movie(movie)


def test_copies_of_a_picture_are_listed_once(service: MovieService) -> None:
    copies = {service.add_movie(f"Copy {number}", poster=image(4))["movie_id"] for number in range(2)}
    group = {4, *copies}
    lists = {
        "one": (service.similar(5, by="poster", limit=30, distinct=True), 2),
        "its own": (service.similar(4, by="poster", limit=30, distinct=True), 1),
        "several": (service.similar_to([5, 6], limit=30, distinct=True), 2),
        "each": (service.similar_to_each([5], limit=30, distinct=True)[5], 2),
        "a picture": (service.similar_to_poster(image(4), limit=30, distinct=True), 2),
    }
    for name, (found, n) in lists.items():
        assert [match["copies"] for match in found if match["movie"]["movie_id"] in group] == [n], name
        assert {match["copies"] for match in found if match["movie"]["movie_id"] not in group} == {0}, name
    assert len([match for match in service.similar(5, by="poster", limit=9) if "copies" in match]) == 0
    for movie_id in copies:
        service.delete_movie(movie_id)


def test_a_movie_with_every_member_is_the_same_for_both(services: Services) -> None:
    made = []
    for each in (services.index, services.client):
        for pictured in ({}, {"poster": image(15)}):
            movie = each.add_movie(
                '  "Émile" & <b>Co</b>; 100% ',
                year=1999,
                genres=["A/B", "Ç"],
                imdb_id="tt9999999",
                tmdb_id=99,
                **pictured,
            )
            each.delete_movie(movie["movie_id"])
            made.append({**movie, "movie_id": 0})
    assert made[0] == made[2]
    assert made[1] == made[3]
    assert made[0]["title"] == '"Émile" & <b>Co</b>; 100%'


def test_ratings_are_stored_and_deleted(service: MovieService, services: Services) -> None:
    service.rate(4000, 1, 4.5)
    service.rate(4000, "tmdb:1002", 5)
    service.rate(4000, np.int64(12), np.float32(0.5))
    assert services.index.rated(4000) == services.client.rated(4000) == {1: 4.5, 2: 5, 12: 0.5}
    assert services.index.recommend(4000) == services.client.recommend(4000)
    assert service.predict(4000, [3])[0]["rating"] > service.predict(4000, [13])[0]["rating"]
    for movie in (1, 2, 12, 12):
        service.delete_rating(4000, movie)
    with pytest.raises(errors.NotFound, match="no user 4000"):
        service.recommend(4000)


def test_many_ratings_are_stored_at_once_and_deleted_again(service: MovieService, services: Services) -> None:
    user = 5000 if service is services.index else 5001
    assert service.rate_all(user, {1: 5, "imdb:tt0000002": 4.5, 12: 0.5, 777: 3}) == ["777"]
    assert services.client.rated(user) == services.index.rated(user) == {1: 5, 2: 4.5, 12: 0.5}
    with pytest.raises(errors.InvalidInput):
        service.rate_all(user, {3: 5, 4: 11})
    assert service.rated(user) == {1: 5, 2: 4.5, 12: 0.5}  # all or none
    assert service.rate_all(user, {1: 4}) == []
    assert service.rated(user) == {1: 4, 2: 4.5, 12: 0.5}
    service.delete_ratings(user)
    service.delete_ratings(user)
    with pytest.raises(errors.NotFound):
        services.client.rated(user)


def test_a_group_s_list_is_for_all_of_it(service: MovieService) -> None:
    picks = service.recommend_together([1, {1: 5.0, 2: 4.5}], limit=100)
    assert isinstance(picks, GroupPicks)
    assert {*service.rated(1), 1, 2}.isdisjoint(each["movie"]["movie_id"] for each in picks)
    for each in picks:
        first, second = (part["rating"] or 0 for part in each["predictions"])
        assert each["mean"] == pytest.approx((first + second) / 2, abs=1e-3)
        assert each["least"] == min(first, second)
    assert picks[0]["mean"] == max(each["mean"] or 0 for each in picks)
    assert list(picks.to_dataframe().columns)[-3:] == ["mean", "least", "predictions"]
    assert f"{picks[0]['mean']:.2f}" in picks._repr_html_()


def test_a_rating_of_a_user_of_the_data_set_counts_at_once(service: MovieService) -> None:
    rated = service.rated(2)
    unrated = next(movie for movie in (*SPACE, *WEDDINGS) if movie not in rated)
    service.rate(2, unrated, 3)
    assert service.rated(2) == dict(sorted({**rated, unrated: 3}.items()))
    service.delete_rating(2, unrated)
    assert service.rated(2) == rated


def test_a_movie_added_through_one_worker_is_found_through_the_other(services: Services) -> None:
    # Each client has a connection of its own, so that both workers are asked.
    url = services.client._transport.url  # noqa: SLF001
    for number in range(5):
        movie = services.client.add_movie(f"Seen at once {number}")
        for _ in range(6):
            with posterity.Client(url) as other:
                assert other.movie(movie["movie_id"])["title"] == f"Seen at once {number}"
        services.client.delete_movie(movie["movie_id"])
        for _ in range(6):
            with posterity.Client(url) as other:
                assert not other.movies(f"seen at once {number}")


def test_a_write_without_a_key_or_with_a_wrong_one_is_unauthorised(services: Services) -> None:
    url = services.client._transport.url  # noqa: SLF001
    for options in ({}, {"api_key": "pst_wrong"}):
        with posterity.Client(url, **options) as client, pytest.raises(errors.Unauthorised, match="401") as caught:
            client.delete_movie(1)
        assert isinstance(caught.value, errors.ApiError)
        assert caught.value.status == 401


def test_a_closed_one_says_so(services: Services, world: World) -> None:
    closed = (posterity.Client(services.client._transport.url), posterity.open(world.data))  # noqa: SLF001
    for service in closed:
        service.close()
        service.close()
        for call in (lambda s: s.movie(3), lambda s: list(s.all_movies()), lambda s: s.rate(1, 1, 1)):
            with pytest.raises(errors.Closed, match="is closed"):
                call(service)
