"""The HTTP API, version 1."""

from __future__ import annotations

import mimetypes
from typing import Any

from flask import Blueprint, Response, current_app, g, jsonify, send_file

from index.errors import UnknownMovie
from index.movie_index import MovieIndex
from index.present import (
    draw_look,
    present_explanation,
    present_look,
    present_matches,
    present_movie,
    present_predictions,
    provenance,
)
from index.ratings import Who
from index.space import Match
from server.metrics import search_seconds
from server.queries import (
    FilterQuery,
    Nothing,
    PredictionQuery,
    PredictionsBody,
    RecommendationsBody,
    SearchQuery,
    SimilarBody,
    SimilarQuery,
    identified,
    parse,
    parse_body,
)
from server.uploads import UploadQueue, uploaded_picture

api = Blueprint("api", __name__, url_prefix="/api/v1")

_EXPLAINED = 10  # contributions that are named
_POSTER_AGE = 3600  # seconds a browser may keep a poster without asking


def movie_index() -> MovieIndex:
    """The snapshot that this request is answered from, the same from its first line to its last."""
    if "movie_index" not in g:
        g.movie_index = current_app.extensions["served"].index()
    index: MovieIndex = g.movie_index
    return index


@api.get("/movies")
def search() -> Response:
    """Movies whose title has words like these, best fit first."""
    query, index = parse(SearchQuery), movie_index()
    found = index.catalogue.search(query.q, query.limit, query.offset)
    return _reply(q=query.q, results=[present_movie(index, movie) for movie in found], page=query)


@api.get("/movies/<movie>")
def movie(movie: str) -> Response:
    """What is known of a movie, and by which spaces it can be compared."""
    parse(Nothing)
    index = movie_index()
    found = index.catalogue.identify(movie)
    spaces = [name for name, space in index.spaces.items() if found.movie_id in space.ids]
    return _reply(movie=present_movie(index, found), spaces=spaces)


@api.get("/movies/<movie>/poster")
def poster(movie: str) -> Response:
    """The poster, as the file that was built from."""
    parse(Nothing)
    index = movie_index()
    file = index.poster(index.catalogue.identify(movie).movie_id)
    kind = mimetypes.guess_type(file.name)[0]
    return send_file(file.resolve(), mimetype=kind, max_age=_POSTER_AGE, conditional=True)


@api.get("/movies/<movie>/similar")
def similar(movie: str) -> Response:
    """Movies like this one, by poster, by taste, by facts or by a blend of all; by poster with why, if wanted."""
    query, index = parse(SimilarQuery), movie_index()
    found = index.catalogue.identify(movie)
    where, ignored = query.where(index.catalogue)
    with search_seconds(query.by):
        matches = index.similar(found.movie_id, query.offset + query.limit, by=query.by, where=where)[query.offset :]
    shown = present_matches(index, matches)
    if query.explain:
        for each, match in zip(shown, matches, strict=True):
            each["explanation"] = present_look(index.explain_look(found.movie_id, match.movie_id))
    return _reply(movie=present_movie(index, found), by=query.by, results=shown, page=query, ignored=ignored)


@api.get("/movies/<movie>/explanations/<other>")
def explanation(movie: str, other: str) -> Response:
    """Why the posters of two movies look alike, part by part."""
    parse(Nothing)
    index = movie_index()
    first, second = index.catalogue.identify(movie), index.catalogue.identify(other)
    look = index.explain_look(first.movie_id, second.movie_id)
    return _reply(movie=present_movie(index, first), other=present_movie(index, second), **present_look(look))


@api.get("/movies/<movie>/explanations/<other>/picture")
def explanation_picture(movie: str, other: str) -> Response:
    """The same as a picture: both posters, with colours where they are alike."""
    parse(Nothing)
    index = movie_index()
    first, second = index.catalogue.identify(movie), index.catalogue.identify(other)
    look = index.explain_look(first.movie_id, second.movie_id)
    # Two large pictures are decoded: in turn with uploads, so that memory stays bounded.
    queue: UploadQueue = current_app.extensions["upload_queue"]
    return Response(queue.run(lambda: draw_look(index, look)), mimetype="image/png")


