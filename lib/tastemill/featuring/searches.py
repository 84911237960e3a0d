"""Searches of the past with the category that each is after."""

from pyspark.sql import DataFrame

from tastemill.features.known import Known
from tastemill.features.search_terms import category_sought, fit_term_categories

CATEGORY = "category"


def with_sought(past: DataFrame, counts: DataFrame | None, items: Known) -> DataFrame:
    """The past with `sought`, an index of item_category; as it is where there are no searches.

    Args:
        past: events; a search has a query and no item_idx.
        counts: (item_idx, term, n), the words of each item's text; None where texts are passed
            over.
        items: with their categories.
    """
    searches = past.where("item_idx IS NULL AND query IS NOT NULL")
    if counts is None or searches.isEmpty():
        return past
    of_items = items.last.select("item_idx", items.told_apart(CATEGORY).alias(CATEGORY))
    found = category_sought(searches, fit_term_categories(counts, of_items))
    searched = searches.join(found, "query", "left")
    others = past.where("item_idx IS NOT NULL OR query IS NULL")
    return others.unionByName(searched, allowMissingColumns=True)
