"""Explanations of the similarity of two movies, by poster or by taste."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from index.catalogue.catalogue import Catalogue
from index.core.errors import NotComparable
from index.core.ids import Ids
from index.explain.cells import Baseline
from index.explain.look import LookExplanation, explain_look, poster_baseline
from index.explain.taste import TasteExplanation, explain_taste
from index.ratings.model import RatingModel
from index.spaces.lookup import space_named, space_with
from index.spaces.space import Space


class Explainer:
    """Explanations of similarity in a snapshot. Immutable, so threads may share it.

    Args:
        spaces: by name.
        catalogue: with the library's changes.
        rated: ids of the rating model's movie rows.
        ratings: model with the training ratings.
        base: explainer of the snapshot without changes, with whose posters random pairs are drawn; None if this is it.
    """

    def __init__(
        self,
        spaces: Mapping[str, Space],
        catalogue: Catalogue,
        rated: Ids,
        ratings: RatingModel,
        base: Explainer | None = None,
    ) -> None:
        self._spaces = spaces
        self._catalogue = catalogue
        self._rated = rated
        self._ratings = ratings
        self._base = base

    def look(self, movie_id: int, other_id: int) -> LookExplanation:
        """Explain poster similarity cell by cell.

        Raises:
            UnknownMovie: a movie is not in the catalogue.
            NotComparable: a movie has no poster.
            UnknownSpace: the snapshot was built without posters.
        """
        for each in (movie_id, other_id):
            space_with(self._spaces, self._catalogue, "poster", each)
        baseline = (self._base or self)._poster_baseline  # noqa: SLF001
        return explain_look(space_named(self._spaces, "poster"), baseline, movie_id, other_id)

    def taste(self, movie_id: int, other_id: int) -> TasteExplanation:
        """Explain taste similarity: common genres and how many users like both movies, against the second's base rate.

        Raises:
            UnknownMovie: a movie is not in the catalogue.
            NotComparable: a movie had no ratings when the snapshot was built.
            UnknownSpace: the snapshot was built without ratings.
        """
        first, other = (self._catalogue.movie(each) for each in (movie_id, other_id))
        for each in (movie_id, other_id):
            space_with(self._spaces, self._catalogue, "taste", each)
            if each not in self._rated or not self._ratings.counts()[self._rated.row(each)]:
                movie = self._catalogue.movie(each)
                raise NotComparable(
                    f"{movie} (id {each}) has no ratings in the snapshot, so nobody's taste explains it: its taste"
                    " vector is predicted from its content"
                )
        genres = tuple(genre for genre in first.genres if genre in other.genres)
        rows = self._rated.row(movie_id), self._rated.row(other_id)
        return explain_taste(space_named(self._spaces, "taste"), self._ratings, rows, movie_id, other_id, genres)

    @cached_property
    def _poster_baseline(self) -> Baseline:
        """Baseline of the poster space, computed on first use; threads may compute the same one twice."""
        return poster_baseline(space_named(self._spaces, "poster"))
