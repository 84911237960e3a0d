"""Vectors of all items, of their categories and of their texts, on their way to the workers."""

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.config.load import Config
from tastemill.features.known import Side
from tastemill.features.pools import OF_TEXT
from tastemill.features.recent import CATEGORY, TEXT, Floats, Recent, Shared, unit_vectors
from tastemill.features.text import MICRO, bucket_of, fit_terms, hashed_tfidf, term_counts
from tastemill.profiles.categories import category_counts


@dataclass(frozen=True)
class ItemVectors:
    """What a user's last items are held against.

    Args:
        shared: None where nothing of it is wanted.
        words: (item_idx, term, n) of texts of items that were met; None where they are passed over.
        vocabulary: (feature, value, index, rows): words, their buckets, in how many items.
    """

    shared: Shared | None = None
    words: DataFrame | None = None
    vocabulary: DataFrame | None = None

    def with_words(self, vocabulary: DataFrame) -> DataFrame:
        """A vocabulary and this one."""
        return vocabulary if self.vocabulary is None else vocabulary.union(self.vocabulary)


def item_vectors(items: Side, slots: DataFrame, cfg: Config, after: ExitStack) -> ItemVectors:
    """Vectors of all items of the index; those without a category, or a text, are zeros.

    The driver holds them, unless `features.recent_items` is 0: ten bytes for each number while
    they are made, then two.

    Args:
        items: with title, description and categories.
        slots: the category slots of the pass.
        cfg: lengths of vectors; how many of a user's items are looked at.
        after: its end deletes what was sent to the workers.
    """
    wanted = cfg.features
    weights = {CATEGORY: _categories(items, slots, cfg.profiles.num_categories)}
    lengths = {CATEGORY: cfg.profiles.num_categories, TEXT: wanted.text_buckets}
    words = vocabulary = None
    if wanted.text_buckets:
        counts = term_counts(items.last, F.concat_ws(" ", "title", "description")).persist()
        after.callback(counts.unpersist)
        terms = fit_terms(counts, items.met).persist()
        after.callback(terms.unpersist)
        fitted_on = items.met.count()
        weights[TEXT] = hashed_tfidf(counts, terms, fitted_on, wanted.text_buckets)
        words = counts.join(items.met.select("item_idx"), "item_idx", "left_semi")
        bucket = bucket_of(F.col("term"), wanted.text_buckets).alias("index")
        named = (F.lit(OF_TEXT).alias("feature"), F.col("term").alias("value"))
        vocabulary = terms.select(*named, bucket, F.col("items").alias("rows"))
    if not wanted.recent_items:
        return ItemVectors(None, words, vocabulary)
    num_items = 1 + int(items.last.agg(F.max("item_idx")).collect()[0][0])
    vectors = {kind: _scattered(of, num_items, lengths[kind]) for kind, of in weights.items()}
    told = {kind: unit_vectors(rows) for kind, rows in vectors.items() if rows.any()}
    recent = Recent(wanted.recent_items, told, wanted.pooled)
    sent = items.table.sparkSession.sparkContext.broadcast(recent)
    after.callback(sent.destroy)
    return ItemVectors(Shared(recent, sent), words, vocabulary)


def _categories(items: Side, slots: DataFrame, length: int) -> DataFrame:
    counts = category_counts(items.last, "item_idx", slots, length)
    weight = (F.col("n") * int(MICRO)).alias("weight")
    return counts.select("item_idx", F.col("slot").alias("bucket"), weight)


def _scattered(weights: DataFrame, num_items: int, length: int) -> Floats:
    """(item_idx, bucket, weight), weights being millionths, as `(items, length)`."""
    table = weights.select("item_idx", "bucket", "weight").toArrow()
    rows: Floats = np.zeros((num_items, length))
    rows[table["item_idx"].to_numpy(), table["bucket"].to_numpy()] = (
        table["weight"].to_numpy() / MICRO
    )
    return rows
