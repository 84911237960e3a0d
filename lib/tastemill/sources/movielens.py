"""MovieLens 100K, 1M and latest, told apart by their files.

Ratings are events, genres are categories. Only 100K and 1M tell anything of their users.
"""

from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.errors import DataError
from tastemill.sources.base import (
    EVENT_COLUMNS,
    ITEM_COLUMNS,
    ORIGIN,
    USER_COLUMNS,
    RawFrames,
    Source,
    attributes,
    null,
    unix_seconds,
)
from tastemill.sources.lines import parse_csv, parse_delimited, read_lines, require

FILES_100K = ("u.data", "u.item", "u.user")
FILES_1M = ("users.dat", "movies.dat")
FILES_LATEST = ("ratings.csv", "movies.csv")
RATINGS_1M = ("ratings.dat", "ratings.csv.gz", "ratings.csv")
GENRES_100K = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]
# Age groups and occupations of 1M are codes; its README gives the words.
AGES_1M = {
    "1": "under 18",
    "18": "18-24",
    "25": "25-34",
    "35": "35-44",
    "45": "45-49",
    "50": "50-55",
    "56": "56+",
}
OCCUPATIONS_1M = [
    "other",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
]


def files(folder: Path) -> list[Path]:
    """The files of whichever edition the folder holds."""
    if (folder / "u.data").is_file():
        return require(folder, FILES_100K)
    if (folder / "movies.csv").is_file():
        return require(folder, FILES_LATEST)
    ratings = [folder / name for name in RATINGS_1M if (folder / name).is_file()]
    if ratings:
        return [ratings[0], *require(folder, FILES_1M)]
    raise DataError(
        f"{folder} holds no MovieLens data",
        expected=(
            "u.data, u.item, u.user (100K), or ratings.dat, users.dat, movies.dat (1M), "
            "or ratings.csv, movies.csv (latest)"
        ),
        fix="download an edition from GroupLens, unpack it, name the folder with --data",
    )


def read(spark: SparkSession, folder: Path) -> RawFrames:
    """Read whichever edition the folder holds."""
    match files(folder):
        case [ratings, movies]:
            return _read_latest(spark, ratings, movies)
        case [ratings, items, users] if ratings.name == "u.data":
            return RawFrames(
                _ratings(parse_delimited(read_lines(spark, ratings), "\t", _RATING_NAMES)),
                _users_100k(read_lines(spark, users)),
                _items_100k(read_lines(spark, items, "ISO-8859-1")),
            )
        case [ratings, users, items]:
            return RawFrames(
                _ratings(_ratings_1m(spark, ratings)),
                _users_1m(read_lines(spark, users)),
                _items_1m(read_lines(spark, items, "ISO-8859-1")),
            )
    raise AssertionError("an edition without a reader")


def _read_latest(spark: SparkSession, ratings: Path, movies: Path) -> RawFrames:
    lines = read_lines(spark, ratings)
    parsed = parse_csv(lines, ratings, tuple(_NAMES_LATEST))
    items = parse_csv(read_lines(spark, movies), movies, ("movieId", "title", "genres"))
    return RawFrames(
        _ratings(parsed.withColumnsRenamed(_NAMES_LATEST)),
        _no_users(lines),
        _items_by_year(items.withColumnRenamed("movieId", "item_id")),
    )


_RATING_NAMES = ("UserID", "MovieID", "Rating", "Timestamp")
_NAMES_LATEST = {
    "userId": "UserID",
    "movieId": "MovieID",
    "rating": "Rating",
    "timestamp": "Timestamp",
}


def _ratings_1m(spark: SparkSession, file: Path) -> DataFrame:
    lines = read_lines(spark, file)
    if file.suffix == ".dat":
        return parse_delimited(lines, "::", _RATING_NAMES)
    return parse_csv(lines, file, _RATING_NAMES)


