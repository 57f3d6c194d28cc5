"""What the API says of movies: found by title, alike, explained."""

from __future__ import annotations

import mimetypes

from flask import Response, current_app, request, send_file

from index.answers.schemas import MatchAnswer, MatchId
from index.answers.serialize import (
    draw_look,
    lean_matches,
    lean_movies,
    present_look,
    present_matches,
    present_movie,
    present_taste,
    provenance,
)
from index.core.errors import BadImage, UnknownMovie
from index.movie_index import MovieIndex
from index.spaces.space import Match
from server.api.blueprint import api
from server.api.operation import operation
from server.api.requests import (
    BatchBody,
    ExplanationQuery,
    Fields,
    FilterQuery,
    PosterQuery,
    SearchQuery,
    SimilarBody,
    SimilarQuery,
    identified,
    page,
)
from server.api.responses import (
    Alike,
    BatchReply,
    Both,
    LookReply,
    MatchesReply,
    MovieReply,
    MoviesReply,
    SimilarReply,
    TasteReply,
)
from server.media.thumbnails import Thumbnails
from server.media.uploads import UploadQueue, uploaded_picture
from server.middleware.metrics import search_seconds
from server.state.current_snapshot import movie_index

_POSTER_AGE = 3600  # seconds a browser may keep a poster without asking


@api.get("/movies")
@operation()
def search(query: SearchQuery) -> MoviesReply:
    """Movies whose title has words like these, best fit first."""
    index = movie_index()
    if query.q is None:
        found = list(index.catalogue.movies[query.offset : query.offset + query.limit])
    else:
        found = index.catalogue.search(query.q, query.limit, query.offset)
    shown = lean_movies(found) if query.fields == "ids" else [present_movie(index, movie) for movie in found]
    return {"q": query.q, "results": shown, **page(index, query)}


@api.get("/movies/<movie>")
@operation()
def movie(movie: str) -> MovieReply:
    """What is known of a movie, and by which spaces it can be compared."""
    index = movie_index()
    found = index.catalogue.identify(movie)
    spaces = [name for name, space in index.spaces.items() if found.movie_id in space.ids]
    return {"movie": present_movie(index, found), "spaces": spaces, **provenance(index)}


@api.get("/movies/<movie>/poster")
@operation(media="image/*")
def poster(movie: str, query: PosterQuery) -> Response:
    """The poster, as the file that was built from; with ``width`` a small one, as WebP."""
    index = movie_index()
    found = index.catalogue.identify(movie)
    file = index.poster(found.movie_id)
    if query.width is None:
        kind = mimetypes.guess_type(file.name)[0]
        return send_file(file.resolve(), mimetype=kind, max_age=_POSTER_AGE, conditional=True)
    thumbnails: Thumbnails = current_app.extensions["thumbnails"]
    try:
        content, tag = thumbnails.get(file, query.width)
    except (BadImage, OSError) as error:
        raise UnknownMovie(f"the poster of {found} (id {found.movie_id}) can no longer be read") from error
    response = Response(content, mimetype="image/webp")
    response.set_etag(tag)
    response.cache_control.max_age = _POSTER_AGE
    response.make_conditional(request)
    return response


@api.get("/movies/<movie>/similar")
@operation()
def similar(movie: str, query: SimilarQuery) -> SimilarReply:
    """Movies like this one, by poster, by taste, by facts or by a blend of all; by poster with why, if wanted."""
    index = movie_index()
    found = index.catalogue.identify(movie)
    where, ignored = query.where(index.catalogue)
    with search_seconds(query.by):
        matches = index.similar(
            found.movie_id, query.offset + query.limit, by=query.by, where=where, weights=query.weighed
        )[query.offset :]
    shown: list[MatchAnswer] | list[MatchId]
    if query.explain and query.fields == "all":
        shown = present_matches(index, matches)
        for each, match in zip(shown, matches, strict=True):
            each["explanation"] = present_look(index.explainer.look(found.movie_id, match.movie_id))
    else:
        shown = _shown(index, matches, query.fields)
    return {
        "movie": present_movie(index, found),
        "by": query.by,
        "results": shown,
        "ignored": ignored,
        **page(index, query),
    }


