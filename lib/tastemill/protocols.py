"""Protocols by which others have published figures, and those figures."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tastemill.errors import UsageError, did_you_mean

Figures = Mapping[str, float]


def _nothing(folder: Path, scratch: Path) -> list[str]:
    """No settings that depend on files of the data set."""
    return []


@dataclass(frozen=True)
class Protocol:
    """One way of judging, and what others reached under it.

    Attributes:
        name: also of the file in conf/benchmarks.
        dataset: of conf/datasets.
        folder: the data set's, below the data root.
        source: where the figures stand.
        published: by model, by metric.
        prepare: (folder of the data, scratch folder) → settings.
    """

    name: str
    dataset: str
    folder: str
    source: str
    published: Mapping[str, Figures]
    prepare: Callable[[Path, Path], list[str]] = _nothing


def ncf_files(folder: Path, scratch: Path) -> list[str]:
    """The test item of each user, and it among 99 others: CSV files in our ids, and their settings.

    Files: github.com/hexiangnan/neural_collaborative_filtering, with the items' MovieLens ids.

    Raises:
        UsageError: The files aren't there.
    """
    place = folder / "ncf"
    files = ("item_id_map.csv", "ml-1m.test.rating", "ml-1m.test.negative.gz")
    if missing := [name for name in files if not (place / name).exists()]:
        raise UsageError("files of the protocol are missing", found=f"no {missing[0]} in {place}")
    films = pd.read_csv(place / files[0]).set_index("ncf_item")["MovieID"]
    names = ["user", "item"]
    test = pd.read_csv(
        place / files[1], sep="\t", header=None, usecols=[0, 1], names=["user", "item"]
    )
    with gzip.open(place / files[2], "rt") as lines:
        others = pd.DataFrame([line.split("\t")[1:] for line in lines]).astype(int)
    others.insert(0, "user", test["user"])
    candidates = others.melt("user", value_name="item")[names]
    settings = ["split.by=listed"]
    for key, pairs in {
        "split.file": test,
        "recommend.candidates": pd.concat([test, candidates]).drop_duplicates(),
    }.items():
        named = {"user_id": pairs["user"] + 1, "item_id": pairs["item"].map(films)}
        file = scratch / f"{key}.csv"
        pd.DataFrame(named).to_csv(file, index=False)
        settings.append(f"{key}='{file}'")
    return settings


P1 = Protocol(
    "P1",
    dataset="movielens-1m",
    folder="ml-1m",
    source="sb-ai-lab/RePlay: MovieLens 1M, global time split, rating >= 3",
    published={
        "popularity": {"ndcg@10": 0.244, "hit@10": 0.645, "map@10": 0.157, "mrr@10": 0.390},
        "als": {"ndcg@10": 0.265, "hit@10": 0.686, "map@10": 0.172, "mrr@10": 0.419},
        "als_explicit": {"ndcg@10": 0.013, "hit@10": 0.093},
        "neumf": {"ndcg@10": 0.193, "hit@10": 0.627},
    },
)
P2 = Protocol(
    "P2",
    dataset="movielens-1m",
    folder="ml-1m",
    source="MovieLens 1M, leave one out, all items (Tikhonovich et al. 2025; Zhai et al. 2024); "
    "the order within ratings below 4 is partly unknown here",
    published={
        "sasrec": {"hit@10": 0.297, "ndcg@10": 0.170},
        "esasrec": {"hit@10": 0.3133, "ndcg@10": 0.1772},
        "hstu": {"hit@10": 0.3294, "ndcg@10": 0.1893},
    },
)
P5 = Protocol(
    "P5",
    dataset="movielens-1m",
    folder="ml-1m",
    source="MovieLens 1M, leave one out, one item among 99 drawn ones (He et al. 2017; popularity, "
    "GMF, MLP, NeuMF and iALS as in Rendle et al. 2020 and reruns)",
    published={
        "popularity": {"hit@10": 0.4533, "ndcg@10": 0.2542},
        "gmf": {"hit@10": 0.708, "ndcg@10": 0.429},
        "mlp": {"hit@10": 0.692, "ndcg@10": 0.425},
        "neumf": {"hit@10": 0.7093, "ndcg@10": 0.4349},
        "als": {"hit@10": 0.722, "ndcg@10": 0.445},
    },
    prepare=ncf_files,
)
OF_SURPRISE = "means of 5 folds (surpriselib.com)"
P6 = Protocol(
    "P6",
    dataset="movielens-1m",
    folder="ml-1m",
    source=f"MovieLens 1M, one fifth of the ratings predicted from the others; {OF_SURPRISE}",
    published={"bias": {"rmse": 0.909}, "svd": {"rmse": 0.873}},
)
P6_100K = Protocol(
    "P6-100k",
    dataset="movielens-100k",
    folder="ml-100k",
    source=f"MovieLens 100K, one fifth of the ratings predicted from the others; {OF_SURPRISE}",
    published={"bias": {"rmse": 0.944}, "svd": {"rmse": 0.934}},
)
PROTOCOLS = {protocol.name: protocol for protocol in (P1, P2, P5, P6_100K, P6)}


def protocol_of(name: str) -> Protocol:
    """The protocol of a name."""
    if name not in PROTOCOLS:
        fix = did_you_mean(name, PROTOCOLS)
        raise UsageError(f"no protocol {name}", expected=", ".join(PROTOCOLS), fix=fix)
    return PROTOCOLS[name]
