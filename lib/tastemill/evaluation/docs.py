"""Writes the page of metrics from the formulas beside their code: see HEAD for the command."""

from collections.abc import Mapping

from tastemill.evaluation import golden, labels, ranking, ratings

HEAD = """\
# Metrics

Every metric with its formula and an example worked by hand, written from the code by
`python -m tastemill.evaluation.docs > lib/tastemill/evaluation/README.md`.

Ranking is over the whole catalogue (items with at least `dataset.min_item_events` events in the
past), what the user has had removed unless `dataset.exclude_seen = false`. Values are means over
users with something in R; 95 % intervals come from a seeded Poisson bootstrap over users, the same
draws for every model.
"""
OF_A_USER = f"""
## Of one user's list

R is what the user took in the test, p are the places of the hits in the list, from 1, and
hits = |{{p ≤ k}}|.
Example: the list {golden.SHOWN} cut at k = {golden.K}, R = {golden.RELEVANT}: hits at 1 and 3.

"""
OF_ALL = f"""
## Of all lists together

m is the size of the catalogue, x_1 ≤ … ≤ x_m how often each item is among the first k of a list.
Example: the lists {" and ".join(map(str, golden.LISTS))} at k = {golden.LENGTH}, with
m = {golden.NUM_ITEMS}: x = 0, 1, 1, 2.

"""
OF_RATINGS = f"""
## Of predicted ratings

Of all n ratings of the test; a model that knows neither user nor item predicts the mean of the
past.
Example: ratings {golden.RATINGS}, predictions {golden.PREDICTIONS}.

"""

OF_LABELS = f"""
## Of predicted probabilities

Of the n examples of the test in an implicit task: what was taken, and what `build_examples` drew
beside it.
Example: one user's labels {golden.LABELS}, predicted logits {golden.LOGITS}.

"""


def metrics_page() -> str:
    """The page as Markdown."""
    return (
        HEAD
        + OF_A_USER
        + _table(ranking.FORMULAS)
        + OF_ALL
        + _table(ranking.CATALOGUE_FORMULAS)
        + OF_RATINGS
        + _table(ratings.FORMULAS)
        + OF_LABELS
        + _table(labels.FORMULAS)
    )


def _table(formulas: Mapping[str, str]) -> str:
    lines = ["| metric | formula | example |", "|---|---|---|"]
    for name, formula in formulas.items():
        worked, value = golden.WORKED[name]
        lines.append(f"| {name} | {_cell(formula)} | {_cell(worked)} = {value:.4f} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """A text that doesn't end its cell."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(metrics_page(), end="")
