"""What users took, in order."""

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import SparkSession

from tastemill.training.histories import histories

START = datetime(2024, 5, 1, tzinfo=UTC)
SCHEMA = "user_idx int, item_idx int, event_time timestamp, source_file string, source_row bigint"


@pytest.mark.parametrize("partitions", [1, 5])
def test_the_newest_items_in_order(spark: SparkSession, partitions: int) -> None:
    hours = {1: (5, 0), 2: (3, 1), 3: (None, 2), 4: (3, 0), 5: (9, 9)}
    rows = [
        (0, item, None if hour is None else START + timedelta(hours=hour), "f", tie)
        for item, (hour, tie) in hours.items()
    ]
    rows.append((7, 6, START, "f", 10))
    taken = spark.createDataFrame(rows, SCHEMA).repartition(partitions)

    def found(length: int) -> dict[int, tuple[int, list[int]]]:
        made = histories(taken, length, 99).collect()
        return {row["user_idx"]: (row["known"], row["history"]) for row in made}

    # Of unknown time first; items of one moment as in the file.
    assert found(7) == {0: (5, [3, 4, 2, 1, 5, 99, 99]), 7: (1, [6, *[99] * 6])}
    assert found(3) == {0: (3, [2, 1, 5]), 7: (1, [6, 99, 99])}
