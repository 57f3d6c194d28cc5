"""Tests of NFO files, as programs write them and as disks keep them."""

from __future__ import annotations

import pytest

from indexer.shelf.film import Facts
from indexer.shelf.nfo import BadNfo, NotAFilm, read_nfo
from tests.indexer.shelf.libraries import film, nfo


def test_facts_are_read() -> None:
    made = film(7)
    found = read_nfo(nfo(made).encode())
    assert (found.title, found.year, found.imdb_id, found.tmdb_id) == (made.title, 1937, made.imdb_id, made.tmdb_id)
    assert found.genres == ("Drama",)
    assert found.labels["director"] == ("Director 7",)
    assert found.labels["actors"] == ("Actor 7",)
    assert found.labels["collection"] == ("Collection 7",)
    assert found.labels["certificate"] == ("PG",)
    assert found.overview.startswith("Somebody looks")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"https://www.imdb.com/title/tt0113277/", Facts(imdb_id="tt0113277")),
        (b"\xef\xbb\xbfhttps://www.themoviedb.org/movie/949-heat\r\n", Facts(tmdb_id=949)),
    ],
)
def test_an_address_alone_is_enough(content: bytes, expected: Facts) -> None:
    assert read_nfo(content) == expected


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("<movie><title>Amélie</title></movie>".encode("cp1252"), "Amélie"),
        ("<movie><title>Amélie</title></movie>".encode("utf-16"), "Amélie"),
        ("\ufeff<movie><title>Amélie</title></movie>".encode(), "Amélie"),
        (
            '<?xml version="1.0" encoding="windows-1251"?><movie><title>Зеркало</title></movie>'.encode("cp1251"),
            "Зеркало",
        ),
        (b"<movie><title>Tom & Jerry &eacute; &lt;3</title></movie>", "Tom & Jerry é <3"),
        (b"<movie><title>A</title></movie>\n<movie><title>B</title></movie>", "A"),
        (b"<movie><title>A\x00\x0b</title></movie>\nhttps://www.imdb.com/title/tt0113277/ and junk <", "A"),
        (b"<!-- made by a program --><MOVIE><Title>A</Title></MOVIE>", "A"),
    ],
)
def test_damaged_and_old_files_are_read(content: bytes, title: str) -> None:
    assert read_nfo(content).title == title


def test_an_address_behind_the_film_adds_its_id() -> None:
    found = read_nfo(b"<movie><title>Heat</title></movie>https://www.imdb.com/title/tt0113277/")
    assert found.imdb_id == "tt0113277"


def test_older_forms_of_ids_genres_and_sets_are_read() -> None:
    found = read_nfo(b"<movie><id>tt0113277</id><tmdbid>949</tmdbid><genre>Crime / Drama</genre><set>S</set></movie>")
    assert (found.imdb_id, found.tmdb_id, found.genres) == ("tt0113277", 949, ("Crime", "Drama"))
    assert found.labels["collection"] == ("S",)


def test_entities_are_not_expanded() -> None:
    bomb = b'<!DOCTYPE movie [<!ENTITY a "boom"><!ENTITY b "&a;&a;">]><movie><title>&b;</title></movie>'
    assert "boom" not in read_nfo(bomb).title
    outside = b'<!DOCTYPE movie [<!ENTITY f SYSTEM "file:///etc/hostname">]><movie><title>x&f;</title></movie>'
    assert read_nfo(outside).title == "x&f;"


@pytest.mark.parametrize("root", ["tvshow", "episodedetails", "musicvideo"])
def test_other_things_are_no_films(root: str) -> None:
    with pytest.raises(NotAFilm, match="its NFO file is of"):
        read_nfo(f"<{root}><title>x</title></{root}>".encode())


@pytest.mark.parametrize("content", [b"", b"nothing", b"<movie><title>cut", b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_named(content: bytes) -> None:
    with pytest.raises(BadNfo):
        read_nfo(content)


def test_an_address_in_a_damaged_file_is_kept() -> None:
    with pytest.raises(BadNfo) as raised:
        read_nfo(b"<movie><title>cut https://www.imdb.com/title/tt0113277/")
    assert raised.value.facts.imdb_id == "tt0113277"
