"""Dense numbers: from 0 without holes, append-only, the same whatever the partitioning."""

from pyspark.sql import DataFrame, SparkSession

from tastemill.sources.indexing import new_ids, numbered

INDEX = "user_id string, user_idx int"


def ids_frame(spark: SparkSession, ids: list[str | None]) -> DataFrame:
    return spark.createDataFrame([(i,) for i in ids], "user_id string")


def numbers(ids: DataFrame, index: DataFrame) -> dict[str, int]:
    rows = numbered(new_ids(ids, index, "user_id").persist(), index, "user_id", "user_idx")
    assert [(f.name, f.dataType.simpleString()) for f in rows.schema] == [
        ("user_id", "string"),
        ("user_idx", "int"),
    ]
    found = rows.collect()
    assert len({r.user_id for r in found}) == len(found)
    return {r.user_id: r.user_idx for r in found}


def test_dense_and_the_same_in_any_partitioning(spark: SparkSession) -> None:
    ids: list[str | None] = [f"user {n}" for n in range(500)]
    empty = spark.createDataFrame([], INDEX)
    found = numbers(ids_frame(spark, [*ids, *ids[:50], None, "", None]), empty)
    assert sorted(found.values()) == list(range(501))
    assert set(found) == {*ids, ""}
    again = ids_frame(spark, ["", *reversed(ids)]).repartition(7)
    assert numbers(again, empty) == found
    # By length, then by bytes: 9 before 10.
    assert sorted(found, key=found.__getitem__) == sorted(found, key=lambda i: (len(i), i))


def test_known_ids_are_never_numbered_again(spark: SparkSession) -> None:
    index = spark.createDataFrame([("a", 0), ("b", 1), ("c", 4)], INDEX)  # 2 and 3 were forgotten
    found = numbers(ids_frame(spark, ["d", "a", None, "e", "c"]), index)
    assert set(found) == {"d", "e"}
    assert sorted(found.values()) == [5, 6]
    assert numbers(ids_frame(spark, ["a", "b", None]), index) == {}


def test_no_ids(spark: SparkSession) -> None:
    empty = spark.createDataFrame([], INDEX)
    assert numbers(ids_frame(spark, []), empty) == {}
    assert numbers(ids_frame(spark, [None, None]), empty) == {}
