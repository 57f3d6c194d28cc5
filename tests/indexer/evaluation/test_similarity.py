from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from index.catalogue.catalogue import Movie
from index.core.errors import InvalidInput, UnknownMovie
from index.core.ids import Ids
from index.core.source_ids import numbers_for
from index.spaces.blend import RowMaps
from index.spaces.random_pairs import RandomPairs
from indexer.config import BLEND
from indexer.datasets.dataset import Ratings
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.evaluation.blend_weights import blended, choose_weights, harmless, losses, standardised
from indexer.evaluation.candidates import (
    CandidateSpace,
    blend_space,
    candidate_spaces,
    nearest,
    pair_scores,
    scored_space,
    vector_space,
)
from indexer.evaluation.judgements import JudgedPairs, read_judged
from indexer.evaluation.similarity import auc, co_liked_triplets, compare, popular_movies
from tests.conftest import QUICK, SPACE, WEDDINGS, World

# Movies 100 to 109 are of one kind, 110 to 119 of another. Of 40 users, the even ones rated exactly the movies of the
# first kind, the odd ones those of the second, all with equal ratings; three ratings of each user are held out.
KINDS = np.repeat([0, 1], 10)
MOVIES = tuple(
    Movie(100 + row, f"Film {row}", 2000, (("Action",), ("Romance",))[kind]) for row, kind in enumerate(KINDS)
)
IDS = Ids([movie.movie_id for movie in MOVIES])
TAGS = {movie.movie_id: ("dark" if "Action" in movie.genres else "pink",) for movie in MOVIES}
EVERYONE = np.arange(len(MOVIES))


def ratings_of(given: list[tuple[int, int, float]], users: list[int], movies: tuple[Movie, ...] = MOVIES) -> Training:
    user_ids, movie_ids, values = np.array(given, dtype=float).reshape(-1, 3).T
    ratings = Ratings(user_ids.astype(np.int64), movie_ids.astype(np.int64), values.astype(np.float32))
    return Training(ratings, Ids(users), movies)


def two_kinds() -> tuple[Training, Training]:
    rated = [(user, 100 + 10 * (user % 2) + at, 4.0) for user in range(40) for at in range(10)]
    held_out = [(user + at) % 10 < 3 for user in range(40) for at in range(10)]
    parts = ([one for one, held in zip(rated, held_out, strict=True) if held == wanted] for wanted in (False, True))
    train, test = (ratings_of(part, list(range(40))) for part in parts)
    return train, test


def by_kind(rows: np.ndarray = EVERYONE, *, sign: float = 1, facts: tuple[str, ...] = ()) -> CandidateSpace:
    """Return a space that scores 1 within a kind and 0 across; or, with sign -1, the opposite order."""
    same = (KINDS[rows][:, None] == KINDS[rows]) * np.float32(sign)
    return scored_space(rows, lambda at: same[at], len(MOVIES), facts)


def of_vectors(vectors: np.ndarray, rows: np.ndarray = EVERYONE, ids: Ids = IDS) -> CandidateSpace:
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return vector_space(rows, unit, ids, np.random.default_rng(0))


def test_an_auc_is_the_share_of_pairs_in_order_and_ties_count_half() -> None:
    assert auc(np.array([3.0, 1.0]), np.array([2.0, 1.0])) == (1 + 1 + 0 + 0.5) / 4
    assert auc(np.array([1.0, 1.0]), np.array([1.0])) == 0.5
    assert auc(np.array([2.0]), np.array([0.0, 1.0])) == 1


def test_questions_are_of_liked_pairs_and_a_movie_that_others_like_and_the_user_never_rated() -> None:
    # The training mean of users 1 and 2 is 3; the others have their held-out mean.
    users = [1, 2, 3, 4]
    train = ratings_of([(1, 104, 3), (2, 104, 3)], users)
    of_1 = [(1, 100, 5), (1, 101, 4), (1, 102, 2)]
    of_2 = [(2, 102, 5), (2, 103, 3), (2, 100, 1)]
    of_3 = [(3, 100, 2), (3, 102, 4), (3, 103, 4)]
    of_4 = [(4, 105, 1), (4, 106, 1)]
    test = ratings_of(of_1 + of_2 + of_3 + of_4, users)
    liked, others = {}, {}
    for seed in range(60):
        triplets = co_liked_triplets(train, test, np.random.default_rng(seed))
        for user, *rows in zip(triplets.groups.tolist(), triplets.anchors, *triplets.others, strict=True):
            first, second, other = IDS.values[rows].tolist()
            liked.setdefault(users[user], set()).add(frozenset({first, second}))
            others.setdefault(users[user], set()).add(other)
    assert liked == {
        1: {frozenset({100, 101})},
        2: {frozenset({102, 103})},
        3: {frozenset({102, 103})},
        4: {frozenset({105, 106})},
    }
    assert others == {1: {103, 105, 106}, 2: {101, 105, 106}, 3: {101, 105, 106}, 4: {100, 101, 102, 103}}


