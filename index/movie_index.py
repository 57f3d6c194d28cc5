"""Facade of an opened snapshot: every query that the commands and the server make."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from index.catalogue.catalogue import Catalogue, MovieFilter
from index.core.arrays import BoolArray, Float32Array
from index.core.errors import NotComparable
from index.core.progress import Track, silent
from index.explain.explainer import Explainer
from index.library.entries import Poster
from index.library.movies import Library
from index.library.rating_log import RatingLog
from index.library.versions import built_with, has_seen, numbered
from index.overlay import Overlay, Snapshot
from index.posters import vgg16
from index.posters.copies import Copies, Groups, load_copies
from index.posters.distinct import distinct_matches
from index.posters.duplicates import Duplicates, find_duplicates
from index.posters.images import decode_image, pixels_for_vgg16, shown
from index.posters.look_vectors import Look, load_look
from index.ratings.cold_start import ColdStart
from index.ratings.elicitation import elicitation_order
from index.ratings.model import RatingModel
from index.ratings.users import Users
from index.snapshot.gallery import Gallery
from index.snapshot.maps import Maps
from index.snapshot.poster_files import SHOWN, content_in_name, load_contents, poster_paths
from index.snapshot.store import Checked, Manifest, SnapshotStore
from index.spaces import blend as blends
from index.spaces.blend import Blend, BlendExplanation, load_stored
from index.spaces.lookup import space_named, space_with
from index.spaces.space import Match, Space, load_spaces


class MovieIndex:
    """Opened snapshot, with a delta of library changes overlaid. Immutable, so threads may share it.

    Args:
        data: data directory, with posters and weights.
        manifest: of the snapshot.
        overlay: catalogue, spaces and stored neighbours, with the delta.
        ratings: model of the snapshot.
        library: for ratings, and for changes after this index was opened.
        movies_version: sequence number of the latest movie change included.
        base: index of the snapshot without a delta; None if this is it.
        generation: of the library's file.
        keeps: index that keeps the snapshot from being pruned, if it is neither this nor its base.
        embed_path: how VGG16 runs for uploads, as in ``vgg16.load``.
    """

    def __init__(
        self,
        data: Path,
        manifest: Manifest,
        overlay: Overlay,
        ratings: RatingModel,
        library: Library,
        movies_version: int,
        base: MovieIndex | None = None,
        *,
        generation: int = 0,
        keeps: MovieIndex | None = None,
        embed_path: str = "auto",
    ) -> None:
        self.manifest = manifest
        self.catalogue = catalogue = overlay.catalogue
        self.spaces = spaces = overlay.spaces
        self.movies_version = movies_version
        self.generation = generation
        self._data = data
        self._embed_path = embed_path
        self.overlay = overlay
        self._row_maps = overlay.row_maps
        self._blend = overlay.snapshot.blend.over(spaces, catalogue.ids, self._row_maps)
        self._ratings = ratings
        self._library = library
        self._base = base  # never self: a reference cycle would keep the files mapped until a garbage collection
        self._keeps = keeps
        snapshot = base or self
        log, merged = RatingLog(library.database), snapshot.movies_version
        new_movies = overlay.new_movies(ratings, log, merged)
        self.users = Users(ratings, snapshot.catalogue, catalogue, log, merged, self._blend, new_movies)
        self.explainer: Explainer = Explainer(
            spaces, catalogue, snapshot.catalogue.ids, ratings, None if base is None else base.explainer
        )
        folder = data / "snapshots" / manifest.id
        self.maps: Maps = Maps.load(folder, manifest, catalogue) if base is None else base.maps.overlaid(catalogue)
        self.gallery: Gallery = Gallery.load(folder) if base is None else base.gallery

    @classmethod
    def open(
        cls,
        data: Path,
        snapshot_id: str | None = None,
        *,
        checked: Checked | None = None,
        embed_path: str = "auto",
        search: str = "",
    ) -> MovieIndex:
        """Verify and open a snapshot, and overlay all library changes since. No process prunes it while it is open.

        Args:
            data: data directory.
            snapshot_id: by default the current snapshot.
            checked: a snapshot that was verified, to skip the verification if no file has changed since.
            embed_path: how VGG16 runs for uploads, as in ``vgg16.load``.
            search: address of the Milvus that has the vectors, if the snapshot was built with one; not yet asked.

        Raises:
            UnknownSnapshot, BadSnapshot: there is no such snapshot; it is damaged, as the message says.
            BadLibrary: the library cannot be read.
        """
        store = SnapshotStore(data)
        with ExitStack() as opened:
            folder = opened.enter_context(store.holding(snapshot_id))
            manifest = store.verify(folder.name, checked=checked)
            catalogue = Catalogue.from_json(json.loads((folder / "movies.json").read_bytes()))
            spaces = load_spaces(folder, manifest.spaces, search)
            vectors = {name: (space.ids, space.vectors) for name, space in spaces.items()}
            ratings = RatingModel.load(folder, catalogue.ids, manifest.ratings, vectors)
            stored = load_stored(folder / blends.NAME, manifest.format, spaces, manifest.blend, catalogue.ids)
            cold = ColdStart.load(folder, manifest.ratings.get("cold_start"), ratings.counts())
            library = Library.open(data)
            weights = (manifest.weights or {}).get("sha256")
            look = load_look(folder / "poster", manifest.spaces["poster"]) if "poster" in manifest.spaces else Look()
            base = cls(
                data,
                manifest,
                Overlay.of(Snapshot(catalogue, spaces, *stored, weights, look, cold)),
                ratings,
                library,
                built_with(manifest.dataset, library),
                generation=library.database.generation,
                embed_path=embed_path,
            )
            weakref.finalize(base, opened.pop_all().close)  # every overlaid index keeps its base
        return base.refreshed()

    def is_fresh(self) -> bool:
        """Return True if this index includes every library change so far. Takes microseconds.

        Raises:
            BadLibrary: the library cannot be read.
        """
        movies_version = self._library.movies_version()  # first: it notices another file
        same_file = self.generation in {0, self._library.database.generation}  # the first file replaces none
        return same_file and movies_version <= self.movies_version

    def version(self, *, ratings: bool) -> str:
        """Return a cache key of this index: equal keys mean equal responses to equal requests.

        Args:
            ratings: include ratings added online, for responses that depend on them.

        Raises:
            BadLibrary: the library cannot be read.
        """
        movies = f"{self.manifest.id}.{numbered(self.generation, self.movies_version)}"
        if not ratings:
            return movies
        ratings_version = self._library.ratings_version()
        return f"{movies}.{numbered(self._library.database.generation, ratings_version)}"

    def version_after(self, seq: int) -> str:
        """Return the version with ratings in which the change of a rating, number ``seq``, is the latest."""
        return f"{self.version(ratings=False)}.{numbered(self._library.database.generation, seq)}"

    def has_seen(self, version: str, seq: int, *, rating: bool = False) -> bool:
        """Return True if an index of a ``version`` included the latest change of a movie; see ``versions.has_seen``."""
        return has_seen(version, seq, self.manifest.id, self._library.database.generation, rating=rating)

    def refreshed(self) -> MovieIndex:
        """Return an index with all library changes so far, made of this one by those since; itself if it is fresh.

        Raises:
            BadLibrary: the library cannot be read.
        """
        if self.is_fresh():
            return self
        if self.generation != self._library.database.generation:
            return self._rebased().refreshed()
        delta = self._library.changes_since(self.movies_version)
        return MovieIndex(
            self._data,
            self.manifest,
            self.overlay.changed(delta),
            self._ratings,
            self._library,
            # Not delta.version, which counts ratings: processes with the same movies must return the same version.
            delta.movies_version,
            self._base or self,
            generation=self.generation,
            embed_path=self._embed_path,
        )

    def _rebased(self) -> MovieIndex:
        """Return the index of the snapshot without a delta, for the library's file of now."""
        base = self._base or self
        return MovieIndex(
            self._data,
            self.manifest,
            base.overlay,
            self._ratings,
            self._library,
            built_with(self.manifest.dataset, self._library),
            generation=self._library.database.generation,
            keeps=base,
            embed_path=self._embed_path,
        )

    @property
    def ways(self) -> tuple[str, ...]:
        """Valid values of ``by``: the spaces, and ``blend``."""
        return (*self.spaces, blends.NAME)

    def similar(
        self,
        movie_id: int,
        k: int = 10,
        *,
        by: str = blends.NAME,
        where: MovieFilter | None = None,
        weights: Mapping[str, float] | None = None,
        distinct: bool = False,
    ) -> list[Match]:
        """Return the ``k`` nearest neighbours of a movie, best first, ties by id.

        Args:
            movie_id: of the query; never returned.
            k: number of matches; fewer are returned only if fewer movies qualify.
            by: a space of this snapshot, or ``blend``.
            where: filter on the movies to return.
            weights: space -> weight of the blend, at least one positive; by default the snapshot's.
            distinct: of movies whose posters are the same picture return the best match alone, with their number.

        Raises:
            UnknownMovie: there is no such movie.
            NotComparable: it has no vector in the space.
            UnknownSpace: this snapshot was built without it.
        """
        self.catalogue.movie(movie_id)
        allowed = self.catalogue.allowed(where) if where else None
        blend = self._blend if weights is None else self._blend_with(weights)
        space = None if by == blends.NAME else space_with(self.spaces, self.catalogue, by, movie_id)

        def find(allowed: BoolArray | None) -> list[Match]:
            if space is not None:
                return space.similar(movie_id, k, allowed=self._in_space(by, allowed))
            stored = self.overlay.blended if weights is None else None
            return blend.similar(movie_id, k, allowed=allowed, stored=stored)

        return self._distinct(find, k, allowed, space, (movie_id,)) if distinct else find(allowed)

    def explain_blend(
        self, movie_id: int, other_ids: Iterable[int], weights: Mapping[str, float] | None = None
    ) -> list[BlendExplanation]:
        """Return the blended scores of a movie with others, each as a sum of one contribution per space.

        Args:
            movie_id: as in ``similar``.
            other_ids: movies to compare it with.
            weights: as in ``similar``.

        Raises:
            UnknownMovie: there is no such movie.
            NotComparable: it shares no space of the blend with one of them.
            UnknownSpace: this snapshot was built without a space of ``weights``.
        """
        blend = self._blend if weights is None else self._blend_with(weights)
        return blend.explain(movie_id, other_ids)

    def similar_to(
        self,
        liked: Sequence[int],
        disliked: Sequence[int] = (),
        k: int = 10,
        *,
        by: str = blends.NAME,
        where: MovieFilter | None = None,
        weights: Mapping[str, float] | None = None,
        distinct: bool = False,
    ) -> list[Match]:
        """Return the ``k`` movies most similar to ``liked`` and least to ``disliked``, best first, ties by id.

        Args:
            liked: movie ids, at least one; never returned.
            disliked: movie ids; never returned.
            k: number of matches; fewer are returned only if fewer movies qualify.
            by: a space of this snapshot, in which each movie must have a vector; or ``blend``, where each movie counts
                in the spaces that have it.
            where: filter on the movies to return.
            weights: as in ``similar``.
            distinct: as in ``similar``.

        Raises:
            UnknownMovie: there is no such movie.
            NotComparable: it has no vector in the space.
            UnknownSpace: this snapshot was built without it.
        """
        others = self.catalogue.allowed(where or MovieFilter())
        others[self.catalogue.ids.rows([*liked, *disliked])] = False
        if by != blends.NAME:
            for movie_id in (*liked, *disliked):
                space_with(self.spaces, self.catalogue, by, movie_id)
            space = self.space(by)
            direction = space.direction(liked, disliked)

            def find_in_space(allowed: BoolArray | None) -> list[Match]:
                return space.search(direction, k, allowed=self._in_space(by, allowed))

            return self._distinct(find_in_space, k, others, space) if distinct else find_in_space(others)
        queries = {}
        for name, space in self.spaces.items():
            present = [movie_id for movie_id in liked if movie_id in space.ids]
            if present:
                queries[name] = space.direction(present, [movie_id for movie_id in disliked if movie_id in space.ids])
        if not queries:
            raise NotComparable(f"none of the movies {', '.join(map(str, liked))} has anything to be compared by")
        blend = self._blend if weights is None else self._blend_with(weights)

        def find(allowed: BoolArray | None) -> list[Match]:
            return blend.search(queries, k, allowed=allowed)

        return self._distinct(find, k, others, None) if distinct else find(others)

    def similar_to_poster(
        self, image: bytes, k: int = 10, *, where: MovieFilter | None = None, distinct: bool = False
    ) -> list[Match]:
        """Return the ``k`` movies with the posters most similar to an image file, best first. Nothing is stored.

        Args:
            image: content of the file.
            k: number of matches; fewer are returned only if fewer movies qualify.
            where: filter on the movies to return.
            distinct: as in ``similar``.

        Raises:
            BadImage: the bytes are not a usable image.
            UnknownSpace: this snapshot was built without posters.
            BadWeights: the weights of the posters' embeddings are missing.
        """
        return self.similar_to_embedding(self.embed(image), k, where=where, distinct=distinct)

    def similar_to_embedding(
        self, embedding: Float32Array, k: int = 10, *, where: MovieFilter | None = None, distinct: bool = False
    ) -> list[Match]:
        """Return the ``k`` movies with posters most similar to a raw embedding (25088,); see ``similar_to_poster``."""
        allowed = self.catalogue.allowed(where) if where else None
        space, (vector,) = self.space("poster"), self.overlay.snapshot.look(embedding[None])

        def find(allowed: BoolArray | None) -> list[Match]:
            return space.search(vector, k, allowed=self._in_space("poster", allowed))

        return self._distinct(find, k, allowed, space) if distinct else find(allowed)

    def embed(self, image: bytes) -> Float32Array:
        """Return the raw embedding (25088,) of an image file, a unit vector, by the weights of this snapshot's posters.

        Raises:
            BadImage: the bytes are not a usable image.
            UnknownSpace: this snapshot was built without posters.
            BadWeights: the weights are missing.
        """
        self.space("poster")
        pixels = pixels_for_vgg16(decode_image(image))
        weights = self.manifest.spaces["poster"]["weights"]
        file = vgg16.weights_file(self._data, weights["sha256"])
        vector: Float32Array
        (vector,) = vgg16.embed_with(file, weights["name"], weights["sha256"], pixels[None], path=self._embed_path)
        return vector

    def prepared(self, image: bytes) -> Poster:
        """Return an image file as a poster for the library, embedded if this snapshot has a poster space.

        It is converted if browsers do not show its format. The embedding is raw: each snapshot transforms it by its own
        look.

        Raises:
            BadImage: the bytes are not a usable image.
            BadWeights: the weights of the posters' embeddings are missing.
        """
        image = shown(image)
        if "poster" not in self.spaces:
            decode_image(image)  # for its errors
            return Poster(image)
        return Poster(image, self.embed(image), self.manifest.spaces["poster"]["weights"]["sha256"])

    def poster(self, movie_id: int) -> Path:
        """Return the poster file of a movie.

        Raises:
            UnknownMovie: there is no such movie.
            NotComparable: it has no poster.
        """
        file = self._poster_file(movie_id)
        if file is None or not file.is_file():
            raise NotComparable(f"{self.catalogue.movie(movie_id)} (id {movie_id}) has no poster")
        return file

    def poster_content(self, movie_id: int) -> str | None:
        """Return the beginning of the SHA-256 of a movie's poster, which names its content; None if it is not recorded.

        Raises:
            UnknownMovie: there is no such movie.
        """
        (found,) = self.poster_contents([movie_id], [self.catalogue.posters[self.catalogue.ids.row(movie_id)]])
        return found

    def poster_contents(self, movie_ids: Iterable[int], names: Iterable[str | None]) -> list[str | None]:
        """Return the name of the content of each poster, as ``poster_content`` does.

        Args:
            movie_ids: of existing movies.
            names: of their poster files; None without a poster.
        """
        embedded = (self._base or self).embedded_contents
        return [
            None if name is None else content_in_name(movie_id, name) or embedded.get(movie_id)
            for movie_id, name in zip(movie_ids, names, strict=True)
        ]

    def duplicates(self, *, track: Track = silent) -> Duplicates:
        """Find groups of movies with the same picture as poster; unreadable posters are listed separately.

        Raises:
            UnknownSpace: this snapshot was built without posters.
        """
        space = self.space("poster")
        return find_duplicates(space, poster_paths(space.ids, self.catalogue, self._data / "posters"), track=track)

    def space(self, name: str) -> Space:
        """Return a space by name.

        Raises:
            UnknownSpace: this snapshot was built without it.
        """
        return space_named(self.spaces, name)

    @cached_property
    def embedded_contents(self) -> dict[int, str]:
        """Return movie id -> beginning of the SHA-256 of the poster that the build embedded."""
        contents = load_contents(self._data / "snapshots" / self.manifest.id / "poster")
        return {movie_id: sha256[:SHOWN] for movie_id, sha256 in contents.items()}

    @cached_property
    def to_ask(self) -> list[int]:
        """Movie ids to ask a new user to rate, in elicitation order."""
        if "taste" not in self.spaces:  # nobody rated anything
            return elicitation_order(self.catalogue, next(iter(self.spaces.values())))
        order = elicitation_order(self.catalogue, self.spaces["taste"])
        counts = self.catalogue.rating_counts
        return [movie_id for movie_id in order if counts[self.catalogue.ids.row(movie_id)]]

    @cached_property
    def copies(self) -> Groups:
        """Movies with the same picture as poster: movie id -> ids of all movies with its picture, if there are others.

        Of the posters changed since the build, 100 are compared.
        """
        if "poster" not in self.spaces:
            return {}
        return (self._base or self).known_copies.groups(self.spaces["poster"], self._poster_file)

    @cached_property
    def known_copies(self) -> Copies:
        """Copies in the snapshot, and among the posters that its versions have compared."""
        folder = self._data / "snapshots" / self.manifest.id / "poster"
        return Copies(load_copies(folder), len(self.spaces["poster"]))

    def _poster_file(self, movie_id: int) -> Path | None:
        name = self.catalogue.posters[self.catalogue.ids.row(movie_id)]
        return None if name is None else self._data / "posters" / name

    def _distinct(
        self,
        find: Callable[[BoolArray | None], list[Match]],
        k: int,
        allowed: BoolArray | None,
        space: Space | None,
        queried: Collection[int] = (),
    ) -> list[Match]:
        """Return the ``k`` best matches with different posters, as ``distinct_matches`` does."""
        scored = None if space is None else space.ids
        return distinct_matches(find, k, self.copies, self.catalogue.ids, allowed, scored, queried)

    def _blend_with(self, weights: Mapping[str, float]) -> Blend:
        for name in weights:
            self.space(name)  # raises UnknownSpace
        return self._blend.with_weights(weights)

    def _in_space(self, name: str, allowed: BoolArray | None) -> BoolArray | None:
        """Return a mask of catalogue rows as a mask of the rows of a space."""
        return None if allowed is None else allowed[self._row_maps.catalogue_rows[name]]
