"""Texts as TF-IDF vectors: scikit-learn's weights, hashed with a sign."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.feature_extraction.text import TfidfVectorizer

from tastemill.features.text import MICRO, bucket_of, fit_terms, hashed_tfidf, term_counts, words

TEXTS = [
    "Alien (1979): In space no one can hear you scream",
    "Aliens. Space again, space & SPACE",
    "Über Ärger, naïve café",
    None,
    "  ",
    "A b c",
]


@pytest.fixture(scope="module")
def items(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(list(enumerate(TEXTS)), "item_idx int, text string")


def test_words(items: DataFrame) -> None:
    found = [row.words for row in items.select(words(F.col("text")).alias("words")).collect()]
    assert found[0] == ["alien", "1979", "in", "space", "no", "one", "can", "hear", "you", "scream"]
    assert found[2] == ["über", "ärger", "naïve", "café"]
    assert found[3:] == [[], [], []]


def tfidf(items: DataFrame, learned: list[int], buckets: int) -> pd.DataFrame:
    counts = term_counts(items, F.col("text"))
    terms = fit_terms(counts, items.where(F.col("item_idx").isin(learned)))
    return hashed_tfidf(counts, terms, len(learned), buckets).toPandas()


def test_weights_are_those_of_scikit_learn(items: DataFrame, spark: SparkSession) -> None:
    told = [text or "" for text in TEXTS]
    learned = [0, 1, 4]
    theirs = TfidfVectorizer(norm=None, token_pattern=r"(?u)[^\W_]{2,}")
    theirs.fit([told[place] for place in learned])
    found = tfidf(items, learned, 1 << 30)
    for place, row in enumerate(theirs.transform(told).toarray()):
        known = {term: row[at] for term, at in theirs.vocabulary_.items() if row[at]}
        if not known:
            continue
        frame = spark.createDataFrame([(term,) for term in known], "term string")
        numbered = frame.select("term", bucket_of(F.col("term"), 1 << 30).alias("b")).collect()
        ours = found[found.item_idx == place].set_index("bucket").weight.abs() / MICRO
        for term, bucket in numbered:
            assert ours[bucket] == pytest.approx(known[term], abs=1e-6), term


def test_a_word_that_was_never_met_is_as_rare_as_can_be(items: DataFrame) -> None:
    weights = tfidf(items, [0, 1, 4], 1 << 30)
    largest = weights[weights.item_idx == 2].weight.abs().to_numpy() / MICRO
    np.testing.assert_allclose(largest, np.log(4) + 1, atol=1e-6)


def test_words_that_share_a_bucket_add_up_with_their_signs(items: DataFrame) -> None:
    wide, narrow = tfidf(items, [0, 1, 2], 1 << 30), tfidf(items, [0, 1, 2], 1)
    assert (narrow.bucket == 0).all()
    assert narrow.set_index("item_idx").weight.to_dict() == (
        wide.groupby("item_idx").weight.sum().to_dict()
    )
    assert (wide.weight < 0).any()
    assert (wide.weight > 0).any()
