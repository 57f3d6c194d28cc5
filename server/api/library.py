"""Routes that change the library: movies, posters and ratings. They respond once the change is on disk."""

from __future__ import annotations

import hashlib
import re
from typing import TypeVar

from flask import Response, current_app, g, request, url_for
from pydantic_core import to_json

from index.answers.additions import add_rows
from index.answers.serialize import present_movie, present_user, provenance
from index.core.errors import InvalidInput
from index.library.checks import Expected, existing
from index.library.entries import Poster
from index.library.movies import Library, Request
from index.library.rating_log import RatingLog
from index.movie_index import MovieIndex
from server.api.blueprint import api
from server.api.changes import MovieBody, MoviePatch, MoviesBody, NewMovieBody, RatingBody
from server.api.long_requests import bounded
from server.api.operation import operation, version_in
from server.api.parsing import filled_members, parse_body, parse_form
from server.api.people import RatingsBody
from server.api.requests import check_rating, rated
from server.api.responses import AddedReply, MovieReply, RatingReply, StoredReply
from server.media.uploads import UploadQueue, sent_files, uploaded_picture
from server.middleware.access import present_key
from server.state.current_snapshot import changed_index, movie_index

Body = TypeVar("Body", bound=MovieBody)


@api.post("/movies")
@operation(kind="write", status=201, picture=True, idempotency_key=True)
def add_movie() -> Response:
    """Add a movie, with its poster if a form has one, and return it with its new id.

    With an ``Idempotency-Key`` the request may be repeated: the movie is added once. With an ``id`` of your own, that
    no movie has, it can be found by that, and is one movie with that of a data set with this id.
    """
    index, library = movie_index(), _library()
    body, picture = _movie_and_poster(NewMovieBody)
    again = _request(body, picture)
    movie_id = None if again is None else library.added_by(again)
    if movie_id is None:
        row, poster = body.row(), _prepared(index, picture)
        movie_id = library.add(row.movie, poster, own_id=row.own_id, catalogue=index.catalogue, request=again)
    reply = _changed_movie(movie_id)
    place = url_for("api.movie", movie=movie_id)
    return Response(to_json(reply), 201, {"Location": place}, mimetype="application/json")


@api.post("/movies/batch")
@operation(kind="write")
def add_movies(body: MoviesBody) -> AddedReply:
    """Add up to 1,000 movies without posters, each by itself; return for every one whether it was added, or why not.

    A movie is here already if its own `id` is, its IMDb or TMDB id, or, without different ids, its title with its year;
    then nothing changes, unless `update` is true. So the request may be repeated. All are added in one transaction.
    """
    index = movie_index()
    results = bounded(len(body.movies), lambda: add_rows(index, _library(), body.rows(), update=body.update))
    return {"results": results, **provenance(changed_index())}


@api.put("/movies/<movie>")
@operation(kind="write", picture=True, if_match=True)
def replace_movie(movie: str) -> MovieReply:
    """Replace a movie's data, or restore a deleted movie.

    Its ratings are kept, and so is its poster unless a form has another.
    """
    index, library = movie_index(), _library()
    movie_id = library.known_id(index.catalogue, movie)
    body, picture = _movie_and_poster(MovieBody)
    poster = _prepared(index, picture)
    library.put(body.movie(movie_id), poster, catalogue=index.catalogue, expected=_expected(index))
    return _changed_movie(movie_id)


@api.patch("/movies/<movie>")
@operation(kind="write", if_match=True)
def update_movie(movie: str, body: MoviePatch) -> MovieReply:
    """Change some of a movie's data, by a JSON merge patch (RFC 7396).

    Members that are left out stay as they are; null deletes one.
    """
    index = movie_index()
    movie_id = index.catalogue.identify(movie).movie_id
    _library().edit(movie_id, body.applied_to, catalogue=index.catalogue, expected=_expected(index))
    return _changed_movie(movie_id)


@api.put("/movies/<movie>/poster")
@operation(kind="write", picture=True, if_match=True)
def replace_poster(movie: str) -> MovieReply:
    """Replace the poster of a movie."""
    index = movie_index()
    movie_id = index.catalogue.identify(movie).movie_id
    poster = _prepared(index, uploaded_picture())
    _library().edit(movie_id, existing, poster, catalogue=index.catalogue, expected=_expected(index))
    return _changed_movie(movie_id)


@api.delete("/movies/<movie>")
@operation(kind="write", status=204, if_match=True)
def remove_movie(movie: str) -> None:
    """Delete a movie and its ratings. Deleting it again changes nothing."""
    index, library = movie_index(), _library()
    library.remove(library.known_id(index.catalogue, movie), expected=_expected(index))


