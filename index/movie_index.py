"""The facade: everything that the command and the server ask of a snapshot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from index import blend as blends
from index import vgg16
from index.blend import Blend
from index.catalogue import Catalogue, Movie, Where
from index.duplicates import Duplicates, find_duplicates
from index.errors import UnknownMovie, UnknownSpace
from index.images import decode_image, pixels_for_vgg16
from index.ratings import Explanation, Prediction, RatingModel, Who
from index.snapshot import Manifest, SnapshotStore
from index.space import Mask, Match, Neighbours, Space, load_neighbours
from index.track import Track, silent


class MovieIndex:
    """One opened snapshot. Never changes, so threads may share it.

    Args:
        data: the data directory, where posters and weights are.
    """

    def __init__(
        self,
        data: Path,
        manifest: Manifest,
        catalogue: Catalogue,
        spaces: Mapping[str, Space],
        blended: Neighbours,
        ratings: RatingModel,
    ) -> None:
        self.manifest = manifest
        self.catalogue = catalogue
        self.spaces = spaces
        self._data = data
        self._blend = Blend(spaces, manifest.blend, catalogue.ids)
        self._blended = blended
        self._ratings = ratings
        # Space row -> catalogue row, to turn a filter over movies into one over a space.
        self._rows = {name: catalogue.ids.find(space.ids.values) for name, space in spaces.items()}

    @classmethod
    def open(cls, data: Path, snapshot_id: str | None = None) -> MovieIndex:
        """The snapshot ``snapshot_id``, or the current one, after every file was checked.

        Raises:
            UnknownSnapshot: there is no such snapshot, or none at all.
            BadSnapshot: a file is missing or damaged; the message names it.
        """
        store = SnapshotStore(data)
        folder = store.path(snapshot_id)
        manifest = store.verify(folder.name)
        catalogue = Catalogue.from_json(json.loads((folder / "movies.json").read_bytes()))
        ratings = RatingModel.load(folder, catalogue.ids, manifest.ratings)
        spaces = {name: Space.load(name, folder / name) for name in manifest.spaces}
        return cls(data, manifest, catalogue, spaces, load_neighbours(folder / blends.NAME), ratings)

    @property
    def ways(self) -> tuple[str, ...]:
        """What ``similar`` takes for ``by`` here."""
        return (*self.spaces, blends.NAME)

    def similar(self, movie_id: int, k: int = 10, *, by: str = blends.NAME, where: Where | None = None) -> list[Match]:
        """The ``k`` most alike other movies, best first; fewer only where fewer qualify.

        Args:
            by: a space of this snapshot, or ``blend``.
            where: which movies may come back.

        Raises:
            UnknownMovie: there is no such movie, or it has no vector in the space.
            UnknownSpace: this snapshot was built without it.
        """
        movie = self.catalogue.movie(movie_id)
        allowed = self.catalogue.allowed(where) if where else None
        if by == blends.NAME:
            return self._blend.similar(movie_id, k, allowed=allowed, stored=self._blended)
        space = self.space(by)
        if movie_id not in space.ids:
            raise UnknownMovie(f"{movie} (id {movie_id}) has {_LACKS.get(by, f'no {by}')}: {self._other_ways(movie)}")
        return space.similar(movie_id, k, allowed=self._within(by, allowed))

    def similar_to_poster(self, image: bytes, k: int = 10, *, where: Where | None = None) -> list[Match]:
        """The ``k`` movies whose posters look most like an uploaded picture, best first. Nothing is stored.

        Raises:
            BadImage: the bytes are not a picture that can be used.
            UnknownSpace: this snapshot was built without posters.
            BadWeights: the weights that the posters were embedded with are gone.
        """
        space = self.space("poster")
        vector = self.embed(image)
        return space.search(vector, k, allowed=self._within("poster", self.catalogue.allowed(where) if where else None))

    def embed(self, image: bytes) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """The unit vector (25088,) of a picture, by the weights that this snapshot's posters were embedded with.

        Raises:
            BadImage: the bytes are not a picture that can be used.
            UnknownSpace: this snapshot was built without posters.
            BadWeights: the weights are gone.
        """
        self.space("poster")
        pixels = pixels_for_vgg16(decode_image(image))
        weights = self.manifest.spaces["poster"]["weights"]
        file = vgg16.weights_file(self._data, weights["sha256"])
        vector: np.ndarray[tuple[int], np.dtype[np.float32]]
        (vector,) = vgg16.embed_with(file, weights["name"], weights["sha256"], pixels[None])
        return vector

    def predict(self, who: Who, movie_ids: Sequence[int]) -> list[Prediction]:
        """How they would rate each movie, in the order given.

        Args:
            who: a user id, or a stranger's ratings by movie id; these are not stored.

        Raises:
            UnknownUser: the user has no ratings here.
            UnknownMovie: one of the movies is not in the catalogue.
            BadData: a stranger's rating is off the scale.
        """
        return self._ratings.predict(who, movie_ids)

    def recommend(self, who: Who, k: int = 10, *, where: Where | None = None) -> list[Prediction]:
        """The ``k`` movies that they have not rated and would pick next, likeliest first, with predicted ratings.

        Raises:
            UnknownUser, UnknownMovie, BadData: as in ``predict``.
        """
        return self._ratings.recommend(who, k, allowed=self.catalogue.allowed(where) if where else None)

    def explain(self, who: Who, movie_id: int) -> Explanation:
        """What each movie that they rated adds to the prediction for another.

        Raises:
            UnknownUser, UnknownMovie, BadData: as in ``predict``.
        """
        return self._ratings.explain(who, movie_id)

    def poster(self, movie_id: int) -> Path:
        """The movie's poster file.

        Raises:
            UnknownMovie: there is no such movie, or it has no poster.
        """
        name = self.catalogue.posters[self.catalogue.ids.row(movie_id)]
        file = None if name is None else self._data / "posters" / name
        if file is None or not file.is_file():
            raise UnknownMovie(f"{self.catalogue.movie(movie_id)} (id {movie_id}) has no poster")
        return file

    def duplicates(self, *, track: Track = silent) -> Duplicates:
        """Groups of movies whose posters are the same picture; a poster that cannot be read is left out and named.

        Raises:
            UnknownSpace: this snapshot was built without posters.
        """
        space = self.space("poster")
        rows = self.catalogue.ids.rows(space.ids.values.tolist()).tolist()
        names = (str(self.catalogue.posters[row]) for row in rows)
        files = {
            movie_id: self._data / "posters" / name
            for movie_id, name in zip(space.ids.values.tolist(), names, strict=True)
        }
        return find_duplicates(space, files, track=track)

    def space(self, name: str) -> Space:
        """One of the spaces.

        Raises:
            UnknownSpace: this snapshot was built without it.
        """
        if name not in self.spaces:
            raise UnknownSpace(f"this snapshot has no {name} space; it has {', '.join(self.ways)}")
        return self.spaces[name]

    def _within(self, name: str, allowed: Mask | None) -> Mask | None:
        return None if allowed is None else allowed[self._rows[name]]

    def _other_ways(self, movie: Movie) -> str:
        having = [name for name, space in self.spaces.items() if movie.movie_id in space.ids]
        return f"compare by {', '.join((*having, blends.NAME))}" if having else "there is nothing to compare it by"


_LACKS = {"poster": "no poster", "taste": "no ratings", "facts": "no genres, year or tags"}
