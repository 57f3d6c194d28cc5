"""Exports in the layouts of each service, of invented films."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

LETTERBOXD_RATINGS = """Date,Name,Year,Letterboxd URI,Rating
2021-03-01,Starship 3,1973,https://boxd.it/aaa1,4.5
2021-03-02,"Wedding, The 12",2002,https://boxd.it/aaa2,0.5
2022-01-05,Starship 3,1973,https://boxd.it/aaa1,5
2022-01-06,A Film Nobody Has,1999,https://boxd.it/aaa3,3
"""
LETTERBOXD_WATCHED = """Date,Name,Year,Letterboxd URI
2021-03-01,Starship 3,1973,https://boxd.it/aaa1
2021-03-01,Starship 4,1974,https://boxd.it/aaa4
"""
LETTERBOXD_DIARY = """Date,Name,Year,Letterboxd URI,Rating,Rewatch,Tags,Watched Date
2023-03-01,Starship 5,1975,https://boxd.it/bbb1,3.5,,"cinema, friends",2023-02-28
2023-03-02,Starship 6,1976,https://boxd.it/bbb2,,Yes,,2023-03-01
"""
LETTERBOXD_WATCHLIST = """Date,Name,Year,Letterboxd URI
2024-03-01,Starship 7,1977,https://boxd.it/aaa7
"""
LETTERBOXD_PROFILE = """Date Joined,Username,Given Name
2020-01-01,someone,Some
"""
IMDB_2024 = """Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres,Num Votes,Release Date,Directors
tt0000003,9,2020-05-01,Starship 3,Starship 3,https://www.imdb.com/title/tt0000003,Movie,8.1,120,1973,Sci-Fi,1000,1973-01-01,Someone
tt0000012,2,2020-05-02,The Wedding 12,The Wedding 12,https://www.imdb.com/title/tt0000012,Movie,5.0,90,2002,Comedy,1000,2002-01-01,Someone
tt9999991,8,2020-05-03,A Series,A Series,https://www.imdb.com/title/tt9999991,TV Series,8.0,45,2010,Drama,1000,2010-01-01,
"""
IMDB_2016 = """"position","const","created","modified","description","Title","Title type","Directors","You rated","IMDb Rating","Runtime (mins)","Year","Genres","Num. Votes","Release Date (month/day/year)","URL"
"1","tt0000003","Fri Jan  1 00:00:00 2016","","","Starship 3","Feature Film","Someone","9","8.1","120","1973","sci_fi","1000","1973-01-01","http://www.imdb.com/title/tt0000003/"
"2","tt9999991","Fri Jan  1 00:00:00 2016","","","A Series","TV Series","","8","8.0","45","2010","drama","1000","2010-01-01","http://www.imdb.com/title/tt9999991/"
"""
IMDB_2018 = """Const,Your Rating,Date Rated,Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres,Num Votes,Release Date,Directors
tt0000003,9,2018-05-01,Starship 3,https://www.imdb.com/title/tt0000003/,movie,8.1,120,1973,Sci-Fi,1000,1973-01-01,Someone
tt0000012,2,2018-05-02,The Wedding 12,https://www.imdb.com/title/tt0000012/,tvMovie,5.0,90,2002,Comedy,1000,2002-01-01,Someone
tt9999991,8,2018-05-03,A Series,https://www.imdb.com/title/tt9999991/,tvSeries,8.0,45,2010,Drama,1000,2010-01-01,
tt9999992,8,2018-05-03,A Game,https://www.imdb.com/title/tt9999992/,videoGame,8.0,,2010,Action,1000,2010-01-01,
"""
IMDB_WATCHLIST = """Position,Const,Created,Modified,Description,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres,Num Votes,Release Date,Directors,Your Rating,Date Rated
1,tt0000004,2020-05-01,2020-05-01,,Starship 4,Starship 4,https://www.imdb.com/title/tt0000004,Movie,8.1,120,1974,Sci-Fi,1000,1974-01-01,Someone,,
"""
MOVIELENS = """movie_id,imdb_id,tmdb_id,rating,average_rating,title
3,0000003,1003,4.5,3.6,Starship 3 (1973)
12,0000012,1012,1.0,2.7,"Wedding, The 12 (2002)"
"""
TMDB = """TMDb ID,IMDb ID,Type,Name,Release Date,Season Number,Episode Number,Rating,Your Rating,Date Rated
1003,tt0000003,movie,Starship 3,1973-01-01,,,8.1,9,2020-05-01T10:00:00Z
5555,,tv,A Series,2010-01-01,,,7.1,8,2020-05-01T10:00:00Z
"""
TMDB_WATCHLIST = """TMDb ID,IMDb ID,Type,Name,Release Date,Season Number,Episode Number,Rating,Your Rating,Date Rated
1007,tt0000007,movie,Starship 7,1977-01-01T00:00:00Z,,,8.9,,2024-03-01T00:00:00Z
"""
MOVIELENS_WISHLIST = """movie_id,imdb_id,tmdb_id,average_rating,title
7,0000007,1007,3.6,Starship 7 (1977)
"""
LETTERBOXD_LIST = """Letterboxd list export v7
Date,Name,Tags,URL,Description
2021-11-06,For winter,"snow, night",https://boxd.it/list1,"A list,

