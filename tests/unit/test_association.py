"""What a feature tells of the label: equal to scipy's and scikit-learn's figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import chi2_contingency
from sklearn.metrics import mutual_info_score

from tastemill.features.association import (
    _of_one_count,
    association,
    false_discovery_rate,
    information_by_chance,
)

TABLES = arrays(
    np.int64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.one_of(st.integers(0, 5), st.integers(0, 10_000_000)),
)


@given(TABLES)
def test_equal_to_scipy_and_scikit_learn(counts: np.ndarray) -> None:
    found = association(counts)
    table = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(table.shape, default=0) < 2:
        assert (found.chi_square, found.p_value, found.mutual_information) == (0.0, 1.0, 0.0)
        return
    theirs = chi2_contingency(table)
    information = mutual_info_score(None, None, contingency=table)
    assert found.chi_square == pytest.approx(theirs.statistic, rel=1e-9, abs=1e-9)
    assert found.p_value == pytest.approx(theirs.pvalue, abs=1e-9)
    assert found.mutual_information == pytest.approx(information, abs=1e-9)
    assert found.mutual_information <= found.entropy + 1e-9


def test_by_hand() -> None:
    # A feature that is the label: one bit of it, ln 2 nats; chi-square is rows, less Yates' share.
    found = association(np.array([[50, 0], [0, 50]]))
    assert found.mutual_information == pytest.approx(np.log(2))
    assert found.entropy == pytest.approx(np.log(2))
    assert found.chi_square == pytest.approx(100 * (50 * 50 - 50) ** 2 / 50**4)
    assert association(np.array([[25, 25], [25, 25]])).p_value == 1.0


def test_noise_in_many_bins_tells_nothing() -> None:
    random = np.random.default_rng(1)
    counts = np.zeros((1_000, 2), dtype=np.int64)
    np.add.at(counts, (random.integers(0, 1_000, 50_000), random.integers(0, 2, 50_000)), 1)
    found = association(counts)
    assert found.mutual_information > 0.009  # as it seems
    assert found.told < 0.001
    one_to_one = association(np.diag([500, 500]))
    assert one_to_one.told == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.1), (0.2, 0.3, 0.5)])
@pytest.mark.parametrize("rows_in_a_bin", [1, 4, 60, 700])
def test_information_by_chance(shares: tuple[float, ...], rows_in_a_bin: int) -> None:
    """The mean over draws of a label that knows nothing of the bins."""
    random, bins = np.random.default_rng(7), 40
    drawn = [random.multinomial(rows_in_a_bin, shares, size=bins) for _ in range(400)]
    drawn = [counts for counts in drawn if counts.sum(axis=0).all()]
    mean = np.mean([association(counts).mutual_information for counts in drawn])
    foreseen = np.mean([information_by_chance(counts) for counts in drawn])
    assert foreseen == pytest.approx(mean, rel=0.05)


@pytest.mark.parametrize("rare", [1e-3, 1e-5])
def test_information_by_chance_of_a_rare_class_changes_smoothly(rare: float) -> None:
    shares = np.array([rare, 0.3, 0.7 - rare])
    sizes = (100, 400, 499, 500, 501, 502, 1_000, 5_000, 50_000)
    found = [sum(_of_one_count(rows, p) for p in shares) for rows in sizes]
    assert max(found[2:6]) - min(found[2:6]) < 0.02
    assert all(1 < each < 2.5 for each in found)


def test_corrected_for_how_many_there_are() -> None:
    # Sorted p times n / rank, made monotone from above.
    corrected = false_discovery_rate([0.01, 0.04, 0.03, 0.5])
    assert corrected == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert false_discovery_rate([]) == []