def test_questions_are_the_same_for_the_same_seed_and_never_of_anything_rated() -> None:
    train, test = two_kinds()
    triplets, again = (co_liked_triplets(train, test, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(triplets.others, again.others)
    assert triplets.groups.size == 40 * 3  # three pairs of three movies
    assert (KINDS[triplets.anchors] == KINDS[triplets.others[0]]).all()
    assert (KINDS[triplets.anchors] != KINDS[triplets.others[1]]).all()  # they rated all of their kind
    assert (triplets.anchors != triplets.others[0]).all()


def test_a_user_who_likes_a_lot_is_asked_no_more_than_fifty_times() -> None:
    movies = tuple(Movie(i, str(i)) for i in range(60))
    given = [(1, i, 4) for i in range(40)] + [(2, i, 4) for i in range(30, 60)]
    triplets = co_liked_triplets(
        ratings_of([], [1, 2], movies), ratings_of(given, [1, 2], movies), np.random.default_rng(0)
    )
    assert np.bincount(triplets.groups).tolist() == [50, 50]
    assert (
        len(
            {
                (u, frozenset((a, b)))
                for u, a, b in zip(triplets.groups, triplets.anchors, triplets.others[0], strict=True)
            }
        )
        == 100
    )


def test_the_movie_that_others_like_is_rated_about_as_often() -> None:
    # Users have rated most popular movies, so their unrated movies are less popular than the liked ones.
    rng = np.random.default_rng(0)
    movies = tuple(Movie(i, str(i)) for i in range(300))
    popularity = np.arange(300) // 10
    train = [(1000 + at, i, 4) for i in range(300) for at in range(popularity[i])]
    train += [(user, i, 4) for user in range(300) for i in range(250, 300) if rng.random() < 0.7]
    rated = {(user, i) for user, i, _ in train}
    liked = [
        (user, i, 4) for user in range(300) for i in range(100, 300, 7) if (user, i) not in rated and rng.random() < 0.3
    ]
    users = [*range(300), *range(1000, 1030)]
    triplets = co_liked_triplets(ratings_of(train, users, movies), ratings_of(liked, users, movies), rng)
    count = np.bincount([i for _, i, _ in train])
    assert abs(np.diff(count[triplets.others].mean(axis=1))[0]) < 0.1 * count[triplets.others].std()


def test_held_out_ratings_without_a_liked_pair_are_refused() -> None:
    train = ratings_of([(1, 100, 3), (2, 100, 3)], [1, 2])
    for given in ([(1, 101, 5), (2, 102, 5)], [(1, 101, 1)]):
        with pytest.raises(InvalidInput, match="hold out more ratings"):
            co_liked_triplets(train, ratings_of(given, [1, 2]), np.random.default_rng(0))


def test_every_figure_comes_out_by_hand_on_two_kinds_of_movies() -> None:
    train, test = two_kinds()
    spaces = {
        "kinds": by_kind(),
        "opposite": by_kind(sign=-1),
        "nothing": by_kind(sign=0),
        "known": by_kind(facts=("genres", "tags")),
    }
    judged = JudgedPairs(np.array([0, 0, 1, 2]), np.array([1, 11, 2, 3]), np.array([True, False, True, False]))
    right, opposite, nothing, known = compare(
        spaces, train, test, np.random.default_rng(0), tags=TAGS, judged=judged, shown=[103]
    )
    for score, share in ((right, 1), (opposite, 0), (nothing, 0.5)):
        assert score.co_liked is not None
        assert (score.co_liked.value, score.co_liked.low, score.co_liked.high) == (share, share, share)
        assert score.co_liked.coverage == 1
    # Nine of ten neighbours are of the movie's kind, the tenth is not; or all ten are of the other.
    for score, share in ((right, 0.9), (opposite, 0)):
        assert score.genres is not None
        assert score.tags is not None
        assert score.genres.value == pytest.approx(share)
        assert score.tags.value == pytest.approx(share)
    assert known.genres is None
    assert known.tags is None
    # Alike pairs score 1 and 1, the others 0 and 1.
    assert right.judged is not None
    assert right.judged.value == 0.75
    assert right.judged.low <= 0.75 <= right.judged.high
    assert right.nearest == {"Film 3 (2000)": tuple(f"Film {row} (2000)" for row in (0, 1, 2, 4, 5))}
    json.dumps([asdict(score) for score in (right, opposite, nothing, known)])


def test_a_space_with_few_movies_is_asked_what_it_can_answer() -> None:
    train, test = two_kinds()
    narrow = np.array([0, 1, 2, 3, 10, 11, 12, 13])
    spaces = {"kinds": by_kind(), "narrow": by_kind(narrow), "one": by_kind(np.array([5]))}
    judged = JudgedPairs(np.array([0, 0, 4]), np.array([1, 11, 5]), np.array([True, False, True]))
    wide, few, one = compare(spaces, train, test, np.random.default_rng(0), tags={}, judged=judged)
    assert wide.co_liked is not None
    assert wide.co_liked.coverage == 1
    assert wide.tags is None  # no tags
    assert few.co_liked is not None
    assert few.co_liked.value == 1
    assert 0 < few.co_liked.coverage < 0.5
    assert few.genres is not None
    assert few.genres.coverage == pytest.approx(8 / 20)
    assert few.judged is not None
    assert few.judged.coverage == pytest.approx(2 / 3)
    assert (one.co_liked, one.genres, one.judged) == (None, None, None)


def test_spaces_that_can_answer_most_questions_are_asked_the_same() -> None:
    train, test = two_kinds()
    spaces = {"all": by_kind(), "most": by_kind(EVERYONE[1:])}
    whole, most = compare(spaces, train, test, np.random.default_rng(0), tags={})
    assert whole.co_liked == most.co_liked
    assert most.co_liked is not None
    assert 0.5 < most.co_liked.coverage < 1


def test_films_to_show_are_known_to_many_and_of_different_genres() -> None:
    movies = (
        Movie(1, "a", None, ("Action",)),
        Movie(2, "b", None, ("Action", "War")),
        Movie(3, "c", None, ("War",)),
        Movie(4, "d", None, ("Drama",)),
        Movie(5, "e", None, ("Comedy",)),
    )
    counts = {1: 12, 2: 11, 3: 10, 4: 20, 5: 7}
    given = [(user, movie_id, 3) for movie_id, n in counts.items() for user in range(n)]
    assert [movies[row].movie_id for row in popular_movies(ratings_of(given, list(range(20)), movies))] == [4, 1, 3]
    assert popular_movies(ratings_of(given[:1], [0], movies)) == [0]


def test_a_film_to_show_must_exist() -> None:
    train, test = two_kinds()
    with pytest.raises(UnknownMovie, match="there is no movie 7"):
        compare({"kinds": by_kind()}, train, test, np.random.default_rng(0), tags={}, shown=[7])


def test_the_nearest_are_best_first_ties_by_row_and_never_the_movie_itself() -> None:
    space = of_vectors(np.array([[1, 0], [0, 1], [1, 0.1], [1, 0.1]]), np.array([2, 4, 6, 9]))
    assert nearest(space, 2, 2) == [6, 9]
    assert nearest(space, 2, 10) == [6, 9, 4]
    assert nearest(space, 3, 2) == []


def test_a_blend_of_pairs_is_what_the_blend_answers() -> None:
    rng = np.random.default_rng(0)
    rows = {"poster": np.array([0, 3, 4, 7, 15]), "taste": EVERYONE[:-1], "facts": EVERYONE[2:]}
    spaces = {name: of_vectors(rng.normal(size=(some.size, 5)), some) for name, some in rows.items()}
    first, second = (both.ravel() for both in np.meshgrid(EVERYONE, EVERYONE))
    searchable = {name: part.space for name, part in spaces.items() if part.space is not None}
    scores = np.array([standardised(pair_scores(spaces[name], first, second), searchable[name]) for name in spaces])
    pairs = RandomPairs.draw(searchable, RowMaps.of(searchable, IDS).catalogue_rows, len(IDS))
    for weights in ((0.25, 1, 0.5), (1, 1, 1), (1, 0, 0), (0, 1, 0.5)):
        blend = blend_space(spaces, dict(zip(spaces, weights, strict=True)), IDS)
        served = blend.score_rows(EVERYONE)[first, second]
        ours = blended(scores, weights, pairs.correlations(list(spaces)))
        np.testing.assert_array_equal(np.isnan(ours), np.isneginf(served))
        np.testing.assert_allclose(ours[~np.isnan(ours)], served[~np.isnan(ours)], atol=1e-5)


def test_a_blend_is_made_of_the_facts_of_its_parts_that_have_a_weight() -> None:
    vectors = np.eye(20, dtype=np.float32)
    spaces = {
        name: vector_space(EVERYONE, vectors, IDS, np.random.default_rng(0), facts)
        for name, facts in (("taste", ("genres",)), ("facts", ("tags",)), ("poster", ()))
    }
    assert blend_space(spaces, {"taste": 1, "poster": 1, "facts": 0}, IDS).facts == {"genres"}
    assert blend_space(spaces, {"taste": 1, "facts": 0.5}, IDS).facts == {"genres", "tags"}


def fuzzy(seed: int, *, signal: float = 1) -> CandidateSpace:
    """Return a space with the kinds of 120 movies, even and odd rows, with noise; or noise alone."""
    kinds = signal * np.eye(2)[np.arange(120) % 2]
    noise = 0.5 * np.random.default_rng(seed).normal(size=(120, 4))
    return of_vectors(np.hstack([kinds, noise]) if signal else noise, np.arange(120), Ids(np.arange(120)))


def many() -> tuple[Training, Training]:
    """Return ratings of 100 users, of 12 movies of one kind each, and their held-out half."""
    rng = np.random.default_rng(0)
    movies = tuple(Movie(row, str(row)) for row in range(120))
    given = [(user, 2 * at + user % 2, 4) for user in range(100) for at in rng.choice(60, 12, replace=False).tolist()]
    return ratings_of(given[::2], list(range(100)), movies), ratings_of(given[1::2], list(range(100)), movies)


def test_of_equal_weights_the_most_even_are_chosen() -> None:
    choice = choose_weights([({"taste": fuzzy(0), "facts": fuzzy(0)}, *many())], np.random.default_rng(0))
    assert choice.weights == {"taste": 1, "facts": 1}
    assert (
        len(choice.trials) == 10
    )  # facts at 0, .1, 1/4, 1/2, 3/4 and 1 beside taste at 1, and taste at .1, 1/4, 1/2 and 3/4
    assert all(trial.weights["taste"] > 0 for trial in choice.trials)
    assert max(trial.behind for trial in choice.trials) == pytest.approx(0, abs=1e-3)  # ties aside
    json.dumps(asdict(choice))


def test_a_space_of_pure_noise_gets_hardly_any_weight() -> None:
    choice = choose_weights([({"taste": fuzzy(0), "facts": fuzzy(1, signal=0)}, *many())], np.random.default_rng(0))
    assert choice.weights["taste"] == 1
    assert choice.weights["facts"] <= 0.1
    assert [trial.behind for trial in choice.trials] == sorted(trial.behind for trial in choice.trials)


def test_a_space_that_adds_something_gets_a_weight() -> None:
    choice = choose_weights([({"taste": fuzzy(0), "facts": fuzzy(1)}, *many())], np.random.default_rng(0))
    assert choice.weights["facts"] >= 0.5
    alone = next(trial for trial in choice.trials if trial.weights == {"taste": 1, "facts": 0})
    assert alone.behind > alone.behind_error > 0


def test_weights_that_one_kind_of_evidence_is_harmed_by_are_not_saved_by_another() -> None:
    accuracy = {
        "co_liked": np.array([0.64, 0.62, 0.6399]),  # the second loses here what it wins there
        "series": np.array([0.92, 0.94, 0.9199]),
    }
    noise = np.random.default_rng(0).normal(scale=0.001, size=(3, 200))
    means = {kind: found[:, None] + noise for kind, found in accuracy.items()}
    assert losses(np.mean(list(accuracy.values()), axis=0), means["series"])[0].tolist() == pytest.approx([0, 0, 1e-4])
    assert harmless(accuracy, means).tolist() == [True, False, True]


def test_a_taste_space_alone_has_all_the_weight() -> None:
    assert choose_weights([({"taste": fuzzy(0)}, *many())], np.random.default_rng(0)).weights == {"taste": 1}


def test_judged_pairs_are_read_under_any_names(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("a;b;verdict\n100;101;1\n\n100;119;0.0\n103;7;1\n7;8;0\n")
    judged = read_judged(file, MOVIES)
    assert judged.first.tolist() == [0, 0]
    assert judged.second.tolist() == [1, 19]
    assert judged.alike.tolist() == [True, False]
    left_out = "2 judged pairs left out, of movies that are not in the catalogue (such as movie 7)"
    assert judged.warnings == (f"{file}: {left_out}",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("movie,movie\n", r"line 1: expected names of three columns \(movie, movie, alike\), not movie, movie"),
        ("100,101,1\n", r"line 1: expected names of three columns \(movie, movie, alike\), not 100, 101, 1"),
        ("a,b,alike\n100,101,1\n100,102,yes\n", r"line 3: alike 'yes' is neither 1 \(alike\) nor 0 \(not\)"),
        ("a,b,alike\n100,101,2\n", "line 2: alike '2' is neither"),
        ("a,b,alike\n100,Heat,1\n", "line 2: b 'Heat' is not a whole number from 0"),
        ("a,b,alike\n100,100,1\n", "line 2: movie 100 is paired with itself: remove the line"),
        ("a,b,alike\n100,101\n", "line 2: 2 fields, 3 expected"),
        (
            "a,b,alike\n100,101,1\n101,102,1\n",
            "2 of 2 pairs of movies in the catalogue are alike: give pairs of both kinds",
        ),
        ("a,b,alike\n100,101,0\n1,2,1\n", "0 of 1 pairs"),
        ("a,b,alike\n", "0 of 0 pairs"),
    ],
)
def test_a_judged_pair_at_fault_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(InvalidInput, match=message):
        read_judged(tmp_path / "pairs.csv", MOVIES)


def test_judged_pairs_may_name_movies_by_the_ids_of_their_data_set(tmp_path: Path) -> None:
    texts = ["B000EXAMPL", "007", "9148955329465708066"]
    numbers = numbers_for([*texts, "7"])
    movies = [Movie(7, "Seven"), *(Movie(numbers[text], text, source_id=text) for text in texts)]
    movies.sort(key=lambda movie: movie.movie_id)
    rows = {movie.source_id or "7": row for row, movie in enumerate(movies)}
    file = tmp_path / "pairs.csv"
    file.write_text(f"a,b,alike\nB000EXAMPL,007,1\n7.0,{numbers['007']},0\n9148955329465708066,7,1\n8,7,1\n")
    judged = read_judged(file, movies)
    assert judged.first.tolist() == [rows["B000EXAMPL"], rows["7"], rows["9148955329465708066"]]
    assert judged.second.tolist() == [rows["007"], rows["007"], rows["7"]]
    left_out = "1 judged pairs left out, of movies that are not in the catalogue (such as movie 8)"
    assert judged.warnings == (f"{file}: {left_out}",)
    for text in ("B000UNKNOWN", "08", "-7", "", f"{2**63}"):
        file.write_text(f'a,b,alike\nB000EXAMPL,007,1\n7,"{text}",0\n')
        with pytest.raises(InvalidInput, match=f"line 3: b '{text}' is the id of no movie in the data set"):
            read_judged(file, movies)


def test_a_missing_file_of_judged_pairs_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no file"):
        read_judged(tmp_path / "pairs.csv", MOVIES)


def test_every_space_of_a_world_with_taste_tells_its_two_kinds_of_film(world: World) -> None:
    dataset = read_dataset(world.ratings)
    held_out = np.random.default_rng(0).random(len(dataset.ratings)) < 0.4
    train, test = Training.of(dataset, ~held_out), Training.of(dataset, held_out)
    pictured = train.movie_ids.find([*SPACE, *range(11, 20)])
    looks = np.where(np.arange(pictured.size)[:, None] < 10, [1, 0.1], [0.1, 1]).astype(np.float32)
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    spaces = candidate_spaces(train, np.random.default_rng(0), tags={}, settings=QUICK, poster=(pictured, looks))
    assert list(spaces) == [
        "item-cosine", "sgd", "als", "bayesian-mf", "taste", "implicit-als", "ease", "facts", "poster",
    ]  # fmt: skip
    spaces["blend"] = blend_space(spaces, BLEND, train.movie_ids)
    for name, space in spaces.items():
        # These use only the choice of movies (the cosine mostly), which is random here.
        if name in {"implicit-als", "ease"}:
            continue
        least = 0.55 if name == "item-cosine" else 0.8
        for kind in (SPACE, WEDDINGS):
            rows = [row for row in train.movie_ids.find(list(kind)).tolist() if nearest(space, row, 1)]
            same = [near in [*kind, 23] for row in rows for near in train.movie_ids.values[nearest(space, row, 5)]]
            assert np.mean(same) > least, name
    scores = {score.space: score for score in compare(spaces, train, test, np.random.default_rng(0), tags={})}
    for name, score in scores.items():
        assert score.co_liked is not None, name
        if name in {"implicit-als", "ease"}:
            continue
        assert (score.co_liked.value if name == "item-cosine" else score.co_liked.low) > 0.5, name
        assert score.tags is None
    assert [name for name, score in scores.items() if score.genres is None] == ["taste", "facts", "blend"]
    assert choose_weights([(spaces, train, test)], np.random.default_rng(0)).weights["taste"] > 0
