"""Why two movies are alike: their posters part by part, or the people who love both."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from index.catalogue.catalogue import Catalogue
from index.core.ids import Ids
from index.explain.cells import Baseline
from index.explain.look import LookExplanation, baseline_look, explain_look
from index.explain.taste import TasteExplanation, explain_taste
from index.ratings.model import RatingModel
from index.spaces.lookup import space_named, space_with
from index.spaces.space import Space


class Explainer:
    """Explanations of a snapshot's likenesses. Never changes, so threads may share it.

    Args:
        rated: the movies that the rating model's rows are of.
    """

    def __init__(self, spaces: Mapping[str, Space], catalogue: Catalogue, rated: Ids, ratings: RatingModel) -> None:
        self._spaces = spaces
        self._catalogue = catalogue
        self._rated = rated
        self._ratings = ratings

    def look(self, movie_id: int, other_id: int) -> LookExplanation:
        """Why two posters look alike, part by part.

        Raises:
            UnknownMovie: there is no such movie.
            NotComparable: it has no poster.
            UnknownSpace: this snapshot was built without posters.
        """
        for each in (movie_id, other_id):
            space_with(self._spaces, self._catalogue, "poster", each)
        return explain_look(space_named(self._spaces, "poster"), self._usual_look, movie_id, other_id)

    def taste(self, movie_id: int, other_id: int) -> TasteExplanation:
        """Why two movies are loved alike: the people who love both, and the genres that both have.

        Raises:
            UnknownMovie: there is no such movie.
            NotComparable: nobody had rated it when this snapshot was built.
            UnknownSpace: this snapshot was built without ratings.
        """
        first, other = (self._catalogue.movie(each) for each in (movie_id, other_id))
        for each in (movie_id, other_id):
            space_with(self._spaces, self._catalogue, "taste", each)
        genres = tuple(genre for genre in first.genres if genre in other.genres)
        rows = self._rated.row(movie_id), self._rated.row(other_id)
        return explain_taste(space_named(self._spaces, "taste"), self._ratings, rows, movie_id, other_id, genres)

    @cached_property
    def _usual_look(self) -> Baseline:
        """Found when it is first asked for; threads that ask at once find the same."""
        return baseline_look(space_named(self._spaces, "poster"))
