"""The benchmark's figures against those of an independent judge, and the grid against leaks."""

import gzip
import random
from collections import defaultdict
from math import log2
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from tastemill import grid
from tastemill.benchmark import run_benchmark
from tastemill.testing.toy import write_movielens
from tastemill.trials import run_trials

pytestmark = pytest.mark.slow

SETTINGS = ("als.rank=4", "als.max_iter=3", "dataset.min_item_events=1")
MODELS = ("popularity", "als")
POSITIVE = 3.0


def write_ratings(root: Path, ratings: pd.DataFrame) -> None:
    """The same films and people as MovieLens 1M would tell of them."""
    folder = root / "ml-1m"
    folder.mkdir(parents=True)
    lines = ["::".join(map(str, row)) for row in ratings.itertuples(index=False)]
    (folder / "ratings.dat").write_text("\n".join(lines) + "\n")
    users, items = (sorted(set(ratings[name])) for name in ("user", "item"))
    (folder / "users.dat").write_text("".join(f"{u}::F::18::4::00000\n" for u in users))
    films = "".join(f"{i}::Film {i} (1990)::{'Drama' if i % 2 else 'War'}\n" for i in items)
    (folder / "movies.dat").write_text(films)


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Columns user, item, stars, at; all times differ."""
    folder = tmp_path_factory.mktemp("toy")
    write_movielens(folder)
    return pd.read_csv(folder / "u.data", sep="\t", names=["user", "item", "stars", "at"])


def mean_ndcg(lists: pd.DataFrame, relevant: dict[int, set[int]]) -> float:
    """NDCG@10 written down once more, without Spark."""
    shown = defaultdict(list)
    for row in lists.sort_values(["user_id", "rank"]).itertuples():
        shown[int(row.user_id)].append(int(row.item_id))
    values = []
    for user, wanted in relevant.items():
        gain = sum(1 / log2(n + 2) for n, item in enumerate(shown[user][:10]) if item in wanted)
        values.append(gain / sum(1 / log2(n + 2) for n in range(min(10, len(wanted)))))
    return sum(values) / len(values)


def test_figures_are_those_of_the_lists(
    spark: SparkSession, ratings: pd.DataFrame, tmp_path: Path
) -> None:
    write_ratings(tmp_path, ratings)
    result = run_benchmark("P1", tmp_path, MODELS, tmp_path / "lists", SETTINGS)
    liked = ratings[ratings.stars >= POSITIVE].sort_values("at")
    train, test = liked[: result["train_rows"]], liked[result["train_rows"] :]
    test = test[test.user.isin(train.user) & test.item.isin(train.item)]
    assert len(test) == result["test_rows"]
    relevant = {user: set(rows.item) for user, rows in test.groupby("user")}
    assert len(relevant) == result["test_users"]
    assert {row["model"] for row in result["rows"]} == set(MODELS)
    for row in result["rows"]:
        lists = pd.read_parquet(tmp_path / "lists" / f"{row['model']}.parquet")
        assert row["ndcg@10"] == pytest.approx(mean_ndcg(lists, relevant), abs=1e-6)
        low, high = row["ndcg@10_ci"]
        assert low < row["ndcg@10"] < high


def test_one_item_among_listed_ones(
    spark: SparkSession, ratings: pd.DataFrame, tmp_path: Path
) -> None:
    """P5: its files, in ids of their own, are what models are kept from and ranked by."""
    write_ratings(tmp_path, ratings)
    items = sorted(set(ratings.item), reverse=True)
    place, draw = tmp_path / "ml-1m" / "ncf", random.Random(2)
    place.mkdir()
    own = {item: number for number, item in enumerate(items)}
    pd.DataFrame(own.items(), columns=["MovieID", "ncf_item"]).to_csv(
        place / "item_id_map.csv", index=False
    )
    wanted, candidates, tests, others = {}, {}, [], []
    for user, rows in ratings.groupby("user"):
        item = draw.choice(list(rows.item))
        strange = [other for other in items if other not in set(rows.item)][:9]
        wanted[user], candidates[user] = {item}, {item, *strange}
        tests.append(f"{user - 1}\t{own[item]}\t5\t978300000\n")
        told = "\t".join(str(own[other]) for other in strange)
        others.append(f"({user - 1},{own[item]})\t{told}\n")
    (place / "ml-1m.test.rating").write_text("".join(tests))
    with gzip.open(place / "ml-1m.test.negative.gz", "wt") as file:
        file.writelines(others)
    small = ("deep.epochs=2", "deep.embedding_dim=4", "deep.hidden=[8]", "deep.num_processes=1")
    parts = ("gmf", "mlp", "neumf")
    few = [f"deep.by_model.{part}.epochs=2" for part in parts]
    small = (*small, *few, "deep.validate_epochs=true", "deep.pretrained=true")
    result = run_benchmark("P5", tmp_path, ("popularity", "neumf"), tmp_path / "lists", small)
    assert result["test_users"] == len(wanted)
    curves = {row["model"]: row.get("valid_ndcg@10") for row in result["rows"]}
    assert curves.keys() == {"popularity", *parts}
    assert curves["popularity"] is None
    assert [len(curves[part]) for part in parts] == [2, 2, 2]
    for row in result["rows"]:
        lists = pd.read_parquet(tmp_path / "lists" / f"{row['model']}.parquet")
        shown = lists.astype({"user_id": int, "item_id": int}).groupby("user_id")["item_id"]
        assert {user: set(rows) for user, rows in shown} == candidates
        assert row["ndcg@10"] == pytest.approx(mean_ndcg(lists, wanted), abs=1e-6)


def test_the_grid_never_sees_what_comes_after_the_cut(
    spark: SparkSession, ratings: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "ALS_GRID", {"rank": (2, 3), "reg": (0.01,), "alpha": (1.0,)})
    monkeypatch.setattr(grid, "SEEDS", (1, 2))
    changed = ratings.copy()
    late = changed["at"] >= changed["at"].quantile(0.85)
    draw = random.Random(1)
    changed.loc[late, "item"] = [draw.randint(1, 30) for _ in range(int(late.sum()))]
    found = []
    for name, rows in (("as_is", ratings), ("changed", changed)):
        write_ratings(tmp_path / name, rows)
        found.append(grid.run_grid("P1", tmp_path / name, SETTINGS))
    assert found[0] == found[1]
    assert [row["rank"] for row in found[0]] in ([2, 3], [3, 2])
    assert all(0 < row["lowest"] <= row["ndcg"] <= row["highest"] < 1 for row in found[0])


def test_networks_are_tried_on_what_comes_before_the_last_item(
    spark: SparkSession, ratings: pd.DataFrame, tmp_path: Path
) -> None:
    """Whatever stands in the place of each user's last item."""
    changed, had = ratings.copy(), ratings.groupby("user")["item"].agg(set)
    for row in ratings.groupby("user")["at"].idxmax():
        changed.loc[row, "item"] = min(set(ratings["item"]) - had[ratings.loc[row, "user"]])
    same = ("deep.epochs=3", "deep.embedding_dim=4", "deep.num_processes=1", "deep.patience=0")
    found = []
    for name, rows, rates in (("as_is", ratings, "0.05, 0.0001"), ("changed", changed, "0.05")):
        write_ratings(tmp_path / name, rows)
        tries = (f"learning_rate=[{rates}]", "deep.max_length=[8]")
        found.append(run_trials("P2", tmp_path / name, "sasrec", tries, same))
    assert found[1] == found[0][:1]
    best, worst = found[0]
    assert (best["learning_rate"], worst["learning_rate"]) == (0.05, 0.0001)
    assert 1 > best["valid_ndcg@10"] > worst["valid_ndcg@10"] > 0
