"""Texts as vectors: TF-IDF of words, hashed into so many buckets, half of the words with a minus.

Weights are those of scikit-learn's TfidfVectorizer (smooth idf), the signed hash that of
Weinberger et al., "Feature hashing for large scale multitask learning" (ICML 2009), by which words
that share a bucket cancel each other out on average.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

MICRO = 1e6  # weights are added up as whole millionths, in any order to the same sum
SHORTEST = 2  # letters of a word


def words(text: Column) -> Column:
    """array<string>: letters and digits between anything else, in lower case; of null, none."""
    parts = F.split(F.lower(F.coalesce(text, F.lit(""))), r"[^\p{L}\p{N}]+")
    return F.filter(parts, lambda word: F.length(word) >= SHORTEST)


def term_counts(items: DataFrame, text: Column) -> DataFrame:
    """(item_idx, term, n): how often each word stands in the text of each item."""
    each = items.select("item_idx", F.explode(words(text)).alias("term"))
    return each.groupBy("item_idx", "term").agg(F.count("*").alias("n"))


def fit_terms(counts: DataFrame, items: DataFrame) -> DataFrame:
    """(term, items): in how many of these items each word stands.

    Args:
        counts: what `term_counts` returned.
        items: item_idx of those that are learned from.
    """
    known = counts.join(items.select("item_idx"), "item_idx", "left_semi")
    return known.groupBy("term").agg(F.count("*").alias("items"))


def bucket_of(term: Column, buckets: int) -> Column:
    """The position of a word in vectors of this length."""
    return F.pmod(F.xxhash64(term), F.lit(buckets)).cast("int")


def hashed_tfidf(counts: DataFrame, terms: DataFrame, num_items: int, buckets: int) -> DataFrame:
    """(item_idx, bucket, weight long): in millionths, before the vectors get one length.

    Args:
        counts: what `term_counts` returned.
        terms: what `fit_terms` returned; a word that isn't in it is as rare as can be.
        num_items: how many items they were fitted on.
        buckets: length of the vectors.
    """
    idf = F.log((num_items + 1) / (F.coalesce("items", F.lit(0)) + 1)) + 1
    hashed = F.xxhash64("term")
    sign = F.when(F.pmod(F.shiftright(hashed, 32), F.lit(2)) == 0, 1).otherwise(-1)
    weight = sign * F.round(F.col("n") * idf * MICRO).cast("long")
    bucket = bucket_of(F.col("term"), buckets).alias("bucket")
    each = counts.join(terms, "term", "left").select("item_idx", bucket, weight.alias("weight"))
    return each.groupBy("item_idx", "bucket").agg(F.sum("weight").alias("weight"))
