"""Examples as features, and what is known of each feature."""

from pyspark.sql import types as T

from tastemill.tables.table import DOUBLE, INT, LONG, STRING, TIME, VECTOR, Table, schema

PURPOSE = ("purpose!", STRING, "backtest or production")
NUMBERS = T.ArrayType(DOUBLE)
SHARES = T.ArrayType(
    T.StructType([T.StructField("value", STRING, False), T.StructField("share", DOUBLE, False)])
)

FEATURES = Table(
    "features",
    "one example as numbers: every feature as of just before its event",
    schema(
        PURPOSE,
        ("event_id!", STRING, "the event it comes from"),
        ("n!", INT, "0 for the event itself, 1 and up for its negatives"),
        ("user_idx!", INT, "the user's dense number"),
        ("item_idx!", INT, "the item's dense number"),
        ("event_time!", TIME, "of the event; examples of unknown time have no features"),
        ("label!", DOUBLE, "stars (rating task), 1 taken or 0 not taken (implicit task)"),
        ("weight!", DOUBLE, "what the example counts in the loss"),
        ("split!", STRING, "train, valid or test"),
        ("numeric!", VECTOR, "numeric features by feature_stats.place; null where missing"),
        ("categorical!", T.ArrayType(INT), "indices: 0 missing, 1 not in the vocabulary"),
        ("recent", T.ArrayType(INT), "item_idx of what the user took last, the newest first"),
        ("pooled", VECTOR, "their category and text vectors: the mean, or the largest values"),
    ),
    keys=("purpose", "event_id", "n"),
    slice_by="purpose",
    cluster_by=("user_idx",),
    contract=2,
)
FEATURE_VOCABULARY = Table(
    "feature_vocabulary",
    "one value of a categorical feature that has an index of its own",
    schema(
        PURPOSE,
        ("feature!", STRING, "name of the feature"),
        ("value!", STRING, "as the source gives it; of a cross, a JSON array; of texts, a word"),
        ("index!", INT, "from 2: the value that is met most; of a word, its bucket from 0"),
        ("rows!", LONG, "events before the cut; of a cross of both sides, examples; words, items"),
    ),
    keys=("purpose", "feature", "value"),
    slice_by="purpose",
)
FEATURE_STATS = Table(
    "feature_stats",
    "one feature: what it means, and how its values lie in the examples that are learned from",
    schema(
        PURPOSE,
        ("feature!", STRING, "name of the feature"),
        ("kind!", STRING, "numeric or categorical"),
        ("place!", INT, "position in the array of its kind, from 0"),
        ("family!", STRING, "count, share, mean, recency, trend, affinity, time, item, …"),
        ("definition!", STRING, "what it is, in words"),
        ("rows!", LONG, "examples"),
        ("missing!", LONG, "of them without a value"),
        ("infinite", LONG, "numeric: infinite values"),
        ("zeros", LONG, "numeric: values that are 0"),
        ("low", DOUBLE, "numeric: the smallest finite value"),
        ("high", DOUBLE, "numeric: the largest finite value"),
        ("mean", DOUBLE, "numeric: of finite values"),
        ("deviation", DOUBLE, "numeric: standard deviation of finite values"),
        (
            "edges",
            NUMBERS,
            "numeric: of bins of one size (from a sample) or width; a bin holds its lower edge",
        ),
        ("cuts", NUMBERS, "numeric: those of the edges where the label changes (MDLP)"),
        ("size!", INT, "bins, the last for missing values; or indices"),
        ("counts!", T.ArrayType(LONG), "examples in each bin or of each index"),
        ("collisions", DOUBLE, "hashed cross: share of combinations that share their bucket"),
        ("later", T.ArrayType(LONG), "counts of the test, in the same bins; null without a test"),
        ("psi", DOUBLE, "skew: population stability index of the test against the training part"),
        ("ks", DOUBLE, "numeric: Kolmogorov-Smirnov distance of the same, as far as bins tell"),
        ("goes_by", T.ArrayType(STRING), "features of feature_vocabulary that it follows from"),
        ("skewness", DOUBLE, "numeric: of finite values, g1; null where nothing varies"),
        ("kurtosis", DOUBLE, "numeric: in excess of a normal distribution's, g2; as skewness"),
        ("quantiles", NUMBERS, "numeric: 5, 25, 50, 75 and 95 % of finite values (of a sample)"),
        ("top", SHARES, "values met most and their share of examples (numeric: of a sample)"),
    ),
    keys=("purpose", "feature"),
    slice_by="purpose",
    contract=5,
)
FEATURE_SELECTION = Table(
    "feature_selection",
    "what became of one feature, and why",
    schema(
        PURPOSE,
        ("feature!", STRING, "name of the feature"),
        ("kept!", T.BooleanType(), "whether models learn from it"),
        ("reason!", STRING, "why not; empty for a kept one"),
        ("missing!", DOUBLE, "share of examples without a value"),
        ("chi_square!", DOUBLE, "of its bins with the classes of the label"),
        ("degrees!", INT, "of freedom"),
        ("p_chi_square!", DOUBLE, "of independence, were rows independent of each other"),
        ("unit!", STRING, "what counts as one observation in the test: rows, items or users"),
        ("p_value", DOUBLE, "of that test; null where the feature alone can't be tested"),
        ("p_corrected", DOUBLE, "after Benjamini and Hochberg"),
        ("mutual_information!", DOUBLE, "with the label, in nats"),
        ("told!", DOUBLE, "mutual information as a share of the label's entropy"),
    ),
    keys=("purpose", "feature"),
    slice_by="purpose",
)
FEATURE_POOLS = Table(
    "feature_pools",
    "one feature of one named set of features",
    schema(
        PURPOSE,
        ("pool!", STRING, "name of the set"),
        ("version!", STRING, "12 hex digits that differ where a number means something else"),
        ("place!", INT, "position in the set, from 0: numeric features first, each kind by name"),
        ("feature!", STRING, "name of the feature"),
        ("kind!", STRING, "numeric or categorical"),
        ("from_place!", INT, "position in the array of its kind in features"),
        ("size", INT, "categorical: how many indices it has"),
        ("meaning!", STRING, "hash of its definition and of what its indices stand for"),
        ("of_version!", LONG, "the version of features whose arrays the positions are of"),
    ),
    keys=("purpose", "pool", "feature"),
    slice_by="purpose",
)
