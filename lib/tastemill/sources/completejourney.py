"""Complete Journey: grocery purchases. Shipped with the package (CC0), the data of the demo."""

from importlib import resources
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

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
from tastemill.sources.lines import parse_csv, read_lines, require

TRANSACTIONS, PRODUCTS = "transactions_sample.csv.gz", "products.csv.gz"
DEMOGRAPHICS, REDEMPTIONS = "demographics.csv", "coupon_redemptions.csv"
TRANSACTION_NAMES = (
    "household_id",
    "basket_id",
    "product_id",
    "quantity",
    "transaction_timestamp",
)
PRODUCT_NAMES = (
    "product_id",
    "department",
    "brand",
    "product_category",
    "product_type",
    "package_size",
)
# Columns of demographics.csv that have no column of their own in `users`.
HOUSEHOLD_NAMES = ("income", "home_ownership", "marital_status", "household_size", "kids_count")
MAX_QUANTITY = 20.0  # fuel is sold in units of thousands; beyond this a quantity says no more
NO_PRODUCT = "COUPON/MISC ITEMS"


def files(folder: Path) -> list[Path]:
    """The four files."""
    return require(folder, (TRANSACTIONS, PRODUCTS, DEMOGRAPHICS, REDEMPTIONS))


def shipped_folder() -> Path:
    """Where the package keeps its copy."""
    return Path(str(resources.files("tastemill.sources").joinpath("data", "completejourney")))


def read(spark: SparkSession, folder: Path) -> RawFrames:
    """Purchases as events, products as items, households as users."""

    def parsed(name: str, columns: tuple[str, ...]) -> DataFrame:
        return parse_csv(read_lines(spark, folder / name), folder / name, columns)

    products = parsed(PRODUCTS, PRODUCT_NAMES)
    return RawFrames(
        _purchases(parsed(TRANSACTIONS, TRANSACTION_NAMES), products),
        _households(
            parsed(DEMOGRAPHICS, ("household_id", "age", *HOUSEHOLD_NAMES)),
            parsed(REDEMPTIONS, ("household_id", "coupon_upc")),
        ),
        _products(products),
    )


def _purchases(lines: DataFrame, products: DataFrame) -> DataFrame:
    no_products = (
        products.where(F.col("product_category") == NO_PRODUCT)
        .select("product_id", F.lit(True).alias("no_product"))
        .distinct()
    )
    quantity = F.col("quantity").try_cast("double")
    seconds = unix_seconds(F.col("transaction_timestamp"))
    reason = (
        F.when(F.col("reason").isNotNull(), F.col("reason"))
        .when(quantity.isNull(), "value_unparsable")
        .when(quantity <= 0, "quantity_not_positive")
        .when(seconds.isNull(), "time_unparsable")
        .when(F.col("no_product"), "coupon_or_misc_item")
    )
    # product_id is unique in no_products, so the join adds no rows.
    return (
        lines.join(F.broadcast(no_products), "product_id", "left")
        .select(
            null("string").alias("event_id"),
            F.col("household_id").alias("user_id"),
            F.col("product_id").alias("item_id"),
            F.lit("purchase").alias("event_type"),
            # What is no finite number stays so, for the general rule to reject.
            F.when(quantity >= float("inf"), quantity)
            .otherwise(F.least(quantity, F.lit(MAX_QUANTITY)))
            .alias("value"),
            null("double").alias("dwell_seconds"),
            null("string").alias("query"),
            F.col("basket_id").alias("session_id"),
            F.timestamp_seconds(seconds).alias("event_time"),
            *ORIGIN[:3],
            reason.alias("reason"),
        )
        .select(*EVENT_COLUMNS, *ORIGIN)
    )


def _households(demographics: DataFrame, redemptions: DataFrame) -> DataFrame:
    """Demographics, and how many coupons a household redeemed; either may be missing."""
    counts = (
        redemptions.where("reason IS NULL")
        .groupBy(F.col("household_id").alias("user_id"))
        .agg(
            F.count("*").cast("string").alias("redeemed"),
            F.min(F.struct(*ORIGIN[:3])).alias("origin"),
        )
    )
    told = demographics.withColumnRenamed("household_id", "user_id").join(counts, "user_id", "full")
    redeemed = F.coalesce("redeemed", F.lit("0"))
    households = told.withColumn("redeemed_coupons", redeemed).select(
        "user_id",
        "age",
        null("string").alias("gender"),
        null("string").alias("occupation"),
        attributes(*HOUSEHOLD_NAMES, "redeemed_coupons").alias("attributes"),
        null("timestamp").alias("updated_at"),
        *[F.coalesce(name, f"origin.{name}").alias(name) for name in ORIGIN[:3]],
        "reason",
    )
    rejected = redemptions.where("reason IS NOT NULL").select(*ORIGIN)
    return households.unionByName(rejected, allowMissingColumns=True).select(*USER_COLUMNS, *ORIGIN)


def _products(products: DataFrame) -> DataFrame:
    brand = F.when(F.col("brand") == "Private", F.lit("store brand"))
    title = F.concat_ws(
        " · ", F.coalesce("product_type", "product_category"), brand, "package_size"
    )
    return products.select(
        F.col("product_id").alias("item_id"),
        F.nullif(title, F.lit("")).alias("title"),
        null("string").alias("description"),
        F.when(F.col("product_category").isNotNull(), F.array("product_category")).alias(
            "categories"
        ),
        null("double").alias("price"),
        null("date").alias("released_on"),
        attributes("department", "brand", "package_size").alias("attributes"),
        null("timestamp").alias("updated_at"),
        *ORIGIN,
    ).select(*ITEM_COLUMNS, *ORIGIN)


COMPLETEJOURNEY = Source(
    name="completejourney",
    title="Complete Journey: a year of grocery purchases of 2,377 households",
    licence="CC0 1.0 (public domain); shipped with the package",
    where="github.com/bradleyboehmke/completejourney, or nowhere: leave out --data",
    files=files,
    read=read,
    shipped=True,
)
