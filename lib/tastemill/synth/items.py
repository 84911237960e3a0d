"""Items: laid out so that topic and slot make an item's number, and the table that describes them.

Item number = slot · K + topic. A slot says when the item was released (in order); its rank of
popularity within the topic is scrambled.
"""

from math import log

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.synth.draws import Draws, at, scrambler, zipf_log_range, zipf_rank
from tastemill.synth.params import SynthConfig
from tastemill.synth.topics import (
    ADJECTIVES,
    BRAND_NAMES,
    BRANDS_PER_TOPIC,
    COLOURS,
    KINDS,
    LANGUAGE_CARDS,
    LANGUAGES,
    PACKAGINGS,
    TOPICS,
)

RANK_Q = 2.0
"""Flattens the head of popularity within a topic."""
OLDEST_DAYS = 1_000
CHEAPEST, DEAREST = 4.0, 160.0


def count_in(cfg: SynthConfig, topic: Column) -> Column:
    """Items of a topic: all topics have the same number, the first ones perhaps one more."""
    few, more = divmod(cfg.num_items, cfg.num_topics)
    return F.when(topic < more, F.lit(few + 1)).otherwise(F.lit(few)).cast("long")


def slot_at(cfg: SynthConfig, topic: Column, uniform: Column) -> Column:
    """The slot at a uniform number, by Zipf's law over scrambled ranks."""
    few, more = divmod(cfg.num_items, cfg.num_topics)
    log_range = F.when(topic < more, zipf_log_range(few + 1, RANK_Q)).otherwise(
        zipf_log_range(few, RANK_Q)
    )
    rank = zipf_rank(uniform, count_in(cfg, topic), log_range, RANK_Q)
    return F.pmod(rank * scrambler(few, few + 1) + topic * 7, count_in(cfg, topic))


def rank_of(cfg: SynthConfig, topic: Column, slot: Column) -> Column:
    """The rank of popularity of a slot, from 0: `slot_at` backwards."""
    few, more = divmod(cfg.num_items, cfg.num_topics)
    factor, count = scrambler(few, few + 1), count_in(cfg, topic)
    back = F.when(topic < more, pow(factor, -1, few + 1)).otherwise(pow(factor, -1, few))
    return F.pmod(F.pmod(slot - topic * 7, count) * back, count)


def num_founders(cfg: SynthConfig, topic: Column) -> Column:
    """Items of a topic that are there before the first day: the lowest slots."""
    return F.greatest(F.lit(1), F.floor(count_in(cfg, topic) * cfg.founding_items))


def released_day(cfg: SynthConfig, topic: Column, slot: Column) -> Column:
    """The day, from 0, on which an item can first be had; negative before the first day."""
    founders = num_founders(cfg, topic)
    age = Draws(cfg.seed).uniform("age of item", topic, slot)
    before = F.floor(-(age * age) * OLDEST_DAYS)
    late = F.greatest(F.lit(1), count_in(cfg, topic) - founders)
    during = F.floor((slot - founders) * (0.98 * cfg.num_days) / late)
    return F.when(slot < founders, before).otherwise(during)


def item_number(cfg: SynthConfig, topic: Column, slot: Column) -> Column:
    """The item's number."""
    return slot * cfg.num_topics + topic


def price_level(cfg: SynthConfig, item: Column) -> Column:
    """From 0, cheap, to 1, dear."""
    return Draws(cfg.seed).uniform("price", item)


def language_no(cfg: SynthConfig, item: Column) -> Column:
    """A place in LANGUAGES."""
    return Draws(cfg.seed).one_of(LANGUAGE_CARDS, "language of item", item)


def brand_no(cfg: SynthConfig, item: Column) -> Column:
    """The brand within the item's topic."""
    return Draws(cfg.seed).below(BRANDS_PER_TOPIC, "brand", item)


def brand_quality(cfg: SynthConfig, topic: Column, brand: Column) -> Column:
    """From 0 to 1."""
    return Draws(cfg.seed).uniform("quality", topic, brand)


def item_id(item: Column) -> Column:
    """The id that tables show."""
    return F.concat(F.lit("i"), F.lpad(item.cast("string"), 8, "0"))


def category_of(topic: Column) -> Column:
    """The category that goes with a topic."""
    return at([t.category for t in TOPICS], topic)


def noun_of(topic: Column, place: Column) -> Column:
    """One of a topic's words."""
    words = [noun for t in TOPICS for noun in t.nouns]
    return at(words, topic * len(TOPICS[0].nouns) + place)