over three lines."

Position,Name,Year,URL,Description
1,Starship 7,1977,https://boxd.it/aaa7,
2,Starship 8,1978,https://boxd.it/aaa8,Again
"""
TRAKT_CSV = """rated_at,type,title,year,trakt_rating,trakt_id,imdb_id,tmdb_id,tvdb_id,url,released,season_number,episode_number,episode_title,episode_released,episode_trakt_rating,episode_trakt_id,episode_imdb_id,episode_tmdb_id,episode_tvdb_id,genres,rating
2018-08-24T13:48:52Z,movie,Starship 3,1973,8.34,824,tt0000003,1003,,https://trakt.tv/movies/starship-3-1973,1973-01-01,,,,,,,,,,science-fiction,9
2018-08-24T13:48:52Z,episode,A Series,2010,8.1,417,tt9999991,,,https://trakt.tv/shows/a-series,2010-01-01,1,1,First,2010-01-01,8,1,,,,drama,8
"""
PLEX = """Title|Year|Critic Rating|User Rating|View Count|GUID
Starship 3|1973|8.1|9|2|imdb://tt0000003
Starship 4|1974|7.1||1|tmdb://1004
Starship 5|1975|7.1||0|tmdb://1005
"""
JELLYFIN = """DateCreated,UserId,ItemId,ItemType,ItemName
2024-01-01,1,a,Movie,Starship 3 (1973)
2024-01-02,1,b,Episode,A Series - s01e01
"""
SIMKL_CSV = """SIMKL_ID,Title,Type,Year,Watchlist,LastEpWatched,WatchedDate,Rating,Memo,TVDB,TMDB,IMDB
1,Starship 3,movie,1973,completed,,2020-05-01,9,,,1003,tt0000003
2,Starship 4,movie,1974,plantowatch,,,,,,1004,tt0000004
3,Starship 5,movie,1975,dropped,,,,,,1005,tt0000005
4,A Series,tv,2010,completed,S01E01,2020-05-01,8,,1,,
"""
TRAKT = [
    {"rated_at": "2020-05-01T10:00:00.000Z", "rating": 9, "type": "movie",
     "movie": {"title": "Starship 3", "year": 1973, "ids": {"trakt": 1, "slug": "starship-3-1973", "imdb": "tt0000003", "tmdb": 1003}}},
    {"rated_at": "2020-05-01T10:00:00.000Z", "rating": 8, "type": "show",
     "show": {"title": "A Series", "year": 2010, "ids": {"trakt": 2, "imdb": "tt9999991"}}},
]  # fmt: skip
TRAKT_WATCHED = [
    {"plays": 2, "last_watched_at": "2020-05-01T10:00:00.000Z",
     "movie": {"title": "Starship 4", "year": 1974, "ids": {"trakt": 3, "imdb": "tt0000004"}}},
]  # fmt: skip
TRAKT_WATCHLIST = [
    {"rank": 1, "listed_at": "2020-05-01T10:00:00.000Z", "type": "movie",
     "movie": {"title": "Starship 7", "year": 1977, "ids": {"trakt": 4, "tmdb": 1007}}},
]  # fmt: skip
SIMKL = {
    "movies": [
        {"status": "completed", "user_rating": 9, "last_watched_at": "2020-05-01T10:00:00Z",
         "movie": {"title": "Starship 3", "year": 1973, "ids": {"simkl": 1, "imdb": "tt0000003", "tmdb": "1003"}}},
        {"status": "plantowatch", "user_rating": None,
         "movie": {"title": "Starship 4", "year": 1974, "ids": {"simkl": 2, "imdb": "tt0000004"}}},
    ],
    "shows": [{"status": "watching", "user_rating": 7, "show": {"title": "A Series", "year": 2010, "ids": {"simkl": 3}}}],
    "anime": [],
}  # fmt: skip
TRAKT_WATCHLIST_2026 = [
    {"id": 1, "rank": 1, "type": "movie", "notes": "", "my_rating": None,
     "movie": {"title": "Starship 7", "year": 1977, "ids": {"trakt": 4, "tmdb": 1007}}},
]  # fmt: skip
TRAKT_HISTORY = [
    {"id": 1, "watched_at": "2024-05-01T10:00:00.000Z", "action": "watch", "type": "movie",
     "movie": {"title": "Starship 5", "year": 1975, "ids": {"trakt": 5, "tmdb": 1005}}},
    {"id": 2, "watched_at": "2024-05-01T10:00:00.000Z", "action": "watch", "type": "episode",
     "episode": {"season": 1, "number": 1, "title": "First"},
     "show": {"title": "A Series", "year": 2010, "ids": {"trakt": 2, "imdb": "tt9999991"}}},
]  # fmt: skip
TRAKT_OWNED = [
    {"collected_at": "2024-05-01T10:00:00.000Z", "type": "movie",
     "movie": {"title": "Starship 10", "year": 1980, "ids": {"trakt": 9, "tmdb": 1010}}},
]  # fmt: skip
TRAKT_FAVORITES = [
    {"rank": 1, "listed_at": "2020-05-01T10:00:00.000Z", "type": "movie",
     "movie": {"title": "Starship 9", "year": 1979, "ids": {"trakt": 8, "tmdb": 1009}}},
]  # fmt: skip
TRAKT_DUMP = {
    "username": "someone", "followers": [{"followed_at": "2020-01-01", "user": {"username": "other"}}],
    "ratings": TRAKT, "history": TRAKT_HISTORY, "watchlist": TRAKT_WATCHLIST, "stats": {"movies": {"plays": 2}},
}  # fmt: skip
TABLE = "title;year;rating\nStarship 3;1973;4,5\nThe Wedding 12;2002;1\nStarship 4 (1974);;3\n"
TABLE_OF_TEN = "imdb_id,score\ntt0000003,9\ntt0000012,2\n"
THUMBS = "Title,Year,Thumb\nStarship 3,1973,👍\nWedding 12,2002,dislike\n"


def packed(**files: str) -> bytes:
    """Return a zip archive; two underlines in a name are a slash, and one before the last word its dot."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            stem, _, suffix = name.replace("__", "/").rpartition("_")
            archive.writestr(f"{stem}.{suffix}", text)
    return stream.getvalue()


