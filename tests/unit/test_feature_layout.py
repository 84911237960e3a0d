"""What is counted: bins and scales for tame, constant, empty and infinite features."""

import numpy as np
import pytest

from tastemill.features.bins import codes
from tastemill.features.config import FeaturesConfig
from tastemill.features.layout import NUM_CLASSES, label_edges, layout_of


def test_each_feature_gets_bins_and_a_scale_of_its_own() -> None:
    random = np.random.default_rng(1)
    sample = np.column_stack(
        [
            random.normal(10, 2, 1_000),
            np.zeros(1_000),
            np.full(1_000, np.nan),
            np.where(random.random(1_000) < 0.9, 0.0, random.random(1_000) * 100),
            np.where(random.random(1_000) < 0.5, np.inf, -np.inf),
        ]
    ).astype(np.float32)
    labels = (random.random(1_000) < 0.2).astype(np.float64)
    # All rows reach further than the sample does.
    extremes = [(-5.0, 30.0), (0.0, 0.0), (None, None), (0.0, 400.0), (None, None)]
    layout = layout_of(sample, labels, extremes, [4], FeaturesConfig(num_bins=10), rows=50_000)
    assert [len(edges) for edges in layout.edges] == [9, 0, 0, 9, 0]
    assert layout.num_bins == [11, 2, 2, 11, 2, 4]
    assert layout.centre[:2] == pytest.approx([10, 0], abs=0.3)
    assert layout.scale[0] == pytest.approx(2.7, abs=0.3)  # from quartile to quartile
    assert layout.scale[1:3].tolist() == [1.0, 1.0]
    assert layout.scale[3] > 5  # most values are one: their deviation counts
    assert layout.reach[1:].tolist() == [0.0, 0.0, 400.0, 0.0]
    assert layout.reach[0] == 30 - layout.centre[0]


def test_bins_of_one_width_reach_over_all_rows() -> None:
    sample = np.array([[1.0, np.nan], [2.0, np.nan]], dtype=np.float32)
    layout = layout_of(
        sample,
        np.array([0.0, 1.0]),
        [(0.0, 10.0), (None, None)],
        [],
        FeaturesConfig(num_bins=5, binning="width"),
        rows=2,
    )
    assert layout.edges[0].tolist() == [2.0, 4.0, 6.0, 8.0]
    assert layout.edges[1].size == 0


def test_a_value_of_the_label_that_the_sample_lacks_joins_its_neighbour() -> None:
    edges = label_edges(np.array([1.0, 2.0, 5.0, 2.0]))
    assert codes(np.array([1.0, 2.0, 3.0, 5.0]), edges).tolist() == [0, 1, 1, 2]
    assert label_edges(np.ones(4)).size == 0


def test_a_label_of_many_values_is_cut_into_classes() -> None:
    labels = np.random.default_rng(2).normal(0, 1, 5_000)
    sizes = np.bincount(codes(labels, label_edges(labels)))
    assert len(sizes) == NUM_CLASSES
    assert sizes.min() > 200
