"""Routes of movies: title search, nearest neighbours, explanations, posters."""

from __future__ import annotations

import hashlib

from flask import Response, current_app, request

from index.answers.schemas import MatchAnswer, MatchId
from index.answers.serialize import (
    draw_look,
    explained_matches,
    lean_matches,
    lean_movies,
    present_blend,
    present_look,
    present_matches,
    present_movie,
    present_taste,
    provenance,
)
from index.catalogue.catalogue import MovieFilter
from index.core.errors import BadImage, UnknownMovie
from index.movie_index import MovieIndex
from index.posters.formats import format_of
from index.snapshot.poster_files import SHOWN
from index.spaces.space import Match
from server.api.blueprint import api
from server.api.long_requests import bounded
from server.api.operation import operation
from server.api.requests import (
    BatchBody,
    DistinctQuery,
    ExplanationQuery,
    Fields,
    PosterQuery,
    SearchQuery,
    SimilarBody,
    SimilarQuery,
    identified,
    list_page,
    page,
)
from server.api.responses import (
    Alike,
    BatchReply,
    BlendReply,
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

_POSTER_AGE = 365 * 24 * 3600  # seconds for which browsers may use a poster of a known content without a request


@api.get("/movies")
@operation()
def search(query: SearchQuery) -> MoviesReply:
    """Return movies by title, best match first. Word beginnings and typing errors match too.

    The data set's own id finds its movie first.
    """
    index = movie_index()
    owned = query.known_owned(index.catalogue)
    following: list[int] = []
    if query.q is None:
        found = index.catalogue.listed(query.limit + 1, query.offset, after=query.after, owned=owned)
        following = [movie.movie_id for movie in found]
        del found[query.limit :]
    else:
        found = index.catalogue.search(query.q, query.limit, query.offset, owned=owned)
    shown = lean_movies(found) if query.fields == "ids" else [present_movie(index, movie) for movie in found]
    return {"q": query.q, "results": shown, **list_page(index, query, following)}


@api.get("/movies/<movie>")
@operation()
def movie(movie: str) -> MovieReply:
    """Return a movie, and the spaces that have a vector of it."""
    index = movie_index()
    found = index.catalogue.identify(movie)
    spaces = [name for name, space in index.spaces.items() if found.movie_id in space.ids]
    return {"movie": present_movie(index, found), "spaces": spaces, **provenance(index)}


@api.get("/movies/<movie>/poster")
@operation(media="image/*")
def poster(movie: str, query: PosterQuery) -> Response:
    """Return the poster: the original file; with ``width`` a small one, as WebP or JPEG.

    An address with ``content`` may be cached for as long as the poster has that content.
    """
    index = movie_index()
    found = index.catalogue.identify(movie)
    file = index.poster(found.movie_id)
    thumbnails: Thumbnails = current_app.extensions["thumbnails"]
    try:
        if query.width is None:
            picture = file.read_bytes()  # at most 10 MiB, and hashed as sent: a build may replace the file
            content = hashlib.sha256(picture).hexdigest()[:SHOWN]
            kind = format_of(picture).media_type
            tag = content
        else:
            form = query.format or "webp"
            kind = f"image/{form}"
            picture, content = thumbnails.get(file, query.width, form)
            tag = f"{content}-{query.width}" if form == "webp" else f"{content}-{query.width}-{form}"
    except (BadImage, OSError) as error:
        raise UnknownMovie(f"the poster of {found} (id {found.movie_id}) can no longer be read") from error
    response = Response(picture, mimetype=kind)
    response.set_etag(tag)
    if query.content == content:
        response.cache_control.max_age = _POSTER_AGE
        response.cache_control.immutable = True
    else:
        response.cache_control.no_cache = True
    response.make_conditional(request, accept_ranges=True, complete_length=len(picture))
    return response


@api.get("/movies/<movie>/similar")
@operation()
def similar(movie: str, query: SimilarQuery) -> SimilarReply:
    """Return the nearest neighbours of a movie by poster, taste, facts or a blend.

    Matches by poster and by blend may have explanations.
    """
    index = movie_index()
    found = index.catalogue.identify(movie)
    where, ignored = query.where(index.catalogue)
    with search_seconds(query.by):
        matches = index.similar(
            found.movie_id,
            query.offset + query.limit,
            by=query.by,
            where=where,
            weights=query.weighed,
            distinct=query.distinct,
        )[query.offset :]
    shown: list[MatchAnswer] | list[MatchId]
    if query.explain and query.fields == "all":
        shown = explained_matches(index, found.movie_id, matches, query.by, query.weighed)
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
def explanation(movie: str, other: str, query: ExplanationQuery) -> LookReply | TasteReply | BlendReply:
    """Explain the score of two movies by poster, taste or blend.

    By poster, cell by cell; by taste, with the number of users who like both; by blend, with the contribution of each
    space.
    """
    index = movie_index()
    first, second = index.catalogue.identify(movie), index.catalogue.identify(other)
    both: Both = {"movie": present_movie(index, first), "other": present_movie(index, second)}
    if query.by == "taste":
        taste = index.explainer.taste(first.movie_id, second.movie_id)
        return {**both, **present_taste(taste), **provenance(index)}
    if query.by == "blend":
        (blend,) = index.explain_blend(first.movie_id, [second.movie_id], query.weighed)
        return {**both, **present_blend(blend), **provenance(index)}
    look = index.explainer.look(first.movie_id, second.movie_id)
    return {**both, **present_look(look), **provenance(index)}


@api.get("/movies/<movie>/explanations/<other>/picture")
@operation(kind="upload", media="image/png")
def explanation_picture(movie: str, other: str) -> Response:
    """Return the explanation by poster as a picture: both posters, coloured by likeness of their cells."""
    index = movie_index()
    first, second = index.catalogue.identify(movie), index.catalogue.identify(other)
    look = index.explainer.look(first.movie_id, second.movie_id)
    # Decodes two large pictures: queued with the uploads, to bound memory.
    queue: UploadQueue = current_app.extensions["upload_queue"]
    return Response(queue.run(lambda: draw_look(index, look)), mimetype="image/png")


@api.post("/similar")
@operation()
def similar_to_several(body: SimilarBody) -> MatchesReply:
    """Return movies like all of several and unlike others, by poster, taste, facts or a blend."""
    index = movie_index()
    where, ignored = body.where(index.catalogue)
    like, unknown = identified(body.like, index.catalogue)
    unlike, unheard = identified(body.unlike, index.catalogue)
    if not like:
        raise UnknownMovie(f"like: no movie here has the id {', '.join(body.like)}")
    with search_seconds(body.by):
        matches = index.similar_to(
            like,
            unlike,
            body.offset + body.limit,
            by=body.by,
            where=where,
            weights=body.weighed,
            distinct=body.distinct,
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
    """Return the nearest neighbours of each of up to 100 movies, as one request per movie would."""
    index = movie_index()
    where, ignored = body.where(index.catalogue)
    wanted, unknown = identified(body.movies, index.catalogue)

    def results() -> list[Alike]:
        return [alike for movie_id in wanted if (alike := _alike(index, movie_id, body, where))]

    found = bounded(len(wanted), results)
    compared = {each["movie"]["movie_id"] for each in found}
    unknown += [str(movie_id) for movie_id in wanted if movie_id not in compared]  # without a poster, for one
    return {"by": body.by, "results": found, "ignored": [*unknown, *ignored], **provenance(index)}


def _alike(index: MovieIndex, movie_id: int, body: BatchBody, where: MovieFilter) -> Alike | None:
    """Return a movie with its neighbours; None if it cannot be compared."""
    try:
        with search_seconds(body.by):
            matches = index.similar(
                movie_id,
                body.offset + body.limit,
                by=body.by,
                where=where,
                weights=body.weighed,
                distinct=body.distinct,
            )
    except UnknownMovie:
        return None
    found = index.catalogue.movie(movie_id)
    one = lean_movies([found])[0] if body.fields == "ids" else present_movie(index, found)
    return {"movie": one, "results": _shown(index, matches[body.offset :], body.fields)}


@api.post("/posters/similar")
@operation(kind="upload", picture=True)
def similar_to_upload(query: DistinctQuery) -> MatchesReply:
    """Return the movies whose posters are nearest to an uploaded picture. Nothing is stored.

    The filter may be in the query or in the form, which takes long lists; each member in one of them.
    """
    index = movie_index()
    where, ignored = query.where(index.catalogue)
    index.space("poster")
    picture = uploaded_picture(DistinctQuery.model_fields)
    queue: UploadQueue = current_app.extensions["upload_queue"]

    def compared() -> list[Match]:
        with search_seconds("picture"):
            return index.similar_to_poster(picture, query.offset + query.limit, where=where, distinct=query.distinct)

    matches = queue.run(compared)
    return {
        "by": "poster",
        "results": _shown(index, matches[query.offset :], query.fields),
        "ignored": ignored,
        **page(index, query),
    }


def _shown(index: MovieIndex, matches: list[Match], fields: Fields) -> list[MatchAnswer] | list[MatchId]:
    return lean_matches(matches) if fields == "ids" else present_matches(index, matches)
