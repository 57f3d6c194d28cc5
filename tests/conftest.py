"""Fixtures of many tests: a small film world with a known shape, built once into a real snapshot."""

from __future__ import annotations

import csv
import fcntl
import gc
import hashlib
import io
import json
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from PIL import Image, ImageDraw

from index.catalogue.catalogue import Movie
from index.core.arrays import Float32Array, UInt8Array
from index.core.files import sha256_of, write_durably
from index.library.entries import Poster
from index.library.movies import Library
from index.movie_index import MovieIndex
from index.posters import vgg16
from index.snapshot.store import Manifest, SnapshotStore
from indexer.build import build
from indexer.config import Plan, make_plan
from indexer.datasets.sources import sample_folder
from indexer.models.factorization_machine import Settings
from indexer.sample import FAMILIES, make_sample, sample_movies
from server.app import create_app
from server.config import ServerConfig
from tests.milvus_server import Given, MilvusProcess, given_milvus, python_with_milvus
from tests.paths import ROOT
from tests.serving import free_port

# The same examples everywhere, and no time limits: a busy machine is no bug.
settings.register_profile("posterity", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("posterity")

# Two kinds of film, by id: spaceships are dark with a white disc, weddings are pink with a red one. Film 20 has no
# poster, film 21 no ratings, film 22 neither; film 23 shares its title with film 11.
SPACE = range(1, 11)
WEDDINGS = range(11, 21)
# Films of the sample with a poster: three of each of eight families, and four that tests or the README name. Embedding
# takes most of a processor second each, and a map of fewer has no room to zoom in.
DEMO_POSTERS = sorted(
    {film.movie_id for family in FAMILIES[:8] for film in [f for f in sample_movies() if f.family == family][:3]}
    | {28, 52, 73, 88}
)
S3_SECRET = "a-secret-of-the-tests"  # noqa: S105
ON_SHELF = (1, 2, 3, 4, 5, 12, 13)
QUICK = Settings(factors=4, chains=1, iterations=60, burn_in=10)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Hide modules and tests, a million objects that stay, from the garbage collector."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count the tests of the sample among those of the system, and put them last: its build takes most of a minute."""
    of_sample = {item: "demo_data" in getattr(item, "fixturenames", ()) for item in items}
    for item in filter(of_sample.get, items):
        item.add_marker(pytest.mark.system)
    items.sort(key=lambda item: of_sample[item])


@dataclass(frozen=True)
class World:
    """Paths of a built film world."""

    ratings: Path
    posters: Path
    data: Path
    manifest: Manifest


@pytest.fixture(scope="session", autouse=True)
def embed_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Make ``auto`` mean POSTERITY_EMBED_PATH in this process too: commands read the variable, functions do not.

    Untrained weights, and those of a data directory, are loaded once per process and path: it takes a second. By
    ``auto`` a picture is embedded once per run, which takes most of a processor second; where a test names a path, the
    network runs.
    """
    path, load = os.environ.get("POSTERITY_EMBED_PATH", "auto"), vgg16.load
    loaded: dict[tuple[str | bytes, ...], vgg16.Vgg16] = {}
    digests: dict[tuple[int, int, int], bytes] = {}
    with shared_folder(tmp_path_factory, "vectors") as vectors:
        pass

    def digest(file: Path) -> bytes:
        status = file.stat()
        identity = (status.st_dev, status.st_ino, status.st_mtime_ns)
        if identity not in digests:
            digests[identity] = hashlib.sha256(file.read_bytes()).digest()
        return digests[identity]

    @wraps(load)
    def load_once(weights: str, **options: str) -> vgg16.Vgg16:
        any_path = options.get("path", "auto") == "auto"
        if any_path:
            options["path"] = path
        file = Path(weights)
        saved = file.parent.name == "weights" and file.is_file()
        if weights != "untrained" and not saved:
            return load(weights, **options)
        key = (digest(file) if saved else weights, *sorted(options.values()))
        if key not in loaded:
            loaded[key] = load(weights, **options)
        return _remembering(loaded[key], vectors) if any_path else loaded[key]

    with patch.object(vgg16, "load", load_once):
        yield path


def _remembering(embed: vgg16.Vgg16, folder: Path) -> vgg16.Vgg16:
    """Return the network with a memory of the pictures that any process of the run has embedded, in a folder."""

    def run(pixels: UInt8Array) -> Any:
        import tensorflow as tf

        names = [hashlib.sha256(each.tobytes()).hexdigest() for each in pixels]
        files = [folder / f"{embed.sha256[:16]}-{embed.path}-{name}.npy" for name in names]
        new = [at for at, file in enumerate(files) if not file.exists()]
        if new:
            for at, vector in zip(new, embed(pixels[new]), strict=True):
                content = io.BytesIO()
                np.save(content, vector)
                write_durably(files[at], content.getvalue())
        return tf.constant(np.stack([np.load(file) for file in files]))

    return replace(embed, _run=run)


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of MovieLens editions and real posters; the test is skipped where there is none."""
    default = ROOT.parent / "shared" / "data"
    folder = Path(os.environ.get("POSTERITY_REALDATA", default))
    if not (folder / "ml-latest-small-2016").is_dir():
        pytest.skip(f"no ml-latest-small-2016 in {folder}: set POSTERITY_REALDATA")
    return folder


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A small film world, built with untrained weights. Read it, never write to it."""
    with shared_folder(tmp_path_factory, "world") as root:
        if not (root / "data").exists():
            build_world(root)
    return World(root / "ratings", root / "posters", root / "data", SnapshotStore(root / "data").manifest())


@pytest.fixture
def data(world: World, tmp_path: Path) -> Path:
    """A copy of its data directory, which a test may write to."""
    shutil.copytree(world.data, tmp_path / "data", symlinks=True)
    return tmp_path / "data"


@pytest.fixture(scope="session")
def movie_index(world: World) -> MovieIndex:
    return MovieIndex.open(world.data)


@pytest.fixture(scope="session")
def copied_data(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film world with eleven recompressed copies of the poster of Starship 3, added online. Never write to it."""
    data = tmp_path_factory.mktemp("copied") / "data"
    shutil.copytree(world.data, data, symlinks=True)
    index, library = MovieIndex.open(data), Library.open(data)
    for number in range(11):
        genres = ("Sci-Fi",) if number < 4 else ("Drama",)
        stream = io.BytesIO()
        poster(3).save(stream, "JPEG", quality=60 + 3 * number)
        movie = Movie(0, f"Copy {number}", 2000 + number, genres)
        library.add(movie, with_vector_of(index, 3, stream.getvalue()))
    return data


@pytest.fixture(scope="session")
def shelf_data(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film world with the movies ``ON_SHELF`` on the shelf. Never write to it."""
    data = tmp_path_factory.mktemp("shelf") / "data"
    shutil.copytree(world.data, data, symlinks=True)
    store = SnapshotStore(data)
    with store.writing() as folder:
        shutil.copytree(store.path(), folder, dirs_exist_ok=True)
        (folder / "manifest.json").unlink()
        columns = json.loads((folder / "movies.json").read_text())
        columns["owned"] = [movie_id in ON_SHELF for movie_id in columns["movie_id"]]
        (folder / "movies.json").write_text(json.dumps(columns))
        kept = {"id", "created", "files", "format", "sha256"}
        store.publish(folder, **{name: value for name, value in world.manifest.to_json().items() if name not in kept})
    return data


def raw_vector(index: MovieIndex, movie_id: int) -> Float32Array:
    """Return the raw embedding of a movie's poster, (25088,), from the cache of the build."""
    poster = index.poster(movie_id)
    (cached,) = (poster.parent.parent / "embeddings").rglob(f"{sha256_of(poster)}.npy")
    return np.load(cached).astype(np.float32)


def with_vector_of(index: MovieIndex, movie_id: int, content: bytes) -> Poster:
    """Return a poster for the library, with nearly the vector of a movie."""
    raw = raw_vector(index, movie_id)
    vector = raw * np.random.default_rng(len(content)).normal(1, 1e-3, raw.size).astype(np.float32)
    return Poster(content, vector / np.linalg.norm(vector), index.manifest.spaces["poster"]["weights"]["sha256"])


@pytest.fixture(scope="session")
def app(world: World) -> Flask:
    """The server on the small film world."""
    return create_app(unlimited(world.data))


def unlimited(data: Path, **settings: Any) -> ServerConfig:
    """Settings under which no test is told to slow down."""
    return ServerConfig(data, read_limit="", write_limit="", upload_limit="", **settings)


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of the bundled sample, as ``posterity demo`` makes it, but with fewer posters, one chain and no trees.

    Read it, never write to it.
    """
    with shared_folder(tmp_path_factory, "demo") as data:
        if not (data / "current").exists():
            sample = sample_folder(data)
            make_sample(sample, posters=DEMO_POSTERS)
            plan = make_plan(sample / "ratings", data, sample / "posters", "untrained")
            build(replace(plan, settings=Settings(chains=1), learn=False))
            _link_weights(data)
    return data


@pytest.fixture(scope="session")
def s3_bucket() -> Iterator[str]:
    """The address of a bucket in a stand-in of S3 in this process; processes that a test starts reach it, too."""
    import boto3
    from moto.server import ThreadedMotoServer

    port = free_port()
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTESTS")
        patch.setenv("AWS_SECRET_ACCESS_KEY", S3_SECRET)
        boto3.client("s3").create_bucket(Bucket="films")
        yield "s3://films"
    server.stop()


@pytest.fixture(scope="module")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given | MilvusProcess]:
    """A real Milvus; the test is skipped where there is none. Of its own processes a machine runs one at a time."""
    if "://" in given_milvus():
        yield Given(given_milvus())
        return
    if python_with_milvus() is None:
        pytest.skip("no Milvus: set POSTERITY_TEST_MILVUS to its address, or to an environment with the package milvus")
    with shared_folder(tmp_path_factory, "one-milvus"):
        process = MilvusProcess(tmp_path_factory.mktemp("milvus"))
        process.start()
        yield process
        process.kill()


@contextmanager
def shared_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """A folder that all processes of a test run share (``pytest -n``); held by one of them at a time.

    The first process fills it, the others find it filled.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # each process has a folder of its own below the one of the run
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (root / name).mkdir(exist_ok=True)
        yield root / name


def build_world(root: Path) -> Path:
    """Build the small film world in an empty folder; return its data directory."""
    write_ratings(root / "ratings")
    write_posters(root / "posters")
    build(Plan(root / "ratings", root / "data", root / "posters", "untrained", QUICK))
    _link_weights(root / "data")
    return root / "data"


def _link_weights(data: Path) -> None:
    """Move the weights, 59 MB, beside a data directory and leave a link, which copies of the directory copy."""
    (file,) = (data / "weights").iterdir()
    moved = data.with_name(f"{data.name}-{file.name}")
    file.rename(moved)
    file.symlink_to(moved)


def write_ratings(folder: Path) -> None:
    """40 users: the even ones love spaceships and dislike weddings, the odd ones the other way round."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    titles = {i: (f"Starship {i} ({1970 + i})", "Sci-Fi|Action") for i in SPACE}
    titles |= {i: (f"Wedding, The {i} ({1990 + i})", "Romance|Comedy") for i in WEDDINGS}
    titles |= {21: ("Unseen (2001)", "Sci-Fi"), 22: ("Nothing Known", "(no genres listed)")}
    titles |= {23: ("The Wedding, 11 (2020)", "Romance")}
    titles[11] = ("Wedding, 11, The (2001)", "Romance|Comedy")
    _write(folder / "movies.csv", ("movieId", "title", "genres"), [(i, *rest) for i, rest in titles.items()])
    links = [(i, f"{i:07d}", 1000 + i) for i in titles if i != 22] + [(22, "", "")]
    _write(folder / "links.csv", ("movieId", "imdbId", "tmdbId"), links)
    ratings = []
    for user in range(1, 41):
        for movie in (*SPACE, *WEDDINGS):
            if rng.random() < 0.6:
                loved = (movie in SPACE) == (user % 2 == 0)
                stars = np.clip(round(2 * rng.normal(4.2 if loved else 2.0, 0.5)) / 2, 0.5, 5)
                ratings.append((user, movie, stars, 1_000_000_000 + movie))
        ratings.append((user, 23, 3.0, 1_000_000_000))
    _write(folder / "ratings.csv", ("userId", "movieId", "rating", "timestamp"), ratings)


def write_posters(folder: Path) -> None:
    """A poster for every film but 20 and 22."""
    folder.mkdir(parents=True)
    for movie in (*SPACE, *WEDDINGS, 21, 23):
        if movie != 20:
            poster(movie).save(folder / f"{movie}.{'png' if movie % 5 == 0 else 'jpg'}")


def poster(movie: int) -> Image.Image:
    dark = movie in SPACE or movie == 21
    image = Image.new("RGB", (120, 180), (12, 14, 30 + movie) if dark else (240, 180, 190 + movie))
    at = 10 + 4 * movie
    ImageDraw.Draw(image).ellipse((at, 40, at + 40, 80), fill="white" if dark else (200, 20, 40))
    return image


def _write(file: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
