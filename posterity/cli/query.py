"""The commands similar, predict and recommend.

Heavy imports are inside functions, so that ``posterity --help`` is fast.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posterity.cli.console import (
    NumberRange,
    data_option,
    embed_path_option,
    json_option,
    print_json,
    print_note,
    print_table,
    search_option,
)

if TYPE_CHECKING:
    from index.answers.imports import Import
    from index.answers.schemas import ExplanationAnswer, GroupPrediction, MatchAnswer, MovieAnswer
    from index.catalogue.catalogue import MovieFilter
    from index.imports.write import Layout
    from index.movie_index import MovieIndex
    from index.ratings.group_ways import Lists, Together
    from index.ratings.groups import Person
    from index.ratings.model import UserOrRatings

_EXPLAINED = 10  # contributions to show
_IMPORT_HELP = "With - for USER: ratings exported from Letterboxd, IMDb, Trakt, MovieLens, TMDB or Simkl, or a table."

k_option = click.option("-k", type=click.IntRange(1, 1000), default=10, show_default=True, help="Number of results.")


owned_option = click.option(
    "--owned", is_flag=True, help="Show only movies on the shelf that posterity scan --all found."
)


@click.command()
@click.argument("movies", nargs=-1, metavar="[MOVIE]...")
@click.option("--unlike", multiple=True, metavar="MOVIE", help="Rank movies similar to this one lower. Repeatable.")
@click.option(
    "--by",
    type=click.Choice(["poster", "taste", "facts", "blend"]),
    show_default="blend; poster with --poster",
    help="Space to compare in: poster, taste (ratings), facts (genres, year, tags), or a blend of all.",
)
@click.option(
    "--poster",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Compare an image with all posters, instead of a MOVIE.",
)
@click.option(
    "--distinct",
    is_flag=True,
    help="Show movies with the same picture as poster once: the best match, with the number of its copies.",
)
@owned_option
@k_option
@data_option
@search_option
@embed_path_option
@json_option
def similar(
    movies: tuple[str, ...],
    unlike: tuple[str, ...],
    by: str | None,
    poster: Path | None,
    distinct: bool,
    owned: bool,
    k: int,
    data: Path,
    search: str,
    embed_path: str,
    as_json: bool,
) -> None:
    """Show the nearest neighbours of MOVIE, of several together, or of an image.

    MOVIE is an id (6), imdb:tt0113277, tmdb:949, or a title in quotes.
    """
    from index.answers.serialize import percent, present_matches, present_movie, provenance
    from index.posters.images import read_image

    query: dict[str, Any]
    where = None
    if poster is not None and not movies and not unlike:
        if by not in {None, "poster"}:
            raise click.UsageError(f"An image has no {by}: leave --by out.")
        by, index = "poster", _open(data, search, embed_path)
        query, heading = {"file": str(poster)}, f"Posters similar to {poster.name}"
        where = _filter(index, owned=owned)
        matches = index.similar_to_poster(read_image(poster), k, where=where, distinct=distinct)
    elif movies and poster is None:
        by, index = by or "blend", _open(data, search)
        where = _filter(index, owned=owned)
        liked, disliked = ([index.catalogue.resolve(text, print_note) for text in side] for side in (movies, unlike))
        heading = f"Movies like {' and '.join(map(str, liked))} by {by}"
        if len(liked) == 1 and not disliked:
            query = {"movie": present_movie(index, liked[0])}
            matches = index.similar(liked[0].movie_id, k, by=by, where=where, distinct=distinct)
        else:
            sides = {"like": liked, "unlike": disliked}
            query = {name: [present_movie(index, movie) for movie in side] for name, side in sides.items()}
            heading += f", unlike {' and '.join(map(str, disliked))}" if disliked else ""
            ids = {name: [movie.movie_id for movie in side] for name, side in sides.items()}
            matches = index.similar_to(ids["like"], ids["unlike"], k, by=by, where=where, distinct=distinct)
    else:
        raise click.UsageError("Give either a MOVIE or --poster FILE.")
    shown = present_matches(index, matches)
    if as_json:
        print_json({**query, "by": by, "results": shown} | provenance(index))
        return
    rows = [
        (*_movie_cells(match["movie"]), f"{match['score']:.3f}", percent(match["percentile"]), _spaces(match, index))
        for match in shown
    ]
    columns = [*_MOVIE_COLUMNS, ("Score", "right"), ("Closer than", "right"), ("By", "left")]
    if distinct:
        columns.append(("Copies", "right"))
        rows = [(*row, str(match["copies"])) for row, match in zip(rows, shown, strict=True)]
    print_table(heading, columns, rows, _weights_note(index, by))


user_argument = click.argument("user", metavar="USER")
rated_option = click.option(
    "--rated",
    multiple=True,
    metavar="MOVIE=STARS",
    help="With - for USER: a rating of someone new, which is not stored. Repeatable.",
)


@click.command()
@user_argument
@click.argument("movies", nargs=-1, required=True, metavar="MOVIE...")
@rated_option
@click.option(
    "--import",
    "export",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help=_IMPORT_HELP,
)
@click.option("--explain", is_flag=True, help="Show the contribution of each rated movie to the first prediction.")
@data_option
@json_option
def predict(
    user: str,
    movies: tuple[str, ...],
    rated: tuple[str, ...],
    export: Path | None,
    explain: bool,
    data: Path,
    as_json: bool,
) -> None:
    """Predict ratings by USER of each MOVIE, with an 80% interval.

    USER is a number or the data set's own id, or - for someone new with ratings given by --rated or --import. A MOVIE
    is an id, imdb:tt…, tmdb:…, or a title in quotes.
    """
    from index.answers.serialize import present_explanation

    index = _open(data)
    who, name, user_id = _who(index, user, rated, _imported(index, export))
    wanted = [index.catalogue.resolve(movie, print_note).movie_id for movie in movies]
    (first,) = index.users.explain(who, wanted[:1]) if explain else [None]
    explanation = None if first is None else present_explanation(index, first, _EXPLAINED)
    _show_predictions(
        index, user_id, index.users.predict(who, wanted), f"Predicted ratings by {name}", as_json, explanation
    )


@click.command()
@click.argument("users", nargs=-1, required=True, metavar="USER...")
@rated_option
@click.option(
    "--import",
    "exports",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"{_IMPORT_HELP} Repeatable: each is another person.",
)
@click.option(
    "--together",
    type=click.Choice(["mean", "least-misery", "fair"]),
    show_default="mean",
    help="For several people: order by the mean of their ratings, by the lowest, or so that all are equally served.",
)
@click.option(
    "--watchlist", is_flag=True, help="With --import: recommend movies of its watchlist alone; of any of them."
)
@click.option("--watchlist-of-all", is_flag=True, help="For several people: only movies on the watchlist of each.")
@click.option("--seen", is_flag=True, help="For several people: movies that some have seen, but not all, too.")
@click.option(
    "--csv",
    "layout",
    type=click.Choice(["letterboxd", "imdb"]),
    help="Print the movies as CSV that this site imports, instead of a table.",
)
@k_option
@click.option(
    "--diversity",
    type=NumberRange(0, 1),
    default=0.0,
    show_default=True,
    help="Rank movies lower that are like those above them, by the blend.",
)
@click.option("--new", is_flag=True, help="Recommend only movies without ratings in the snapshot.")
@owned_option
@data_option
@search_option
@json_option
def recommend(
    users: tuple[str, ...],
    rated: tuple[str, ...],
    exports: tuple[Path, ...],
    together: Together | None,
    watchlist: bool,
    watchlist_of_all: bool,
    seen: bool,
    layout: Layout | None,
    k: int,
    new: bool,
    owned: bool,
    diversity: float,
    data: Path,
    search: str,
    as_json: bool,
) -> None:
    """Recommend movies that USER has not rated, with predicted ratings; to several people together, if there are more.

    USER is a number or the data set's own id, or - for someone new with ratings given by --rated or --import. Of an
    export, certain matches are used, and movies that were watched are left out; notes on stderr list the rest.
    """
    from index.ratings.groups import Person

    if (watchlist or watchlist_of_all) and not exports:
        raise click.UsageError("--watchlist is a part of an export: give --import FILE.")
    if layout is not None and as_json:
        raise click.UsageError("Give either --csv or --json.")
    _check_people(users, rated, exports)
    index = _open(data, search)
    if len(users) + max(len(exports) - 1, 0) > 1:
        if new or diversity:
            raise click.UsageError("--new and --diversity are for one person.")
        lists: Lists | None = "all" if watchlist_of_all else "any" if watchlist else None
        where = _filter(index, owned=owned)
        _recommend_together(index, users, rated, exports, together or "mean", lists, seen, where, k, layout, as_json)
        return
    if together is not None or watchlist_of_all or seen:
        raise click.UsageError("--together, --watchlist-of-all and --seen are for several people: name another.")
    imported = _imported(index, exports[0] if exports else None)
    who, name, user_id = _who(index, users[0], rated, imported)
    person = Person(who) if imported is None else replace(imported.person, user=who)
    where = _filter(index, owned=owned, among=person.watchlist if watchlist else None)
    found = index.users.recommend(who, k, where=where, diversity=diversity, new=new, watched=person.watched)
    if watchlist and not found:
        _say_why_empty([person], "any")
    if layout is None:
        _show_predictions(index, user_id, found, f"Recommended to {name}", as_json)
    else:
        _print_csv(index, [each.movie_id for each in found], layout)


def _filter(index: MovieIndex, *, owned: bool, among: tuple[int, ...] | None = None) -> MovieFilter | None:
    """Return the filter of the options; None without any.

    Raises:
        UsageError: the data set does not tell which movies are on the shelf.
    """
    from index.catalogue.catalogue import MovieFilter

    if owned and index.catalogue.owned is None:
        raise click.UsageError("--owned: this data set does not tell which movies are on the shelf: scan one first.")
    return MovieFilter(among=among, owned=owned or None) or None


def _check_people(users: tuple[str, ...], rated: tuple[str, ...], exports: tuple[Path, ...]) -> None:
    if users.count("-") > 1:
        raise click.UsageError("Give - once: each --import FILE is a person.")
    if (rated or exports) and "-" not in users:
        raise click.UsageError("--rated and --import are for someone new: give - for USER.")
    if rated and len(exports) > 1:
        raise click.UsageError("--rated adds to one person's ratings, and there are several --import.")


def _recommend_together(
    index: MovieIndex,
    users: tuple[str, ...],
    rated: tuple[str, ...],
    exports: tuple[Path, ...],
    together: Together,
    lists: Lists | None,
    seen: bool,
    where: MovieFilter | None,
    k: int,
    layout: Layout | None,
    as_json: bool,
) -> None:
    from index.answers.serialize import present_group, provenance
    from index.core.errors import InvalidInput
    from index.ratings.group_ways import MAX_PEOPLE
    from index.ratings.groups import Person

    people: list[Person] = []
    names = []
    for user in users:
        for export in exports if user == "-" and exports else [None]:
            imported = _imported(index, export)
            who, name, _ = _who(index, user, rated, imported)
            people.append(Person(who) if imported is None else replace(imported.person, user=who))
            names.append(name if export is None else export.name)
    if len(people) > MAX_PEOPLE:
        raise InvalidInput(f"{len(people)} people: at most {MAX_PEOPLE} are recommended to together")
    picks = index.users.recommend_together(people, k, together=together, where=where, lists=lists, seen=seen)
    if lists and not picks:
        _say_why_empty(people, lists)
    if layout is not None:
        _print_csv(index, [pick.movie_id for pick in picks], layout)
        return
    shown = present_group(index, picks)
    if as_json:
        print_json({"people": names, "together": together, "results": shown} | provenance(index))
        return
    columns, rows = _MOVIE_COLUMNS, [_movie_cells(pick["movie"]) for pick in shown]
    if not index.users.implicit:
        columns = [*columns, ("Mean", "right"), *((name, "right") for name in names)]
        rows = [
            (*row, f"{pick['mean']:.2f}", *map(_counted, pick["predictions"]))
            for row, pick in zip(rows, shown, strict=True)
        ]
    print_table(f"Recommended to {' and '.join(names)} together, by {together}", columns, rows)


def _say_why_empty(people: list[Person], lists: Lists) -> None:
    if lists == "all" and not set.intersection(*(set(person.watchlist) for person in people)):
        print_note("Nothing is left: no film is on the watchlist of each.")
    elif any(person.watchlist for person in people):
        print_note("Nothing is left: every film on the watchlist that is here was rated or watched.")
    else:
        print_note("Nothing is left: none of the films on the watchlist is here.")


def _counted(prediction: GroupPrediction) -> str:
    """Return the rating that counts; one that was given with a mark."""
    given = prediction["given"]
    return f"{prediction['rating']:.2f}" if given is None else f"{given:g} given"


def _print_csv(index: MovieIndex, movie_ids: list[int], layout: Layout) -> None:
    from index.imports.write import movies_csv

    click.echo(movies_csv([index.catalogue.movie(movie_id) for movie_id in movie_ids], layout), nl=False)


_MOVIE_COLUMNS = [("Id", "right"), ("Movie", "left"), ("Genres", "left"), ("Ratings", "right")]


def _open(data: Path, search: str = "", embed_path: str = "auto") -> MovieIndex:
    from index.movie_index import MovieIndex

    return MovieIndex.open(data, embed_path=embed_path, search=search)


def _imported(index: MovieIndex, export: Path | None) -> Import | None:
    """Return the matches of an export, and say on stderr what was found and what was not; None without one."""
    if export is None:
        return None
    from index.answers.imports import import_export
    from index.core.errors import InvalidInput

    try:
        content = export.read_bytes()
    except OSError as error:
        raise InvalidInput(f"--import {export}: cannot be read: {error.strerror}") from error
    found = import_export(index, content, export.name)
    for line in found.summary():
        print_note(line)
    return found


def _who(
    index: MovieIndex, user: str, rated: tuple[str, ...], imported: Import | None = None
) -> tuple[UserOrRatings, str, int | None]:
    """Return the user, or the ratings of someone new, with a name for headings and the user's number."""
    if user != "-":
        if rated or imported is not None:
            raise click.UsageError("--rated and --import are for someone new: give - for USER.")
        user_id = index.users.identify(user)
        return index.users.resolve(user_id), f"user {user}", user_id
    who: dict[int, float] = {}
    for text in rated:
        name, given, stars = text.rpartition("=")
        if not given or re.fullmatch(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)", stars.strip(), re.ASCII) is None:
            raise click.UsageError(f"--rated {text}: write MOVIE=STARS, such as 6=4.5")
        movie = index.catalogue.resolve(name, print_note)
        if movie.movie_id in who:
            raise click.UsageError(f"--rated {text}: {movie} (id {movie.movie_id}) is rated twice: give one rating")
        who[movie.movie_id] = float(stars)
    if imported is not None:
        who = imported.ratings | who
    elif not who:
        raise click.UsageError("Someone new needs ratings: give --rated MOVIE=STARS or --import FILE.")
    return who, "someone new", None


