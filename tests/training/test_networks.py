"""What every network has to do, whichever it is: one harness for all of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tastemill.deep.ids import finish
from tastemill.deep.objectives import OBJECTIVES, Objective
from tastemill.deep.registry import NETWORKS, build, load_network, save_network
from tastemill.retrieval.networks import NetworkScorer
from tastemill.training.config import FACTORIZING
from tastemill.training.config import SEQUENCES as SEQUENTIAL

Batch = dict[str, Tensor]
USERS, ITEMS, ROWS, LENGTH = 6, 9, 10, 7
IDS = {"num_users": USERS, "num_items": ITEMS}
VECTORS = {**IDS, "user_dim": 3, "item_dim": 2, "id_dropout": 0.0}
FEATURES = {"means": [1.0, 0.0], "deviations": [2.0, 0.0], "sizes": [4, 6, 3], "embedding_dim": 5}
SEQUENCES = {"num_items": ITEMS, "max_length": LENGTH, "embedding_dim": 16, "dropout": 0.0}
PARAMS: dict[str, dict[str, Any]] = {
    "embedding_mlp": VECTORS,
    "gmf": IDS,
    "mlp": IDS,
    "neumf": IDS,
    "deep_mf": {**IDS, "max_length": 4},
    "two_tower": VECTORS,
    "wide_deep": FEATURES,
    "dcn": {**FEATURES, "rank": 3},
    "dlrm": FEATURES,
    "sasrec": {**SEQUENCES, "num_heads": 2},
    "esasrec": SEQUENCES,
    "hstu": {**SEQUENCES, "num_heads": 2},
}
OBJECTIVE = {
    "two_tower": "in_batch_softmax",
    **dict.fromkeys(("sasrec", "esasrec", "hstu"), "softmax"),
}
SCORING = [kind for kind in PARAMS if kind not in ("wide_deep", "dcn", "dlrm")]


def network_of(kind: str) -> Any:
    torch.manual_seed(1)
    network: Any = build(kind, PARAMS[kind])
    if kind == "deep_mf":
        # Everybody took something, and no two the same; not what the rows of a batch are about.
        for ids, others in (("user_idx", ITEMS), ("item_idx", USERS)):
            rows = network.rows()[ids][:-1]
            drawn = [torch.randperm(others)[: rows.shape[1]] for _ in rows]
            rows.copy_(torch.stack(drawn))
    return network


def batch_of(rows: int = ROWS, seed: int = 1) -> Batch:
    """Rows with all that any network takes; no user has two of them."""
    draw = torch.Generator().manual_seed(seed)
    histories = torch.full((rows, LENGTH), ITEMS)
    for row in range(rows):
        length = 2 + row % (LENGTH - 1)
        histories[row, :length] = torch.randperm(ITEMS, generator=draw)[:length]
    numeric = torch.randn(rows, 2, generator=draw)
    numeric[1::3, 0] = torch.nan
    return {
        "user_idx": torch.arange(rows) % USERS,
        "item_idx": torch.randint(ITEMS, (rows,), generator=draw),
        "user_vector": torch.randn(rows, 3, generator=draw),
        "item_vector": torch.randn(rows, 2, generator=draw),
        "numeric": numeric,
        "categorical": torch.stack([torch.arange(rows) % size for size in (4, 6, 3)], dim=1),
        "history": histories,
        "item_share": torch.full((rows,), 1 / ITEMS),
        "label": (torch.arange(rows) % 2).float(),
        "weight": torch.ones(rows),
    }


def objective_of(kind: str, network: nn.Module) -> Objective:
    return OBJECTIVES[OBJECTIVE.get(kind, "bce")](network)


def trained(kind: str, steps: int) -> tuple[nn.Module, list[float]]:
    """A network after so many steps on one batch, and the mean loss of each."""
    network, batch = network_of(kind), batch_of()
    objective = objective_of(kind, network).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(steps):
        loss = objective(batch) / objective.weight(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return network, losses


def test_every_network_is_tried() -> None:
    assert set(PARAMS) == set(NETWORKS)


@pytest.mark.parametrize("kind", PARAMS)
@pytest.mark.parametrize("rows", [0, 1, ROWS])
def test_one_score_for_each_row(kind: str, rows: int) -> None:
    scores = network_of(kind).eval()(batch_of(rows))
    assert scores.shape == (rows,)
    assert torch.isfinite(scores).all()


@pytest.mark.parametrize("kind", PARAMS)
def test_ten_examples_are_learned_by_heart(kind: str) -> None:
    network, losses = trained(kind, steps=150)
    # Rows may be the same to a sequence network as far as it sees: their start, before any item.
    assert losses[-1] < 0.15 * losses[0], losses[::30]
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("kind", PARAMS)
def test_equal_seeds_give_equal_losses(kind: str) -> None:
    assert trained(kind, steps=5)[1] == trained(kind, steps=5)[1]


@pytest.mark.parametrize("kind", PARAMS)
def test_an_empty_batch_moves_nothing(kind: str) -> None:
    network = network_of(kind)
    objective = objective_of(kind, network).train()
    loss = objective(batch_of(0))
    assert float(loss.detach()) == float(objective.weight(batch_of(0))) == 0.0
    loss.backward()
    assert all(p.grad is None or float(p.grad.abs().sum()) == 0.0 for p in network.parameters())


@pytest.mark.parametrize("kind", PARAMS)
def test_a_network_comes_back_from_its_folder(kind: str, tmp_path: Path) -> None:
    network, _ = trained(kind, steps=2)
    finish(network)
    save_network(str(tmp_path), kind, network)
    again, batch = load_network(str(tmp_path)), batch_of(seed=2)
    assert torch.equal(again(batch), network.eval()(batch))


@pytest.mark.parametrize("kind", FACTORIZING)
def test_scores_are_products_of_vectors(kind: str) -> None:
    network, batch = trained(kind, steps=3)[0].eval(), batch_of(seed=2)
    batch["user_idx"][0], batch["item_idx"][1] = USERS + 3, ITEMS + 2
    with torch.no_grad():
        products = (network.user_vectors(batch) * network.item_vectors(batch)).sum(dim=1)
        torch.testing.assert_close(products, network(batch))


@pytest.mark.parametrize("kind", SCORING)
def test_who_came_up_after_training_is_unknown_and_no_error(kind: str) -> None:
    """Beyond the tables and in histories, where they are passed over."""
    network, batch = trained(kind, steps=3)[0].eval(), batch_of()
    strange = {
        **batch,
        "user_idx": batch["user_idx"] + USERS,
        "item_idx": batch["item_idx"] + ITEMS,
    }
    strange["history"] = torch.cat((torch.full((ROWS, 1), ITEMS + 5), batch["history"][:, :-1]), 1)
    strange["history"][:, 3] = ITEMS + 1
    with torch.no_grad():
        assert torch.isfinite(network(strange)).all()
        if "history" in network.inputs:
            first = {**strange, "item_idx": batch["item_idx"]}
            kept = torch.full((ROWS, LENGTH), ITEMS)
            for row, items in enumerate(strange["history"].tolist()):
                known = [item for item in items if item < ITEMS]
                kept[row, : len(known)] = torch.tensor(known)
            torch.testing.assert_close(network(first), network({**first, "history": kept}))


@pytest.mark.parametrize("kind", ["mlp", "sasrec", "hstu", "embedding_mlp"])
def test_lists_leave_out_what_is_known_by_nothing(kind: str, tmp_path: Path) -> None:
    """An item that came up after training has a profile for some networks, for others nothing."""
    network, batch = trained(kind, steps=3)[0].eval(), batch_of()
    save_network(tmp_path, kind, network)
    vectors = np.ones((ITEMS + 2, 2), dtype=np.float32)
    fallback = np.zeros(ITEMS + 2, dtype=np.float32)
    columns = ("history",) if kind in SEQUENTIAL else ("user_idx", "user_vector")
    scorer = NetworkScorer(str(tmp_path), vectors, fallback, columns=columns)
    told = {name: batch[name].numpy() for name in columns}
    some = np.array([1, ITEMS, ITEMS + 1])
    for each, items in ((scorer, np.arange(ITEMS + 2)), (scorer.of_items(some), some)):
        barred = np.isneginf(each.score(told))
        assert barred[:, items >= ITEMS].all() == (kind != "embedding_mlp")
        assert not barred[:, items < ITEMS].any()
    if kind in SEQUENTIAL:
        assert not network.items.weight[ITEMS].any()


@pytest.mark.parametrize("kind", PARAMS)
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
def test_a_network_goes_to_torchscript(kind: str, tmp_path: Path) -> None:
    network = trained(kind, steps=2)[0].eval()
    torch.jit.trace(network, (batch_of(4),), strict=False).save(tmp_path / "network.pt")
    exported, batch = torch.jit.load(tmp_path / "network.pt"), batch_of(seed=3)
    torch.testing.assert_close(exported(batch), network(batch))


@pytest.mark.parametrize("kind", SCORING)
def test_scores_of_all_are_those_of_each_pair(kind: str) -> None:
    network = trained(kind, steps=3)[0].eval()
    batch, some = batch_of(), torch.tensor([7, 0, 3])
    vectors = torch.randn(3, 2)
    found = network.score_all(batch, {"item_idx": some, "item_vector": vectors})
    for place, (item, vector) in enumerate(zip(some, vectors, strict=True)):
        same = {"item_idx": item.expand(ROWS), "item_vector": vector.expand(ROWS, 2)}
        torch.testing.assert_close(found[:, place], network({**batch, **same}))


@pytest.mark.parametrize("kind", SCORING)
def test_who_came_up_after_training_is_unknown(kind: str) -> None:
    network = trained(kind, steps=3)[0].eval()
    finish(network)
    items = {"item_idx": torch.tensor([2, ITEMS]), "item_vector": torch.zeros(2, 2)}
    late = {**batch_of(), "user_idx": torch.full((ROWS,), USERS + 5)}
    unknown = {**batch_of(), "user_idx": torch.full((ROWS,), USERS)}
    torch.testing.assert_close(network.score_all(late, items), network.score_all(unknown, items))
    far = {**items, "item_idx": torch.tensor([2, ITEMS + 5])}
    torch.testing.assert_close(network.score_all(late, items), network.score_all(late, far))


@pytest.mark.parametrize("kind", ["wide_deep", "dcn", "dlrm"])
def test_what_is_not_in_a_vocabulary_and_what_is_missing(kind: str) -> None:
    network = trained(kind, steps=3)[0].eval()
    batch = batch_of()
    beyond, unknown = batch["categorical"].clone(), batch["categorical"].clone()
    beyond[:, 1], unknown[:, 1] = 99, 1
    torch.testing.assert_close(
        network({**batch, "categorical": beyond}), network({**batch, "categorical": unknown})
    )
    infinite = torch.where(torch.isnan(batch["numeric"]), torch.inf, batch["numeric"])
    torch.testing.assert_close(network({**batch, "numeric": infinite}), network(batch))
    mean = torch.where(torch.isnan(batch["numeric"]), 1.0, batch["numeric"])
    assert not torch.equal(network({**batch, "numeric": mean}), network(batch))


@pytest.mark.parametrize("kind", ["sasrec", "esasrec", "hstu"])
class TestSequences:
    def test_a_state_sees_nothing_that_comes_after(self, kind: str) -> None:
        network = trained(kind, steps=3)[0].eval()
        history = torch.arange(LENGTH)[None] % ITEMS
        changed = history.clone()
        changed[0, 4:] = torch.tensor([8, 1, 0])
        known = torch.ones_like(history, dtype=torch.bool)
        before, after = network.states(history, known), network.states(changed, known)
        torch.testing.assert_close(before[:4], after[:4])
        assert not torch.allclose(before[4:], after[4:])

    def test_the_last_prediction_of_a_training_is_made_as_a_list_is(self, kind: str) -> None:
        """Positions count from the newest item that something follows, for short histories too."""
        network = trained(kind, steps=3)[0].eval()
        history = torch.full((1, LENGTH + 1), ITEMS)
        history[0, :4] = torch.tensor([3, 1, 4, 2])
        states, targets = OBJECTIVES["softmax"](network).predicting({"history": history})
        assert targets.tolist() == [1, 4, 2]
        asked = network.user_vectors({"history": history[:, :3]})
        torch.testing.assert_close(states[-1:], asked)

    def test_padding_changes_nothing(self, kind: str) -> None:
        network = trained(kind, steps=3)[0].eval()
        short = torch.tensor([[3, 1, 4]])
        padded = torch.cat((short, torch.full((1, 4), ITEMS)), dim=1)
        vectors = [network.user_vectors({"history": history}) for history in (short, padded)]
        torch.testing.assert_close(*vectors)


def test_what_a_step_of_the_in_batch_softmax_is() -> None:
    """Worked out one by one: other items of the batch, less the log of how often each is met."""
    network, batch = network_of("two_tower").eval(), batch_of()
    batch["item_share"] = torch.linspace(0.1, 0.9, ROWS)
    batch["weight"] = torch.arange(ROWS).float()
    users, items = network.user_vectors(batch), network.item_vectors(batch)
    expected = 0.0
    for row in range(ROWS):
        others = [
            n for n in range(ROWS) if n == row or batch["item_idx"][n] != batch["item_idx"][row]
        ]
        scores = {
            n: float(users[row] @ items[n]) - float(batch["item_share"][n].log()) for n in others
        }
        total = sum(torch.tensor(score).exp() for score in scores.values())
        expected += row * float(total.log() - scores[row])
    objective = OBJECTIVES["in_batch_softmax"](network)
    assert float(objective(batch).detach()) == pytest.approx(expected, rel=1e-4)
    assert float(objective.weight(batch)) == sum(range(ROWS))


def test_what_a_step_of_the_sequence_softmax_is() -> None:
    network, batch = network_of("sasrec").eval(), batch_of()
    expected, count = 0.0, 0
    for history in batch["history"]:
        known = history[None, 1:] < ITEMS
        for state, target in zip(
            network.states(history[None, :-1], known), history[1:][known[0]], strict=True
        ):
            scores = state @ network.items.weight[:ITEMS].T
            expected -= float(scores.log_softmax(dim=0)[target])
            count += 1
    objective = OBJECTIVES["softmax"](network)
    assert float(objective(batch).detach()) == pytest.approx(expected, rel=1e-4)
    assert float(objective.weight(batch)) == count


@pytest.mark.parametrize("kind", ["sampled_bce", "bpr"])
def test_what_is_held_against_a_row_is_drawn_anew(kind: str) -> None:
    network, batch = trained("neumf", 3)[0].eval(), batch_of()
    batch["weight"] = torch.arange(ROWS).float()
    objective = OBJECTIVES[kind](network, 3)
    torch.manual_seed(5)
    drawn, expected = torch.randint(ITEMS, (ROWS, 3)), 0.0
    for row in range(ROWS):
        user = batch["user_idx"][row].expand(3)
        own = network({"user_idx": user[:1], "item_idx": batch["item_idx"][row : row + 1]})
        others = network({"user_idx": user, "item_idx": drawn[row]})
        losses = (own - others).sigmoid().log()
        if kind == "sampled_bce":
            losses = torch.cat((own.sigmoid().log(), (-others).sigmoid().log()))
        expected -= row * float(losses.sum().detach())
    torch.manual_seed(5)
    first = float(objective(batch).detach())
    assert first == pytest.approx(expected, rel=1e-4)
    assert float(objective(batch).detach()) != first
    assert float(objective.weight(batch)) == sum(range(ROWS)) * (3 if kind == "bpr" else 4)


def test_sampled_softmax_estimates_the_one_over_all_items() -> None:
    network, batch = network_of("hstu").eval(), batch_of()
    full = float(OBJECTIVES["softmax"](network)(batch).detach())
    sampled = OBJECTIVES["sampled_softmax"](network, 20_000)
    assert float(sampled(batch).detach()) == pytest.approx(full, rel=0.01)
    few = OBJECTIVES["sampled_softmax"](network, 2)
    with torch.no_grad():
        draws = torch.stack([few(batch) for _ in range(50)])
    assert draws.std() > 0
    assert float(few.weight(batch)) == float(sampled.weight(batch))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_neumf_begins_where_its_parts_ended(share: float) -> None:
    gmf, mlp = trained("gmf", 20)[0].eval(), trained("mlp", 20)[0].eval()
    network, batch = network_of("neumf").eval(), batch_of()
    network.start_from(gmf, mlp, share)
    expected = share * gmf(batch) + (1 - share) * mlp(batch)
    torch.testing.assert_close(network(batch), expected)


def test_deep_mf_is_not_shown_what_it_is_to_tell() -> None:
    network, batch = network_of("deep_mf").train(), batch_of()
    shown = {name: network.rows()[name].clone() for name in ("user_idx", "item_idx")}
    before = network(batch)
    for row in range(ROWS):
        one = {name: values[row : row + 1] for name, values in batch.items()}
        for mine, other, padding in (
            ("user_idx", "item_idx", ITEMS),
            ("item_idx", "user_idx", USERS),
        ):
            changed = shown[mine].clone()
            own = changed[one[mine]]
            changed[one[mine]] = own.masked_fill(own == one[other].int(), padding)
            network.rows()[mine].copy_(changed)
        torch.testing.assert_close(network.eval()(one), before[row : row + 1])
