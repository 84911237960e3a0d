"""The network: shapes, the split first layer, what unknown ids get, its folder form."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tastemill.deep import perceptron
from tastemill.deep.embedding_mlp import EmbeddingMLP, EmbeddingMLPConfig
from tastemill.deep.ids import finish
from tastemill.deep.objectives import LogLoss, SquaredError
from tastemill.deep.registry import build, load_network, save_network
from tastemill.errors import TrainingError

CONFIG = EmbeddingMLPConfig(num_users=5, num_items=9, user_dim=3, item_dim=2, embedding_dim=4)


def _network(**changes: object) -> EmbeddingMLP:
    torch.manual_seed(1)
    return EmbeddingMLP(EmbeddingMLPConfig(**{**CONFIG.__dict__, **changes}))


def _batch(users: list[int], items: list[int]) -> dict[str, Tensor]:
    return {
        "user_idx": torch.tensor(users, dtype=torch.int64),
        "item_idx": torch.tensor(items, dtype=torch.int64),
        "user_vector": torch.randn(len(users), 3),
        "item_vector": torch.randn(len(items), 2),
    }


def test_three_linear_layers_give_one_score_per_row() -> None:
    network = _network()
    assert network(_batch([0, 4, 5], [0, 8, 9])).shape == (3,)
    assert sum(isinstance(module, nn.Linear) for module in network.modules()) == 3


@pytest.mark.parametrize("floats", [1, 10, 200, 500_000])
def test_score_all_equals_forward(floats: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(perceptron.MAX_HIDDEN_FLOATS, "cpu", floats)
    network = _network(hidden=(6, 5)).eval()
    users = {"user_idx": torch.tensor([4, 0, 5]), "user_vector": torch.randn(3, 3)}
    items = {"item_idx": torch.arange(9), "item_vector": torch.randn(9, 2)}
    pairs = {name: values.repeat_interleave(9, dim=0) for name, values in users.items()}
    pairs |= {name: torch.cat([values] * 3) for name, values in items.items()}
    torch.testing.assert_close(network.score_all(users, items), network(pairs).view(3, 9))


def test_rows_never_seen_take_the_unknown_row() -> None:
    network = _network(id_dropout=0.0)
    network(_batch([0, 2], [1, 1]))
    before = network.users.table.weight.detach().clone()
    finish(network)
    after = network.users.table.weight
    assert torch.equal(after[[0, 2]], before[[0, 2]])
    assert torch.equal(after[[1, 3, 4]], before[-1].expand(3, -1))
    assert torch.equal(network.items.table.weight[8], network.items.table.weight[9])


def test_dropped_ids_train_the_unknown_row_only() -> None:
    network = _network(id_dropout=1.0)
    network(_batch([0, 1], [0, 1])).sum().backward()
    moved = network.users.table.weight.grad.abs().sum(dim=1) > 0
    assert moved.tolist() == [False] * 5 + [True]
    assert network.users.seen.tolist() == moved.tolist()


def test_evaluation_drops_no_ids() -> None:
    network, batch = _network(id_dropout=0.9).eval(), _batch([0, 1], [0, 1])
    assert torch.equal(network(batch), network(batch))


def test_output_bias_is_where_scores_begin() -> None:
    scores = _network(output_bias=3.5)(_batch([0, 1], [0, 1])).detach()
    assert float((scores - 3.5).abs().max()) < 1.0


def test_losses_are_weighted_sums() -> None:
    class Given(nn.Module):
        inputs = ()

        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            return torch.tensor([1.0, 0.0])

    batch = {"label": torch.tensor([0.0, 1.0]), "weight": torch.tensor([2.0, 0.0])}
    assert float(SquaredError(Given())(batch)) == 2.0
    # 2 × ln(1 + e)
    assert float(LogLoss(Given())(batch)) == pytest.approx(2.6265, abs=1e-4)
    assert LogLoss(Given()).columns == ("label", "weight")


def test_a_network_comes_back_from_its_folder(tmp_path: Path) -> None:
    network, batch = _network(hidden=(6, 5)), _batch([0, 5], [3, 9])
    save_network(str(tmp_path), "embedding_mlp", network)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.json", "model.safetensors"]
    assert torch.equal(load_network(str(tmp_path))(batch), network.eval()(batch))


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    save_network(str(tmp_path), "embedding_mlp", _network())
    path = tmp_path / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(TrainingError, match="not those that were saved"):
        load_network(str(tmp_path))


def test_no_network_in_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no network in"):
        load_network(str(tmp_path))


def test_unknown_kind_and_parameter_are_named() -> None:
    with pytest.raises(TrainingError, match="unknown network 'mlp2'"):
        build("mlp2", {})
    with pytest.raises(TrainingError, match=r"unknown parameters \['depth'\]"):
        build("embedding_mlp", {"depth": 3})
