"""What the page calls its parts and what is measured."""

from tastemill.report.contents import ReportData

METRICS = {
    "ndcg": "NDCG",
    "recall": "Recall",
    "hit": "Hit",
    "map": "MAP",
    "mrr": "MRR",
    "precision": "Precision",
    "coverage": "Coverage",
    "rmse": "RMSE",
    "mae": "MAE",
    "auc": "AUC",
    "gauc": "GAUC",
    "log_loss": "Log loss",
}
# Anchor, its name in the table of contents, heading, and the part of the data that it is about.
SECTIONS = (
    ("quality", "Quality", "How good the lists are", "metrics"),
    ("ratings", "Ratings", "How close the predicted ratings are", "ratings"),
    ("labels", "Examples", "How well taken and other items are told apart", "labels"),
    ("predicted", "Predictions", "Predicted against actual", "predictions"),
    ("users", "Lists", "Some users", "lists"),
    ("profiles", "Profiles", "What users are like", "profiles"),
    ("data", "Data", "The data", "shape"),
    ("quarantine", "Quarantine", "What was put aside", "quarantine"),
    ("expected", "Expected", "What the data was expected to be like", "expectations"),
    ("features", "Features", "What tells of the label", "features"),
    ("training", "Training", "Training", "curves"),
    ("models", "Models", "Models", "models"),
    ("stages", "Stages", "Stages", "stages"),
    ("tables", "Tables", "Tables", "versions"),
)
HEADINGS = {anchor: heading for anchor, _, heading, _ in SECTIONS}
QUANTITIES = {
    "num_events": "events",
    "num_events_30d": "events in the last 30 days",
    "num_active_days": "days with an event",
    "num_sessions": "visits",
    "visits_per_week": "visits per week",
    "click_depth_mean": "views and clicks per visit",
    "dwell_seconds_mean": "seconds per event",
    "value_mean": "mean value",
}
COLUMNS = {
    "item_id": "item",
    "event_time": "time",
    "session_id": "session",
    "dwell_seconds": "time spent",
    "query": "search words",
    "released_on": "release date",
}


def contents(data: ReportData) -> list[tuple[str, str]]:
    """(anchor, name) of the parts that the page has."""
    return [(anchor, name) for anchor, name, _, part in SECTIONS if getattr(data, part)]