def _show_predictions(
    index: MovieIndex,
    user_id: int | None,
    predictions: list[Any],
    heading: str,
    as_json: bool,
    explanation: ExplanationAnswer | None = None,
) -> None:
    from index.answers.serialize import present_predictions, provenance

    shown = present_predictions(index, predictions)
    if as_json:
        explained = {} if explanation is None else {"explanation": explanation}
        print_json({"user_id": user_id, "results": shown} | explained | provenance(index))
        return
    if index.users.implicit:
        note = "Predicted ratings are off: the data set has no ratings, only who watched what."
        print_table(heading, _MOVIE_COLUMNS, [_movie_cells(p["movie"]) for p in shown], note)
        return
    rows = [
        (*_movie_cells(p["movie"]), _two_digits(each.rating), f"{p['low']:.1f} to {p['high']:.1f}")
        for p, each in zip(shown, predictions, strict=True)
    ]
    print_table(heading, [*_MOVIE_COLUMNS, ("Predicted", "right"), ("80% interval", "left")], rows)
    if explanation is not None:
        _show_explanation(shown[0]["movie"]["title"], explanation)


def _two_digits(rating: float) -> str:
    return f"{round(rating, 4):.2f}"  # as in the sum that explains it


def _show_explanation(title: str, explanation: ExplanationAnswer) -> None:
    from index.answers.serialize import rounded_base

    others = explanation["others"]
    totals = [part["total"] for part in explanation["contributions"]]
    base = rounded_base(explanation["sum"], [*totals, others["total"]], 2)
    rows: list[tuple[str, ...]] = [("", "anyone", "", f"{base:+.2f}")]
    for part, total in zip(explanation["contributions"], totals, strict=True):
        movie = _movie_cells(part["movie"])
        rows.append((movie[0], movie[1], f"{part['given']:g}", f"{total:+.2f}"))
    if others["count"]:
        rows.append(("", f"{others['count']} others", "", f"{others['total']:+.2f}"))
    rows.append(("", "sum", "", _two_digits(explanation["sum"])))
    columns = [("Id", "right"), ("Movie", "left"), ("Rated", "right"), ("Adds", "right")]
    print_table(f"Contributions to the prediction for {title}", columns, rows)


def _movie_cells(movie: MovieAnswer) -> tuple[str, ...]:
    title = movie["title"] if movie["year"] is None else f"{movie['title']} ({movie['year']})"
    return str(movie.get("source_id", movie["movie_id"])), title, ", ".join(movie["genres"]), str(movie["rating_count"])


def _spaces(match: MatchAnswer, index: MovieIndex) -> str:
    return "all" if len(match["spaces"]) == len(index.spaces) > 1 else ", ".join(match["spaces"])


def _weights_note(index: MovieIndex, by: str) -> str:
    from index.answers.serialize import weights_note

    return weights_note(index) if by in {"poster", "blend"} else ""