def _ratings(parsed: DataFrame) -> DataFrame:
    stars = F.col("Rating").try_cast("double")
    seconds = unix_seconds(F.col("Timestamp"))
    reason = (
        F.when(F.col("reason").isNotNull(), F.col("reason"))
        .when(F.col("Rating").isNull() | (stars.isNull()), "value_unparsable")
        .when(F.col("Timestamp").isNotNull() & seconds.isNull(), "time_unparsable")
        .when(~stars.between(0.5, 5.0), "value_out_of_range")
    )
    return parsed.select(
        null("string").alias("event_id"),
        F.col("UserID").alias("user_id"),
        F.col("MovieID").alias("item_id"),
        F.lit("rating").alias("event_type"),
        stars.alias("value"),
        null("double").alias("dwell_seconds"),
        null("string").alias("query"),
        null("string").alias("session_id"),
        F.timestamp_seconds(seconds).alias("event_time"),
        *ORIGIN[:3],
        reason.alias("reason"),
    ).select(*EVENT_COLUMNS, *ORIGIN)


def _users_100k(lines: DataFrame) -> DataFrame:
    parsed = parse_delimited(lines, "|", ("user_id", "age", "gender", "occupation", "zip"))
    return _users(parsed)


def _users_1m(lines: DataFrame) -> DataFrame:
    parsed = parse_delimited(lines, "::", ("user_id", "gender", "age", "occupation", "zip"))
    words = {str(code): word for code, word in enumerate(OCCUPATIONS_1M)}
    named = {"age": _decoded("age", AGES_1M), "occupation": _decoded("occupation", words)}
    return _users(parsed.withColumns(named))


def _users(parsed: DataFrame) -> DataFrame:
    told = {"attributes": attributes("zip"), "updated_at": null("timestamp")}
    return parsed.withColumns(told).select(*USER_COLUMNS, *ORIGIN)


def _no_users(lines: DataFrame) -> DataFrame:
    """No row: this edition has no file of users."""
    told = {name: null("string") for name in ("user_id", "age", "gender", "occupation")}
    told |= {"attributes": null("map<string,string>"), "updated_at": null("timestamp")}
    empty = lines.limit(0).withColumns({**told, "reason": null("string")})
    return empty.select(*USER_COLUMNS, *ORIGIN)


def _items_100k(lines: DataFrame) -> DataFrame:
    names = ("item_id", "title", "released", "video", "url", *GENRES_100K)
    parsed = parse_delimited(lines, "|", names)
    # The first flag says that no genre is known, which is null here.
    flags = [F.when(F.col(f"`{g}`") == "1", F.lit(g)) for g in GENRES_100K[1:]]
    released = F.expr("try_to_timestamp(released, 'dd-MMM-yyyy')").cast("date")
    return _items(parsed.withColumns({"categories": F.array_compact(F.array(*flags))}), released)


def _items_1m(lines: DataFrame) -> DataFrame:
    return _items_by_year(parse_delimited(lines, "::", ("item_id", "title", "genres")))


def _items_by_year(parsed: DataFrame) -> DataFrame:
    """The year of a film stands at the end of its title, its genres in one column."""
    year = F.regexp_extract("title", r"\((\d{4})\)\s*$", 1)
    released = F.expr("try_to_timestamp(concat(released, '-01-01'), 'yyyy-MM-dd')").cast("date")
    genres = F.nullif(F.col("genres"), F.lit("(no genres listed)"))
    named = {"categories": F.split(genres, r"\|"), "released": year}
    return _items(parsed.withColumns(named), released)


def _items(parsed: DataFrame, released: Column) -> DataFrame:
    return parsed.select(
        "item_id",
        "title",
        null("string").alias("description"),
        F.when(F.size("categories") > 0, F.col("categories")).alias("categories"),
        null("double").alias("price"),
        released.alias("released_on"),
        null("map<string,string>").alias("attributes"),
        null("timestamp").alias("updated_at"),
        *ORIGIN,
    ).select(*ITEM_COLUMNS, *ORIGIN)


def _decoded(column: str, words: dict[str, str]) -> Column:
    pairs = [F.lit(text) for pair in words.items() for text in pair]
    return F.coalesce(F.element_at(F.create_map(*pairs), F.col(column)), F.col(column))


MOVIELENS = Source(
    name="movielens",
    title="MovieLens 100K, 1M and latest: film ratings with genres, and of whom (not in latest)",
    licence="GroupLens research licence: no redistribution, no commercial use",
    where="GroupLens, University of Minnesota: ml-100k, ml-1m or ml-latest-small, unpacked",
    files=files,
    read=read,
)