def brand_name(topic: Column, brand: Column) -> Column:
    """Each topic has brands of its own."""
    return F.concat_ws(" ", at(BRAND_NAMES, brand), (topic + 1).cast("string"))


def item_numbers(spark: SparkSession, cfg: SynthConfig) -> DataFrame:
    """(item_no, topic, slot, brand_no): all items."""
    item, topics = F.col("id"), F.lit(cfg.num_topics)
    return spark.range(cfg.num_items).select(
        item.alias("item_no"),
        F.pmod(item, topics).alias("topic"),
        F.floor(item / topics).alias("slot"),
        brand_no(cfg, item).alias("brand_no"),
    )


def build_items(spark: SparkSession, cfg: SynthConfig) -> DataFrame:
    """A row per item."""
    draws, item, topic = Draws(cfg.seed), F.col("item_no"), F.col("topic")
    brand, noun = brand_name(topic, F.col("brand_no")), _noun(draws)
    day = released_day(cfg, topic, F.col("slot")).cast("int")
    return item_numbers(spark, cfg).select(
        item_id(item).alias("item_id"),
        _title(draws, noun).alias("title"),
        _description(draws, noun, brand).alias("description"),
        _categories(cfg, draws).alias("categories"),
        _price(cfg, item).alias("price"),
        F.date_add(F.lit(cfg.first_day), day).alias("released_on"),
        at(KINDS, at([t.kind for t in TOPICS], topic)).alias("kind"),
        brand.alias("brand"),
        at(LANGUAGES, language_no(cfg, item)).alias("language"),
        draws.one_of(COLOURS, "colour", item).alias("colour"),
        draws.one_of(PACKAGINGS, "packaging", item).alias("packaging"),
        (draws.below(1_950, "weight", item) + 50).cast("int").alias("weight_grams"),
    )


def build_item_truth(spark: SparkSession, cfg: SynthConfig) -> DataFrame:
    """The truth about each item: topic, rank, and what its utility is made of."""
    item, topic, slot = F.col("item_no"), F.col("topic"), F.col("slot")
    rank = rank_of(cfg, topic, slot)
    return item_numbers(spark, cfg).select(
        item_id(item).alias("item_id"),
        "item_no",
        "topic",
        rank.alias("popularity_rank"),
        (1.0 / (rank + RANK_Q)).alias("popularity"),
        price_level(cfg, item).alias("price_level"),
        language_no(cfg, item).alias("item_language_no"),
        brand_quality(cfg, topic, F.col("brand_no")).alias("brand_quality"),
        released_day(cfg, topic, slot).alias("released_day"),
    )


def _noun(draws: Draws) -> Column:
    place = draws.below(len(TOPICS[0].nouns), "noun", F.col("item_no"))
    return noun_of(F.col("topic"), place)


def _title(draws: Draws, noun: Column) -> Column:
    adjective = F.initcap(draws.one_of(ADJECTIVES, "adjective", F.col("item_no")))
    number = F.concat(F.lit("no. "), F.col("item_no").cast("string"))
    return F.concat_ws(" ", adjective, noun, number, F.lit("(synthetic)"))


def _description(draws: Draws, noun: Column, brand: Column) -> Column:
    """Two sentences with words of the topic."""
    item, topic = F.col("item_no"), F.col("topic")
    other = noun_of(topic, draws.below(len(TOPICS[0].nouns), "other noun", item))
    mood = draws.one_of(ADJECTIVES, "mood", item)
    first = F.concat_ws(" ", F.lit("A"), mood, category_of(topic), F.lit("pick by"), brand)
    return F.concat(
        F.lit("Synthetic. "), first, F.lit(": "), noun, F.lit(". Goes with "), other, F.lit(".")
    )


def _categories(cfg: SynthConfig, draws: Draws) -> Column:
    """The topic's category for 17 of 20 items, else any; a second one for 3 of 10."""
    item, topic = F.col("item_no"), F.col("topic")
    own = draws.uniform("own category", item) < 0.85
    first = F.when(own, topic).otherwise(draws.below(cfg.num_topics, "first category", item))
    second = draws.below(cfg.num_topics, "second category", item)
    has_second = (draws.uniform("has second", item) < 0.3) & (second != first)
    more = F.when(has_second, category_of(second))
    return F.array_compact(F.array(category_of(first), more))


def _price(cfg: SynthConfig, item: Column) -> Column:
    """Even on a log scale, in cents."""
    return F.round(CHEAPEST * F.exp(price_level(cfg, item) * log(DEAREST / CHEAPEST)), 2)