def letterboxd() -> bytes:
    """Return the archive that Letterboxd sends."""
    return packed(
        profile_csv=LETTERBOXD_PROFILE,
        ratings_csv=LETTERBOXD_RATINGS,
        watched_csv=LETTERBOXD_WATCHED,
        diary_csv=LETTERBOXD_DIARY,
        watchlist_csv=LETTERBOXD_WATCHLIST,
        likes__films_csv=LETTERBOXD_WATCHED,
        likes__lists_csv=LETTERBOXD_WATCHLIST,
        likes__reviews_csv=LETTERBOXD_WATCHLIST,
        orphaned__diary_csv=LETTERBOXD_DIARY.replace("Starship 5", "Starship 9"),
        deleted__diary_csv=LETTERBOXD_DIARY.replace("Starship 5", "Starship 10"),
        lists__favourites_csv=LETTERBOXD_LIST,
    )


def trakt() -> bytes:
    """Return the archive that Trakt sends: its files are numbered, and hold more than was watched."""
    files = {
        "ratings-movies.json": TRAKT[:1],
        "ratings-shows.json": TRAKT[1:],
        "watched-movies.json": TRAKT_WATCHED,
        "watched-history-1.json": TRAKT_HISTORY,
        "lists-watchlist.json": TRAKT_WATCHLIST_2026,
        "lists-favorites.json": TRAKT_FAVORITES,
        "lists-lists.json": [{"name": "Mine", "ids": {"trakt": 9, "slug": "mine"}}],
        "lists-list-9-mine.json": TRAKT_OWNED,
        "collection-movies-1.json": TRAKT_OWNED,
        "hidden-movies.json": TRAKT_OWNED,
        "comments-movies.json": [{"comment": {"comment": "Good"}, **TRAKT_OWNED[0]}],
        "user-settings.json": {"user": {"username": "someone"}},
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"trakt-someone/{name}", json.dumps(data))
    return stream.getvalue()


def encoded(data: Any) -> bytes:
    """Return JSON."""
    return json.dumps(data).encode()
