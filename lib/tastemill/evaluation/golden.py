"""One small example of every metric, worked by hand: for the page, and to hold the code against."""

from math import e, exp, log, log1p, log2, sqrt

SHOWN, RELEVANT, K = (1, 9, 3, 2), (1, 2, 3, 4), 3
"""A list of items, what the user took, and where the list is cut: hits at places 1 and 3."""

LISTS, NUM_ITEMS, LENGTH = ((1, 2), (1, 3)), 4, 2
"""Two users' lists of a catalogue of four: item 1 is shown twice, 2 and 3 once, 4 never."""

RATINGS, PREDICTIONS = (4.0, 2.0), (3.0, 4.0)

LABELS, LOGITS = (1.0, 0.0, 0.0), (0.0, -1.0, 1.0)
"""One user's examples: the taken one is above one of the other two."""

WORKED = {
    "recall": ("2 / 4", 2 / 4),
    "recall_capped": ("2 / 3", 2 / 3),
    "precision": ("2 / 3", 2 / 3),
    "hit": ("1", 1.0),
    "ndcg": ("(1 + 0.5) / (1 + 0.6309 + 0.5)", 1.5 / (1.5 + 1 / log2(3))),
    "map": ("(1/1 + 2/3) / 3", (1 + 2 / 3) / 3),
    "mrr": ("1/1", 1.0),
    "coverage": ("3 / 4", 3 / 4),
    "gini": ("(−3·0 − 1·1 + 1·1 + 3·2) / (4 · 4)", 6 / 16),
    "rmse": ("√((1 + 4) / 2)", sqrt(5 / 2)),
    "mae": ("(1 + 2) / 2", 3 / 2),
    "auc": ("(1 + 0) / 2", 1 / 2),
    "gauc": ("3 · 0.5 / 3", 1 / 2),
    "log_loss": ("(0.6931 + 0.3133 + 1.3133) / 3", (log(2) + log1p(exp(-1)) + log1p(e)) / 3),
}
"""Metric to how its value comes about, and the value."""
