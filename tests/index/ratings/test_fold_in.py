import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.ratings.fold_in import FoldedUser, FoldInArrays

SAMPLES, MOVIES, FACTORS = 3, 7, 2


def arrays(seed: int = 0) -> tuple[FoldInArrays, np.ndarray]:
    rng = np.random.default_rng(seed)
    prior = np.stack([rng.normal(size=(SAMPLES, FACTORS + 1)), rng.uniform(1, 3, (SAMPLES, FACTORS + 1))], axis=1)
    kept = FoldInArrays(
        rated=rng.normal(0, 0.5, (SAMPLES, MOVIES, FACTORS + 1)).astype(np.float32),
        prior=prior.astype(np.float32),
        noise_precision=np.array([1, 2, 4], dtype=np.float32),
        global_bias=np.array([3.5, 3.4, 3.6], dtype=np.float32),
    )
    return kept, rng.normal(size=(SAMPLES, MOVIES, FACTORS + 1)).astype(np.float32)


def by_hand(kept: FoldInArrays, movies: np.ndarray, rows: list[int], values: list[float], row: int) -> float:
    """Return the prediction as the factorisation machine's sum over all pairs of features, one sample at a time."""
    total = 0.0
    for s in range(SAMPLES):
        mean, precision = kept.prior[s].astype(float)
        features = [(1 / np.sqrt(len(rows)), kept.rated[s, j].astype(float)) for j in rows]
        fixed = kept.global_bias[s] + sum(x * f[-1] for x, f in features)
        for i, (x, f) in enumerate(features):
            fixed += sum(x * y * f[:-1] @ g[:-1] for y, g in features[i + 1 :])
        latent = sum((x * f[:-1] for x, f in features), np.zeros(FACTORS))
        # Ridge regression of the residuals on the user's own factors and bias, as one stacked least-squares problem.
        coefficients = [np.append(latent + movies[s, j, :-1], 1.0) for j in rows]
        residuals = [
            v - fixed - movies[s, j, -1] - latent @ movies[s, j, :-1] for j, v in zip(rows, values, strict=True)
        ]
        weight = np.sqrt(kept.noise_precision[s])
        design = np.vstack([*(weight * row for row in coefficients), np.diag(np.sqrt(precision))])
        target = np.concatenate([weight * np.array(residuals), np.sqrt(precision) * mean])
        own = np.linalg.lstsq(design, target, rcond=None)[0]
        total += fixed + movies[s, row, -1] + (latent + own[:-1]) @ movies[s, row, :-1] + own[-1] + own[:-1] @ latent
    return total / SAMPLES


def test_fold_in_is_a_ridge_regression_given_all_other_parameters() -> None:
    kept, movies = arrays()
    rows, values = [1, 4, 5], [4.0, 2.5, 5.0]
    folded = FoldedUser(kept, movies, np.array(rows), np.array(values, dtype=np.float32))
    expected = [by_hand(kept, movies, rows, values, row) for row in range(MOVIES)]
    np.testing.assert_allclose(folded.moments(np.arange(MOVIES))[0], expected, rtol=1e-5)
    np.testing.assert_allclose(folded.means(), expected, rtol=1e-5)


@given(st.integers(0, 20), st.dictionaries(st.integers(0, MOVIES - 1), st.floats(0.5, 5), max_size=MOVIES))
def test_a_prediction_is_the_sum_of_its_terms(seed: int, ratings: dict[int, float]) -> None:
    kept, movies = arrays(seed)
    rows = np.array(list(ratings), dtype=np.int64)
    folded = FoldedUser(kept, movies, rows, np.array(list(ratings.values()), dtype=np.float32))
    every = np.arange(MOVIES)
    terms = folded.terms(every)
    assert terms.watched.shape == terms.rated.shape == (MOVIES, rows.size)
    whole = terms.base + terms.watched.sum(axis=1) + terms.rated.sum(axis=1)
    np.testing.assert_allclose(whole, folded.moments(every)[0], atol=1e-5)
    for row in range(MOVIES):  # a batch equals single calls
        alone = folded.terms(np.array([row]))
        np.testing.assert_allclose([alone.watched[0], alone.rated[0]], [terms.watched[row], terms.rated[row]])


def test_residuals_are_ratings_minus_predictions() -> None:
    kept, movies = arrays()
    rows, values = np.array([1, 4, 5]), np.array([4, 2.5, 5], dtype=np.float32)
    folded = FoldedUser(kept, movies, rows, values)
    np.testing.assert_allclose(folded.residuals, values - folded.moments(rows)[0], atol=1e-6)


def test_the_rated_term_is_what_the_value_of_a_rating_changes() -> None:
    kept, movies = arrays()
    rows = np.array([1, 4, 5])
    before = FoldedUser(kept, movies, rows, np.array([4, 2.5, 5], dtype=np.float32)).terms(np.array([0]))
    after = FoldedUser(kept, movies, rows, np.array([4, 3.5, 5], dtype=np.float32)).terms(np.array([0]))
    assert after.base == pytest.approx(before.base)
    np.testing.assert_allclose(after.watched, before.watched)
    np.testing.assert_allclose(after.rated[0, [0, 2]], before.rated[0, [0, 2]])
    assert after.rated[0, 1] != pytest.approx(before.rated[0, 1])


def test_a_user_without_ratings_is_predicted_by_the_prior() -> None:
    kept, movies = arrays()
    nobody = FoldedUser(kept, movies, np.array([], dtype=np.int64), np.array([], dtype=np.float32))
    mean = kept.prior[:, 0]
    expected = kept.global_bias + mean[:, -1] + movies[:, 2, -1] + (mean[:, :-1] * movies[:, 2, :-1]).sum(axis=1)
    assert nobody.moments(np.array([2]))[0][0] == pytest.approx(expected.mean(), rel=1e-5)
    assert nobody.terms(np.array([2])).base[0] == pytest.approx(expected.mean(), rel=1e-5)


def test_each_rating_reduces_the_variance_of_predictions() -> None:
    kept, movies = arrays()
    kept = FoldInArrays(np.zeros_like(kept.rated), kept.prior, kept.noise_precision, kept.global_bias)
    same = np.repeat(movies[:1], SAMPLES, axis=0)  # the samples differ in the prior alone
    variances = []
    for count in range(4):
        rows = np.arange(count)
        folded = FoldedUser(kept, same, rows, np.full(count, 3, dtype=np.float32))
        _, variance = folded.moments(np.array([6]))
        variances.append(variance[0] - _means(folded, same, 6).var())
    assert variances == sorted(variances, reverse=True)
    assert variances[-1] < variances[0]


def _means(folded: FoldedUser, movies: np.ndarray, row: int) -> np.ndarray:
    """Return the mean prediction of each sample, (samples,)."""
    return movies[:, row, -1] + folded.samples[:, -1] + (movies[:, row, :-1] * folded.samples[:, :-1]).sum(axis=1)
