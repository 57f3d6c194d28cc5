"""A snapshot whose vectors are in a Milvus that is not there."""

from __future__ import annotations

import shutil
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from index.catalogue.catalogue import Movie
from index.core.errors import SearchUnavailable
from index.library.movies import Library
from index.movie_index import MovieIndex
from index.snapshot.collections import collections_of, in_milvus, owner_of
from index.snapshot.store import Manifest, SnapshotStore
from index.spaces.vectors import ROWS_FILE
from posterity.cli.main import main
from server.app import create_app
from tests.conftest import unlimited, with_vector_of
from tests.server.conftest import assert_problem
from tests.serving import free_port


@pytest.fixture
def moved(data: Path) -> Path:
    """The film world, as if its vectors had been moved to Milvus."""
    store = SnapshotStore(data)
    before = store.manifest()
    spaces = {
        name: {
            **entry,
            "milvus": {
                form: {"name": f"posterity_tests_{name}_{form}_0", "numbers": "float32"}
                for form in ("whole", *(("short",) if "search" in entry else ()))
            },
        }
        for name, entry in before.spaces.items()
    }
    kept = {
        field.name: getattr(before, field.name)
        for field in fields(Manifest)
        if field.name not in {"id", "created", "files", "format"}
    }
    with store.writing() as folder:
        gone = shutil.ignore_patterns("manifest.json", ROWS_FILE)
        shutil.copytree(store.path(), folder, dirs_exist_ok=True, ignore=gone)
        store.publish(folder, **{**kept, "spaces": spaces})
    return data


def test_a_manifest_names_its_collections(moved: Path) -> None:
    manifest = SnapshotStore(moved).manifest()
    found = collections_of(manifest, None)
    assert set(found) == {"poster", "poster_short", "taste", "facts"}
    assert found["poster_short"].name == "posterity_tests_poster_short_0"
    assert found["poster"].rows == manifest.spaces["poster"]["movies"]
    assert in_milvus(manifest)
    first = SnapshotStore(moved).ids()[0]
    assert not in_milvus(SnapshotStore(moved).manifest(first))
    assert collections_of(SnapshotStore(moved).manifest(first), None) == {}


def test_the_mark_of_a_data_directory_stays(tmp_path: Path) -> None:
    assert owner_of(tmp_path) == owner_of(tmp_path)
    assert owner_of(tmp_path).isalnum()


def test_without_an_address_stored_neighbours_answer_and_searches_name_the_option(moved: Path) -> None:
    index = MovieIndex.open(moved)
    assert len(index.similar(3, 5, by="poster")) == 5
    assert len(index.similar(3, 5)) == 5
    for by in ("poster", "taste", "facts"):
        with pytest.raises(SearchUnavailable, match="give --search milvus://host:19530"):
            index.similar_to([3, 4], by=by)
    assert len(index.users.recommend(2, 5)) == 5  # taste and facts are in the snapshot's files


def test_changes_are_laid_over_vectors_that_cannot_be_read(moved: Path) -> None:
    index = MovieIndex.open(moved, search=f"milvus://127.0.0.1:{free_port()}")
    before = MovieIndex.open(moved, SnapshotStore(moved).ids()[0])
    picture = before.poster(3).read_bytes()
    Library.open(moved).put(Movie(5, "Starship Five", 1975, ("Sci-Fi",)), with_vector_of(before, 3, picture))
    changed = index.refreshed()
    assert changed.catalogue.movie(5).title == "Starship Five"
    own = changed.spaces["poster"].vector(5)  # is in this process, not in Milvus
    assert float(own @ before.spaces["poster"].vector(3)) > 0.99


def test_a_server_answers_503_and_says_which_part_is_away(moved: Path) -> None:
    client = create_app(unlimited(moved, search=f"milvus://me:secret@127.0.0.1:{free_port()}")).test_client()
    assert client.get("/api/v1/movies/3/similar?by=poster&limit=5").status_code == 200
    for _ in range(3):
        problem = client.post("/api/v1/similar", json={"like": [3, 4], "by": "poster"})
        assert_problem(problem, 503, "the service that has the vectors does not answer")
        assert problem.headers["Retry-After"] == "2"
        assert "secret" not in problem.text
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.get_json()["status"] == "degraded"
    assert ready.get_json()["parts"]["search"]["reason"].startswith("Milvus does not answer")


def test_a_server_without_the_address_ends_at_its_start(moved: Path) -> None:
    result = CliRunner().invoke(main, ["serve", "--data", str(moved), "--port", str(free_port())])
    assert result.exit_code == 1
    assert "are in Milvus: give --search milvus://host:19530 (POSTERITY_SEARCH)" in str(result.output) + str(
        result.exception
    )


def test_an_address_that_cannot_be_used_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["serve", "--search", "http://me:secret@host"])
    assert result.exit_code == 2
    assert "is no Milvus: write milvus://host:19530" in result.output
    assert "secret" not in result.output
