"""What a search is after: the category whose items' texts have its words."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

from tastemill.features.text import MICRO, words

MOST = 8  # categories of one word; what is in more of them tells little


def fit_term_categories(counts: DataFrame, categories: DataFrame) -> DataFrame:
    """(term, category, weight): what share of the items with a word is of which category.

    In millionths; of each word those with the most.

    Args:
        counts: (item_idx, term, n), the words of each item's text.
        categories: item_idx and category, an index; null where it isn't known.
    """
    known = counts.join(categories.where("category IS NOT NULL"), "item_idx")
    met = known.groupBy("term", "category").agg(F.count("*").alias("items"))
    of_term = W.partitionBy("term")
    share = F.round(F.col("items") / F.sum("items").over(of_term) * MICRO).cast("long")
    place = F.row_number().over(of_term.orderBy(F.desc("items"), "category")).alias("place")
    told = met.select("term", "category", share.alias("weight"), place)
    return told.where(F.col("place") <= MOST).drop("place")


def category_sought(queries: DataFrame, told: DataFrame) -> DataFrame:
    """(query, sought): the category that the words of each query point to; of none, no row.

    Args:
        queries: with `query`.
        told: what `fit_term_categories` returned.
    """
    each = queries.select("query").distinct()
    each = each.select("query", F.explode(F.array_distinct(words(F.col("query")))).alias("term"))
    summed = each.join(told, "term").groupBy("query", "category").agg(F.sum("weight").alias("sum"))
    most = F.max_by("category", F.struct("sum", -F.col("category")))
    return summed.groupBy("query").agg(most.alias("sought"))
