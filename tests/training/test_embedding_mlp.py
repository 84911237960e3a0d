"""The network: shapes, the split first layer, what unknown ids get, its folder form."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tastemill.deep import embedding_mlp
from tastemill.deep.embedding_mlp import EmbeddingMLP, EmbeddingMLPConfig
from tastemill.deep.losses import LOSSES
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
    assert len(network.layers) == 3


def test_empty_batch_gives_zero_gradients_everywhere() -> None:
    network = _network()
    LOSSES["mse"](network(_batch([], [])), torch.zeros(0), torch.zeros(0)).backward()
    assert all(float(p.grad.abs().sum()) == 0.0 for p in network.parameters())


@pytest.mark.parametrize("floats", [1, 10, 200, 500_000])
def test_score_all_equals_forward(floats: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(embedding_mlp.MAX_HIDDEN_FLOATS, "cpu", floats)
    network = _network(hidden=(6, 5)).eval()
    users, user_vector = torch.tensor([4, 0, 5]), torch.randn(3, 3)
    item_vectors = torch.randn(9, 2)
    scores = network.score_all(users, user_vector, item_vectors)
    some = torch.tensor([7, 0, 3])
    of_some = network.score_all(users, user_vector, item_vectors[some], some)
    torch.testing.assert_close(of_some, scores[:, some])
    pairs = {
        "user_idx": users.repeat_interleave(9),
        "item_idx": torch.arange(9).repeat(3),
        "user_vector": user_vector.repeat_interleave(9, dim=0),
        "item_vector": item_vectors.repeat(3, 1),
    }
    torch.testing.assert_close(scores, network(pairs).view(3, 9))


def test_ids_beyond_the_table_score_as_unknown() -> None:
    network = _network().eval()
    one, vectors = torch.randn(1, 3), torch.randn(9, 2)
    far = network.score_all(torch.tensor([99]), one, vectors)
    torch.testing.assert_close(far, network.score_all(torch.tensor([5]), one, vectors))


def test_rows_never_seen_take_the_unknown_row() -> None:
    network = _network(id_dropout=0.0)
    network(_batch([0, 2], [1, 1]))
    before = network.user_embedding.weight.detach().clone()
    network.finish_training()
    after = network.user_embedding.weight
    assert torch.equal(after[[0, 2]], before[[0, 2]])
    assert torch.equal(after[[1, 3, 4]], before[-1].expand(3, -1))
    assert torch.equal(network.item_embedding.weight[8], network.item_embedding.weight[9])


def test_dropped_ids_train_the_unknown_row_only() -> None:
    network = _network(id_dropout=1.0)
    network(_batch([0, 1], [0, 1])).sum().backward()
    moved = network.user_embedding.weight.grad.abs().sum(dim=1) > 0
    assert moved.tolist() == [False] * 5 + [True]
    assert network.seen_users.tolist() == moved.tolist()


def test_evaluation_drops_no_ids() -> None:
    network, batch = _network(id_dropout=0.9).eval(), _batch([0, 1], [0, 1])
    assert torch.equal(network(batch), network(batch))


def test_output_bias_is_where_scores_begin() -> None:
    scores = _network(output_bias=3.5)(_batch([0, 1], [0, 1])).detach()
    assert float((scores - 3.5).abs().max()) < 1.0


def test_losses_are_weighted_sums() -> None:
    scores, label = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    weight = torch.tensor([2.0, 0.0])
    assert float(LOSSES["mse"](scores, label, weight)) == 2.0
    # 2 × ln(1 + e)
    assert float(LOSSES["bce"](scores, label, weight)) == pytest.approx(2.6265, abs=1e-4)


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