@api.post("/similar")
def similar_to_several() -> Response:
    """Movies like all of some and unlike others, by poster, by taste, by facts or by a blend of all."""
    body, index = parse_body(SimilarBody), movie_index()
    where, ignored = body.where(index.catalogue)
    like, unknown = identified(body.like, index.catalogue)
    unlike, unheard = identified(body.unlike, index.catalogue)
    if not like:
        raise UnknownMovie(f"like: no movie here has the id {', '.join(body.like)}")
    with search_seconds(body.by):
        matches = index.similar_to(like, unlike, body.offset + body.limit, by=body.by, where=where)
    return _reply(
        by=body.by,
        results=present_matches(index, matches[body.offset :]),
        page=body,
        ignored=[*unknown, *unheard, *ignored],
    )


@api.post("/posters/similar")
def similar_to_upload() -> Response:
    """Movies whose posters look like an uploaded picture. Nothing is stored."""
    query, index = parse(FilterQuery), movie_index()
    where, ignored = query.where(index.catalogue)
    picture = uploaded_picture()
    queue: UploadQueue = current_app.extensions["upload_queue"]

    def compared() -> list[Match]:
        with search_seconds("picture"):
            return index.similar_to_poster(picture, query.offset + query.limit, where=where)

    matches = queue.run(compared)
    return _reply(by="poster", results=present_matches(index, matches[query.offset :]), page=query, ignored=ignored)


@api.get("/users/<int:user_id>/predictions/<movie>")
def prediction(user_id: int, movie: str) -> Response:
    """How a user would rate a movie, with an 80% interval and, if wanted, what each rated movie adds to it."""
    query, index = parse(PredictionQuery), movie_index()
    wanted = index.catalogue.identify(movie)
    return _reply(user_id=user_id, **_predictions(index, user_id, [wanted.movie_id], explain=query.explain)[0])


@api.post("/predictions")
def predictions_for_stranger() -> Response:
    """How someone with the ratings in the body would rate some movies. Nothing is stored."""
    body, index = parse_body(PredictionsBody), movie_index()
    who, ignored = body.who(index.catalogue)
    wanted, unknown = identified(body.movies, index.catalogue)
    return _reply(results=_predictions(index, who, wanted, explain=body.explain), ignored=[*ignored, *unknown])


@api.post("/recommendations")
def recommendations_for_stranger() -> Response:
    """What someone with the ratings in the body would pick next, with predicted ratings. Nothing is stored."""
    body, index = parse_body(RecommendationsBody), movie_index()
    who, ignored = body.who(index.catalogue)
    where, not_excluded = body.where(index.catalogue)
    predictions = index.people.recommend(who, body.offset + body.limit, where=where)
    return _reply(
        results=present_predictions(index, predictions[body.offset :]), page=body, ignored=[*ignored, *not_excluded]
    )


@api.get("/users/<int:user_id>/recommendations")
def recommendations(user_id: int) -> Response:
    """Movies that a user has not rated and would pick next, with predicted ratings."""
    query, index = parse(FilterQuery), movie_index()
    where, ignored = query.where(index.catalogue)
    predictions = index.people.recommend(user_id, query.offset + query.limit, where=where)
    return _reply(
        user_id=user_id,
        results=present_predictions(index, predictions[query.offset :]),
        page=query,
        ignored=ignored,
    )


@api.get("/snapshot")
def snapshot() -> Response:
    """The manifest of the snapshot that is served."""
    parse(Nothing)
    manifest = movie_index().manifest.to_json()
    return jsonify({name: value for name, value in manifest.items() if name != "files"} | provenance(movie_index()))


def _predictions(index: MovieIndex, who: Who, movie_ids: list[int], *, explain: bool) -> list[dict[str, Any]]:
    shown = present_predictions(index, index.people.predict(who, movie_ids))
    if explain:
        for each, movie_id in zip(shown, movie_ids, strict=True):
            each["explanation"] = present_explanation(index, index.people.explain(who, movie_id), _EXPLAINED)
    return shown


def _reply(*, page: Any = None, **members: Any) -> Response:
    """A reply with its provenance, and with limit and offset where it is a list."""
    if page is not None:
        members |= {"limit": page.limit, "offset": page.offset}
    return jsonify(members | provenance(movie_index()))
