"""The facade: everything that the command and the server ask of a snapshot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from index.catalogue.catalogue import Catalogue, MovieFilter
from index.core.arrays import BoolArray
from index.core.errors import NotComparable
from index.core.progress import Track, silent
from index.explain.explainer import Explainer
from index.library.entries import Poster
from index.library.movies import Library
from index.library.rating_log import RatingLog
from index.overlay import overlaid_catalogue, overlaid_spaces
from index.posters import vgg16
from index.posters.duplicates import Duplicates, find_duplicates
from index.posters.images import decode_image, pixels_for_vgg16
from index.ratings.elicitation import asking_order
from index.ratings.model import RatingModel
from index.ratings.users import Users
from index.snapshot.maps import Maps
from index.snapshot.poster_files import files_of
from index.snapshot.store import Manifest, SnapshotStore
from index.spaces import blend as blends
from index.spaces.blend import Blend, RowMaps
from index.spaces.lookup import space_named, space_with
from index.spaces.space import Match, Neighbours, Space, load_neighbours


class MovieIndex:
    """One opened snapshot, with what had come in online by some moment. Never changes, so threads may share it.

    Args:
        data: the data directory, where posters and weights are.
        blended: everyone's neighbours under the default blend; None where they are searched for when asked.
        library: what comes in online.
        seen: the number of the latest change in the library that is in here.
        base: the snapshot alone; None where this is it.
    """

    def __init__(
        self,
        data: Path,
        manifest: Manifest,
        catalogue: Catalogue,
        spaces: Mapping[str, Space],
        blended: Neighbours | None,
        ratings: RatingModel,
        library: Library,
        seen: int,
        base: MovieIndex | None = None,
    ) -> None:
        self.manifest = manifest
        self.catalogue = catalogue
        self.spaces = spaces
        self.seen = seen
        self._data = data
        self._row_maps = RowMaps.of(spaces, catalogue.ids)
        self._blend = Blend(spaces, manifest.blend, catalogue.ids, self._row_maps)
        self.blended = blended
        self._ratings = ratings
        self._library = library
        self._base = base  # never itself: a cycle would keep files mapped that nobody needs any more
        alone = base or self
        self.users = Users(ratings, alone.catalogue, catalogue, RatingLog(library.database), alone.seen)
        self.explainer = Explainer(spaces, catalogue, alone.catalogue.ids, ratings)
        self.maps = Maps(data / "snapshots" / manifest.id, manifest, catalogue, alone.catalogue)

    @classmethod
    def open(cls, data: Path, snapshot_id: str | None = None, *, checked: str | None = None) -> MovieIndex:
        """The snapshot ``snapshot_id``, or the current one, after every file was checked; with what came in since.

        Args:
            checked: id of a snapshot whose files were checked a moment ago; they are not read again.

        Raises:
            UnknownSnapshot: there is no such snapshot, or none at all.
            BadSnapshot: a file is missing or damaged; the message names it.
            BadLibrary: what came in online cannot be read.
        """
        store = SnapshotStore(data)
        folder = store.path(snapshot_id)
        manifest = store.manifest(folder.name) if folder.name == checked else store.verify(folder.name)
        catalogue = Catalogue.from_json(json.loads((folder / "movies.json").read_bytes()))
        ratings = RatingModel.load(folder, catalogue.ids, manifest.ratings)
        spaces = {name: Space.load(name, folder / name, facts) for name, facts in manifest.spaces.items()}
        blended = load_neighbours(folder / blends.NAME)
        library = Library.open(data)
        # Another library counts from the start: one that was restored, say.
        same = manifest.dataset.get("library_id", library.identity()) == library.identity()
        merged = manifest.dataset.get("library", 0) if same else 0
        return cls(data, manifest, catalogue, spaces, blended, ratings, library, merged).refreshed()

    def is_fresh(self) -> bool:
        """Whether every movie that has come in online by now is in here. Asking is cheap.

        Raises:
            BadLibrary: what came in online cannot be read.
        """
        return self._library.movies_version() <= self.seen

    def version(self, *, ratings: bool) -> str:
        """What an answer depends on, besides the question: the same for as long as nothing that it is made of changes.

        Args:
            ratings: whether it depends on ratings that come in online.

        Raises:
            BadLibrary: what came in online cannot be read.
        """
        return f"{self.manifest.id}.{self._library.version() if ratings else self.seen}"

    def refreshed(self) -> MovieIndex:
        """The same snapshot with all that has come in online by now; itself where nothing has.

        Raises:
            BadLibrary: what came in online cannot be read.
        """
        if self.is_fresh():
            return self
        base = self._base or self
        changes = self._library.changes_since(base.seen)
        weights = self.manifest.weights
        touched = changes.movies or any(movie_id in base.catalogue.ids for movie_id in changes.removed)
        blended = None if touched else base.blended
        return MovieIndex(
            self._data,
            self.manifest,
            overlaid_catalogue(base.catalogue, changes),
            overlaid_spaces(base.spaces, base.catalogue, changes, None if weights is None else weights["sha256"]),
            blended,
            self._ratings,
            self._library,
            # Not of ratings: processes that looked at other times have the same in them, and must say so.
            changes.movies_version,
            base,
        )

    @property
    def ways(self) -> tuple[str, ...]:
        """What ``similar`` takes for ``by`` here."""
        return (*self.spaces, blends.NAME)

    def similar(
        self,
        movie_id: int,
        k: int = 10,
        *,
        by: str = blends.NAME,
        where: MovieFilter | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> list[Match]:
        """The ``k`` most alike other movies, best first; fewer only where fewer qualify.

        Args:
            by: a space of this snapshot, or ``blend``.
            where: which movies may come back.
            weights: space -> weight of a blend, at least one above 0; the snapshot's own where it is None.

        Raises:
            UnknownMovie: there is no such movie.
            NotComparable: it has no vector in the space.
            UnknownSpace: this snapshot was built without it.
        """
        self.catalogue.movie(movie_id)
        allowed = self.catalogue.allowed(where) if where else None
        if by == blends.NAME and weights is not None:
            return self._weighed(weights).similar(movie_id, k, allowed=allowed)
        if by == blends.NAME:
            return self._blend.similar(movie_id, k, allowed=allowed, stored=self.blended)
        return space_with(self.spaces, self.catalogue, by, movie_id).similar(
            movie_id, k, allowed=self._within(by, allowed)
        )

    def similar_to(
        self,
        liked: Sequence[int],
        disliked: Sequence[int] = (),
        k: int = 10,
        *,
        by: str = blends.NAME,
        where: MovieFilter | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> list[Match]:
        """The ``k`` movies most like all of some and least like others, best first; none of these is among them.

        Args:
            liked: at least one.
            by: a space of this snapshot, in which each must have a vector; or ``blend``, in which each counts in the
                spaces that it has.
            weights: as in ``similar``.

        Raises:
            UnknownMovie: there is no such movie.
            NotComparable: it has no vector in the space.
            UnknownSpace: this snapshot was built without it.
        """
        names = self.spaces if by == blends.NAME else (by,)
        queries = {}
        for name in names:
            sides = [[m for m in side if by != blends.NAME or m in self.spaces[name].ids] for side in (liked, disliked)]
            for movie_id in (*sides[0], *sides[1]):
                space_with(self.spaces, self.catalogue, name, movie_id)
            if sides[0]:
                queries[name] = self.spaces[name].direction(*sides)
        for movie_id in (*liked, *disliked):
            self.catalogue.movie(movie_id)
        if not queries:
            raise NotComparable(f"none of the movies {', '.join(map(str, liked))} has anything to be compared by")
        others = self.catalogue.allowed(where or MovieFilter())
        others[self.catalogue.ids.rows([*liked, *disliked])] = False
        if by == blends.NAME:
            blend = self._blend if weights is None else self._weighed(weights)
            return blend.search(queries, k, allowed=others)
        return self.spaces[by].search(queries[by], k, allowed=self._within(by, others))

    def similar_to_poster(self, image: bytes, k: int = 10, *, where: MovieFilter | None = None) -> list[Match]:
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

    def prepared(self, image: bytes) -> Poster:
        """A picture as the library keeps it, with its vector where this snapshot compares posters.

        Raises:
            BadImage: the bytes are not a picture that can be used.
            BadWeights: the weights that the posters were embedded with are gone.
        """
        if "poster" not in self.spaces:
            decode_image(image)  # raises where it is none
            return Poster(image)
        return Poster(image, self.embed(image), self.manifest.spaces["poster"]["weights"]["sha256"])

    def poster(self, movie_id: int) -> Path:
        """The movie's poster file.

        Raises:
            UnknownMovie: there is no such movie.
            NotComparable: it has no poster.
        """
        name = self.catalogue.posters[self.catalogue.ids.row(movie_id)]
        file = None if name is None else self._data / "posters" / name
        if file is None or not file.is_file():
            raise NotComparable(f"{self.catalogue.movie(movie_id)} (id {movie_id}) has no poster")
        return file

    def duplicates(self, *, track: Track = silent) -> Duplicates:
        """Groups of movies whose posters are the same picture; a poster that cannot be read is left out and named.

        Raises:
            UnknownSpace: this snapshot was built without posters.
        """
        space = self.space("poster")
        return find_duplicates(space, files_of(space.ids, self.catalogue, self._data / "posters"), track=track)

    def space(self, name: str) -> Space:
        """One of the spaces.

        Raises:
            UnknownSpace: this snapshot was built without it.
        """
        return space_named(self.spaces, name)

    @cached_property
    def to_ask(self) -> list[int]:
        """Ids of movies to have rated by someone new, in the order of asking."""
        return asking_order(self.catalogue, self.spaces["taste"])

    def _weighed(self, weights: Mapping[str, float]) -> Blend:
        for name in weights:
            self.space(name)
        return self._blend.with_weights(weights)

    def _within(self, name: str, allowed: BoolArray | None) -> BoolArray | None:
        return None if allowed is None else allowed[self._row_maps.catalogue_rows[name]]
