"""What one pass counts: equal to numpy's own figures, and to the bit however rows are split."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tastemill.features.bins import quantiles
from tastemill.features.tally import Layout, taken_apart, tally

ROWS = 1_000
CENTRE = np.array([5, 1e6, 0.5, 0, 0, 0])


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numeric features from tame to wild, two categorical ones, a label."""
    random = np.random.default_rng(3)
    label = random.integers(0, 2, ROWS).astype(np.float64)
    numeric = np.column_stack(
        [
            random.normal(5.0, 2.0, ROWS),
            random.exponential(1e6, ROWS),
            label + random.normal(0.0, 0.1, ROWS),
            np.zeros(ROWS),
            np.where(random.random(ROWS) < 0.3, np.nan, random.normal(0, 1e-6, ROWS)),
            np.full(ROWS, np.nan),
        ]
    ).astype(np.float32)
    numeric[:3, 0] = np.inf, -np.inf, np.nan
    categorical = np.column_stack([random.integers(0, 7, ROWS), label]).astype(np.int64)
    return numeric, categorical, label


@pytest.fixture(scope="module")
def layout(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Layout:
    numeric, _, label = rows
    finite = np.where(np.isfinite(numeric), numeric, np.nan).astype(np.float64)
    return Layout(
        edges=tuple(quantiles(numeric[:, n], 8) for n in range(numeric.shape[1])),
        sizes=(8, 2),
        label_edges=np.unique(label)[1:],
        rows=ROWS,
        centre=CENTRE,
        scale=np.array([2, 1e6, 0.5, 1, 1e-6, 1]),
        reach=np.nan_to_num(np.fmax.reduce(np.abs(finite - CENTRE))),
    )


def test_figures_are_numpys(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray], layout: Layout
) -> None:
    numeric, categorical, label = rows
    found = taken_apart(layout, tally(layout, numeric, categorical, label))
    finite = np.where(np.isfinite(numeric), numeric, np.nan).astype(np.float64)[:, :5]
    assert found.moments.means[:5] == pytest.approx(np.nanmean(finite, axis=0), rel=1e-12)
    assert found.moments.variances[:5] == pytest.approx(np.nanvar(finite, axis=0), rel=1e-9)
    assert np.isnan(found.moments.means[5])
    theirs = [
        f(finite, axis=0, nan_policy="omit") for f in (scipy.stats.skew, scipy.stats.kurtosis)
    ]
    varying = [0, 1, 2, 4]
    assert found.moments.skewness[varying] == pytest.approx(theirs[0][varying], rel=1e-6, abs=1e-9)
    assert found.moments.kurtosis[varying] == pytest.approx(theirs[1][varying], rel=1e-6, abs=1e-9)
    assert np.isnan(found.moments.skewness[[3, 5]]).all()  # nothing varies, or nothing is known
    # Each row falls into one bin of each feature.
    assert all(counts.sum() == ROWS for counts in found.counts)
    assert found.counts[0][-1].sum() == 1
    assert found.counts[5][-1].sum() == ROWS
    seen = found.counts[6].sum(axis=1)
    assert seen.tolist() == [*np.bincount(categorical[:, 0]), 0]  # an index that no row has
    assert found.counts[7].tolist() == [[(label == 0).sum(), 0], [0, (label == 1).sum()]]


def test_correlations_are_those_of_the_values_cut_off(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray], layout: Layout
) -> None:
    numeric, categorical, label = rows
    found = taken_apart(layout, tally(layout, numeric, categorical, label))
    values = np.clip((numeric - layout.centre) / layout.scale, -8, 8)
    tame = np.nan_to_num(values[:, [0, 1, 2, 4]])
    theirs = np.corrcoef(tame, rowvar=False)
    assert found.correlations[np.ix_([0, 1, 2, 4], [0, 1, 2, 4])] == pytest.approx(theirs, abs=1e-3)
    assert (found.correlations[3] == 0).all()  # nothing goes with what never varies


@given(cuts=st.sets(st.integers(1, ROWS - 1), max_size=6))
def test_equal_to_the_bit_however_rows_are_split(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray], layout: Layout, cuts: set[int]
) -> None:
    whole = tally(layout, *rows)
    parts = zip(*(np.split(part, sorted(cuts)) for part in rows), strict=True)
    assert (sum(tally(layout, *part) for part in parts) == whole).all()


def test_large_numbers_over_many_rows_do_not_overflow() -> None:
    huge = np.full((1_000, 1), 3e38, dtype=np.float32)
    layout = Layout(
        edges=(np.empty(0),),
        sizes=(),
        label_edges=np.empty(0),
        rows=10**9,
        centre=np.array([0.0]),
        scale=np.array([1.0]),
        reach=np.array([3e38]),
    )
    none = np.empty((1_000, 0), dtype=np.int64)
    part = tally(layout, huge, none, np.ones(1_000))
    found = taken_apart(layout, part * 10**6)
    assert found.moments.means == pytest.approx([3e38], rel=1e-6)
    assert found.moments.variances[0] < 1e-6 * 3e38**2


def test_the_variance_of_large_numbers_is_not_lost_between_them() -> None:
    times = (1.7e9 + 128 * np.arange(1_000)[:, None]).astype(np.float32)
    layout = Layout(
        edges=(np.empty(0),),
        sizes=(),
        label_edges=np.empty(0),
        rows=10**9,
        centre=np.array([1.7e9]),
        scale=np.array([1e5]),
        reach=np.array([128_000.0]),
    )
    none = np.empty((1_000, 0), dtype=np.int64)
    found = taken_apart(layout, tally(layout, times, none, np.ones(1_000)))
    assert found.moments.variances == pytest.approx([times.astype(np.float64).var()], rel=1e-4)
