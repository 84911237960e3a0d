"""What a search is after: the category of the items whose texts have its words."""

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.features.search_terms import category_sought, fit_term_categories
from tastemill.features.text import MICRO, term_counts

ITEMS = [
    (0, "red wine, dry", 2),
    (1, "white wine", 2),
    (2, "red shoes", 3),
    (3, "running shoes", 3),
    (4, "wine rack", 4),
    (5, "red nothing", None),
]


@pytest.fixture(scope="module")
def told(spark: SparkSession) -> DataFrame:
    items = spark.createDataFrame(ITEMS, "item_idx int, text string, category int")
    return fit_term_categories(term_counts(items, F.col("text")), items)


def test_a_word_is_of_the_categories_of_its_items(told: DataFrame) -> None:
    found = {(row.term, row.category): row.weight / MICRO for row in told.collect()}
    assert found["wine", 2] == pytest.approx(2 / 3, abs=1e-6)
    assert found["wine", 4] == pytest.approx(1 / 3, abs=1e-6)
    assert found["red", 2] == found["red", 3] == 0.5
    assert ("nothing", 3) not in found


def test_the_words_of_a_search_are_weighed(spark: SparkSession, told: DataFrame) -> None:
    queries = ["Red SHOES", "red wine", "wine", "rack of wine", "red", "xyz", "", None]
    asked = spark.createDataFrame([(query,) for query in [*queries, *queries]], "query string")
    found = {row.query: row.sought for row in category_sought(asked, told).collect()}
    # Of two that are as likely, the one that is met more: its index is smaller.
    assert found == {"Red SHOES": 3, "red wine": 2, "wine": 2, "rack of wine": 4, "red": 2}
