"""What is known of users and items as of a moment, and the examples made from it."""

from pyspark.sql import types as T

from tastemill.tables.table import DATE, DOUBLE, INT, LONG, STRING, TIME, VECTOR, Table, schema

CATEGORY_SLOTS = Table(
    "category_slots",
    "one position of the profile vectors of a day",
    schema(
        ("ds!", DATE, "the day of the slice"),
        ("slot!", INT, "position in the vectors, from 0; the last one means every other category"),
        ("category", STRING, "null at the last position: every other category"),
        ("events!", LONG, "events that chose it before as_of"),
    ),
    keys=("ds", "slot"),
    slice_by="ds",
)
USER_PROFILES = Table(
    "user_profiles",
    "one user as of a moment: what came before as_of and nothing else",
    schema(
        ("ds!", DATE, "the day of as_of"),
        ("as_of!", TIME, "only events strictly before it are seen"),
        ("user_id!", STRING, "id of the user as in the source"),
        ("user_idx!", INT, "the user's dense number"),
        ("interests!", VECTOR, "share of recency-weighted value by category slot; sums to 1 or 0"),
        ("user_vector!", VECTOR, "interests, log events, mean value: what deep models read"),
        ("num_events!", LONG, "events in the whole past"),
        ("num_events_by_type", T.MapType(STRING, LONG), "the same by event type"),
        ("num_events_7d!", LONG, "events in the last 7 days (unknown times count in no window)"),
        ("num_events_30d!", LONG, "events in the last 30 days"),
        ("num_events_90d!", LONG, "events in the last 90 days"),
        ("num_active_days!", LONG, "days with at least one event"),
        ("num_sessions!", LONG, "visits: the source's sessions, else gaps over 30 minutes"),
        ("visits_per_week", DOUBLE, "sessions per week since the first; null without a time"),
        ("dwell_seconds_mean", DOUBLE, "mean seconds per event with a known dwell"),
        ("click_depth_mean", DOUBLE, "mean views and clicks per session"),
        ("value_mean", DOUBLE, "mean value of the events that carry one"),
        ("first_event_time", TIME, "null when no time is known"),
        ("last_event_time", TIME, "null when no time is known"),
        ("age", STRING, "from users"),
        ("gender", STRING, "from users"),
        ("occupation", STRING, "from users"),
    ),
    keys=("ds", "user_id"),
    slice_by="ds",
    cluster_by=("user_id",),
)
ITEM_PROFILES = Table(
    "item_profiles",
    "one item as of a moment: what came before as_of and nothing else",
    schema(
        ("ds!", DATE, "the day of as_of"),
        ("as_of!", TIME, "only events strictly before it are seen"),
        ("item_id!", STRING, "id of the item as in the source"),
        ("item_idx!", INT, "the item's dense number"),
        ("categories_vector!", VECTOR, "share by category slot; sums to 1 or 0"),
        ("item_vector!", VECTOR, "categories, log events, mean value: what deep models read"),
        ("num_events!", LONG, "events in the whole past"),
        ("num_users!", LONG, "distinct users in the whole past"),
        ("num_events_7d!", LONG, "events in the last 7 days"),
        ("num_events_30d!", LONG, "events in the last 30 days"),
        ("num_events_90d!", LONG, "events in the last 90 days"),
        ("value_mean", DOUBLE, "mean value, shrunk towards the mean of all events"),
        ("price_bucket", INT, "decile of price, 0 to 9; null without a price"),
        ("first_event_time", TIME, "null when no time is known"),
        ("last_event_time", TIME, "null when no time is known"),
    ),
    keys=("ds", "item_id"),
    slice_by="ds",
    cluster_by=("item_id",),
)
EXAMPLES = Table(
    "examples",
    "one thing a model learns from: a user, an item, a label, and profiles as of just before",
    schema(
        ("purpose!", STRING, "backtest or production"),
        ("event_id!", STRING, "the event it comes from"),
        ("n!", INT, "0 for the event itself, 1 and up for its negatives"),
        ("user_idx!", INT, "the user's dense number"),
        ("item_idx!", INT, "the item's dense number"),
        ("event_time", TIME, "of the event"),
        ("label!", DOUBLE, "stars (rating task), 1 taken or 0 not taken (implicit task)"),
        ("weight!", DOUBLE, "what the example counts in the loss"),
        ("split!", STRING, "train, valid or test"),
        ("user_vector!", VECTOR, "the user's profile vector just before event_time"),
        ("item_vector!", VECTOR, "the item's profile vector just before event_time"),
    ),
    keys=("purpose", "event_id", "n"),
    slice_by="purpose",
    cluster_by=("user_idx",),
)