@api.put("/users/<user_id>/ratings/<movie>")
@operation(kind="write", if_match=True)
def rate(user_id: int, movie: str, body: RatingBody) -> RatingReply:
    """Store a user's rating of a movie. Predictions and recommendations for the user include it from now on.

    A rating of a movie added since the build counts for predictions of that movie at once, and tells about the user
    from the next build on.

    Anyone may read it, by the user's id, unless the server asks for a key (`--user-keys` or `--read-keys`).
    """
    index = movie_index()
    found = index.catalogue.identify(movie)
    check_rating(body.rating, index.users.scale)
    expected = _expected(index, rating=(user_id, found.movie_id))
    g.version = index.version_after(
        _log().put(user_id, found.movie_id, body.rating, expected=expected, name=_new_name(index, user_id))
    )
    return {
        **present_user(index, user_id),
        "movie": present_movie(index, found),
        "rating": body.rating,
        **provenance(index),
    }


@api.delete("/users/<user_id>/ratings/<movie>")
@operation(kind="write", status=204, if_match=True)
def take_rating_back(user_id: int, movie: str) -> None:
    """Delete a user's rating of a movie. Deleting it again changes nothing."""
    index = movie_index()
    movie_id = index.catalogue.identify(movie).movie_id
    _log().remove(user_id, movie_id, expected=_expected(index, rating=(user_id, movie_id)))


@api.post("/users/<user_id>/ratings")
@operation(kind="write")
def rate_several(user_id: int, body: RatingsBody) -> StoredReply:
    """Store ratings of a user, all of them or none: those of an import, for example.

    Ratings of other movies stay as they are. Anyone may read them, by the user's id, unless the server asks for a key.
    """
    index = movie_index()
    ratings, ignored = rated(body.ratings, index.catalogue, index.users.scale)
    if ratings:
        g.version = index.version_after(_log().put_all(user_id, ratings, name=_new_name(index, user_id)))
    return {**present_user(index, user_id), "stored": len(ratings), "ignored": ignored, **provenance(index)}


@api.delete("/users/<user_id>/ratings")
@operation(kind="write", status=204)
def take_ratings_back(user_id: int) -> None:
    """Delete all ratings of a user, those of the data set, too. Deleting them again changes nothing."""
    index = movie_index()
    _log().remove_all(user_id, index.users.rated(user_id))


def _library() -> Library:
    library: Library = current_app.extensions["library"]
    return library


def _log() -> RatingLog:
    return RatingLog(_library().database)


def _new_name(index: MovieIndex, user_id: int) -> str | None:
    """Return the name of a new user, to be kept, from the path of the request."""
    return index.users.new_name((request.view_args or {})["user_id"], user_id)


def _movie_and_poster(model: type[Body]) -> tuple[Body, bytes | None]:
    """Return the movie of a JSON body or a form, and the form's poster."""
    if request.mimetype != "multipart/form-data":
        return parse_body(model), None
    body = parse_form(model, filled_members())
    return body, uploaded_picture(model.model_fields) if sent_files() else None


def _request(body: MovieBody, picture: bytes | None) -> Request | None:
    """Return the identity of an idempotent request; None without a key. API keys do not share idempotency keys."""
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    if not re.fullmatch(r"[\x21-\x7e]{1,255}", given, re.ASCII):
        raise InvalidInput(
            f"Idempotency-Key: {given[:100]!r} is not one: give 1 to 255 printable characters without spaces"
        )
    key = present_key()
    whose = f"{'' if key is None else key.key_id} {given}"
    content = body.model_dump_json().encode() + (picture or b"")
    return Request(hashlib.sha256(whose.encode()).hexdigest(), hashlib.sha256(content).hexdigest())


def _prepared(index: MovieIndex, picture: bytes | None) -> Poster | None:
    """Return the poster with its embedding, computed in the upload queue."""
    if picture is None:
        return None
    queue: UploadQueue = current_app.extensions["upload_queue"]
    return queue.run(lambda: index.prepared(picture))


def _expected(index: MovieIndex, *, rating: tuple[int, int] | None = None) -> Expected | None:
    """Return the check of If-Match: nothing has changed since a response with one of these ETags.

    Args:
        index: of the request.
        rating: user and movie of the rating to be changed; None if it is a movie.
    """
    if "If-Match" not in request.headers:
        return None
    wanted = request.if_match
    # Of a rating without changes in the library.
    rated = rating is None or rating[1] in index.users.rated(rating[0])

    def seen(seq: int, exists: bool) -> bool:
        known = any(index.has_seen(version_in(tag), seq, rating=rating is not None) for tag in wanted.as_set())
        return known or (wanted.star_tag and exists and (seq > 0 or rated))

    return seen


def _changed_movie(movie_id: int) -> MovieReply:
    """Return a movie after its change, of an index that has it."""
    index = changed_index()
    spaces = [name for name, space in index.spaces.items() if movie_id in space.ids]
    return {"movie": present_movie(index, index.catalogue.movie(movie_id)), "spaces": spaces, **provenance(index)}