@api.get("/movies/<movie>/explanations/<other>")
@operation()
def explanation(movie: str, other: str, query: ExplanationQuery) -> LookReply | TasteReply:
    """Why the posters of two movies look alike, part by part; or by taste, how many people love both."""
    index = movie_index()
    first, second = index.catalogue.identify(movie), index.catalogue.identify(other)
    both: Both = {"movie": present_movie(index, first), "other": present_movie(index, second)}
    if query.by == "taste":
        taste = index.explainer.taste(first.movie_id, second.movie_id)
        return {**both, **present_taste(taste), **provenance(index)}
    look = index.explainer.look(first.movie_id, second.movie_id)
    return {**both, **present_look(look), **provenance(index)}


@api.get("/movies/<movie>/explanations/<other>/picture")
@operation(kind="upload", media="image/png")
def explanation_picture(movie: str, other: str) -> Response:
    """The same as a picture: both posters, with colours where they are alike."""
    index = movie_index()
    first, second = index.catalogue.identify(movie), index.catalogue.identify(other)
    look = index.explainer.look(first.movie_id, second.movie_id)
    # Two large pictures are decoded: in turn with uploads, so that memory stays bounded.
    queue: UploadQueue = current_app.extensions["upload_queue"]
    return Response(queue.run(lambda: draw_look(index, look)), mimetype="image/png")


@api.post("/similar")
@operation()
def similar_to_several(body: SimilarBody) -> MatchesReply:
    """Movies like all of some and unlike others, by poster, by taste, by facts or by a blend of all."""
    index = movie_index()
    where, ignored = body.where(index.catalogue)
    like, unknown = identified(body.like, index.catalogue)
    unlike, unheard = identified(body.unlike, index.catalogue)
    if not like:
        raise UnknownMovie(f"like: no movie here has the id {', '.join(body.like)}")
    with search_seconds(body.by):
        matches = index.similar_to(
            like, unlike, body.offset + body.limit, by=body.by, where=where, weights=body.weighed
        )
    return {
        "by": body.by,
        "results": _shown(index, matches[body.offset :], body.fields),
        "ignored": [*unknown, *unheard, *ignored],
        **page(index, body),
    }


@api.post("/similar/batch")
@operation()
def similar_to_each(body: BatchBody) -> BatchReply:
    """Movies like each of up to 100 others, as one would ask for each by itself."""
    index = movie_index()
    where, ignored = body.where(index.catalogue)
    wanted, unknown = identified(body.movies, index.catalogue)
    results: list[Alike] = []
    for movie_id in wanted:
        found = index.catalogue.movie(movie_id)
        try:
            with search_seconds(body.by):
                matches = index.similar(
                    movie_id, body.offset + body.limit, by=body.by, where=where, weights=body.weighed
                )
        except UnknownMovie:  # it has no poster, say
            unknown.append(str(movie_id))
            continue
        one = lean_movies([found])[0] if body.fields == "ids" else present_movie(index, found)
        results.append({"movie": one, "results": _shown(index, matches[body.offset :], body.fields)})
    return {"by": body.by, "results": results, "ignored": [*unknown, *ignored], **provenance(index)}


@api.post("/posters/similar")
@operation(kind="upload", picture=True)
def similar_to_upload(query: FilterQuery) -> MatchesReply:
    """Movies whose posters look like an uploaded picture. Nothing is stored."""
    index = movie_index()
    where, ignored = query.where(index.catalogue)
    index.space("poster")
    picture = uploaded_picture()
    queue: UploadQueue = current_app.extensions["upload_queue"]

    def compared() -> list[Match]:
        with search_seconds("picture"):
            return index.similar_to_poster(picture, query.offset + query.limit, where=where)

    matches = queue.run(compared)
    return {
        "by": "poster",
        "results": _shown(index, matches[query.offset :], query.fields),
        "ignored": ignored,
        **page(index, query),
    }


def _shown(index: MovieIndex, matches: list[Match], fields: Fields) -> list[MatchAnswer] | list[MatchId]:
    return lean_matches(matches) if fields == "ids" else present_matches(index, matches)
