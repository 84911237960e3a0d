"""Settings of several networks."""

import pytest

from tastemill.config.load import Request, config_of, load_config
from tastemill.errors import UsageError
from tastemill.passes import published

SEVERAL = ("deep.model=sasrec", "deep.more=['neumf','sasrec']")


def test_each_network_has_settings_of_its_own() -> None:
    own = ("deep.epochs=7", "deep.by_model.neumf.epochs=3", "deep.by_model.neumf.objective=bpr")
    deep = load_config(Request("movielens-1m", settings=(*SEVERAL, *own))).deep
    assert deep.networks == ("sasrec", "neumf")
    assert (deep.of("sasrec").epochs, deep.of("neumf").epochs) == (7, 3)
    assert deep.of("neumf").objective_of("implicit") == "bpr"
    assert deep.of("neumf").networks == ("neumf",)
    assert deep.of("gmf").epochs == 7


def test_gmf_has_no_layers() -> None:
    deep = load_config(Request("movielens-1m")).deep
    assert deep.of("gmf").network()["hidden"] == []
    assert deep.of("mlp").network()["hidden"] == list(deep.hidden)


def test_neumf_with_pretrained_parts_is_trained_after_them() -> None:
    own = ("deep.by_model.neumf.pretrained=true", "recommend.model=neumf")
    cfg = load_config(Request("movielens-1m", settings=(*SEVERAL, *own)))
    assert cfg.deep.networks == ("gmf", "mlp", "sasrec", "neumf")
    assert published(cfg) == ("neumf", "gmf", "mlp")


@pytest.mark.parametrize(
    ("settings", "model"),
    [
        ((), "als"),
        (("deep.epochs=7",), "als"),
        (("deep.model=gmf",), "gmf"),
        (("deep.model=gmf", "recommend.model=als"), "als"),
        (("deep.model=gmf", "deep.enabled=false"), "als"),
    ],
)
def test_a_network_that_is_named_is_published(settings: tuple[str, ...], model: str) -> None:
    cfg = load_config(Request("movielens-1m", settings=settings))
    assert cfg.recommend.model == model
    assert config_of(cfg.model_dump(), "recorded").recommend.model == model


def test_what_one_draws_is_not_what_another_draws() -> None:
    own = ("deep.negatives=8", "deep.by_model.hstu.sampled_items=512")
    cfg = load_config(Request("movielens-1m", settings=own))
    kinds = ("neumf", "sasrec", "hstu", "two_tower", "dcn")
    assert [cfg.deep.of(kind).drawn for kind in kinds] == [8, 0, 512, 0, 0]
    assert cfg.deep.of("sasrec").objective_of("implicit") == "softmax"
    assert cfg.deep.of("hstu").objective_of("implicit") == "sampled_softmax"


def test_networks_over_features_are_trained_as_all_are() -> None:
    own = ("deep.epochs=7", "deep.by_model.dcn.epochs=3", "ranker.models=['linear','dcn']")
    cfg = load_config(Request("movielens-1m", settings=own))
    assert [cfg.deep.of(kind).epochs for kind in ("dcn", "dlrm")] == [3, 7]
    assert cfg.deep.of("dcn").objective_of("implicit") == "bce"
    assert cfg.deep.of("dcn").objective_of("rating") == "mse"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("deep.by_model.neumf.epochs=0", "deep.by_model.neumf.epochs"),
        ("deep.by_model.neumf.epoch=1", "deep.by_model.neumf.epoch"),
        ("deep.by_model.sasrec.objective=bpr", "deep.by_model.sasrec"),
        ("deep.by_model.nothing.epochs=1", "by_model"),
        ("deep.more=['nothing']", "deep.more"),
    ],
)
def test_what_is_wrong_with_one_is_named(wrong: str, named: str) -> None:
    with pytest.raises(UsageError) as raised:
        load_config(Request("movielens-1m", settings=(*SEVERAL, wrong)))
    print(raised.value)
    assert named in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (("deep.init_from=als", "deep.validate_epochs=true"), "have seen the part"),
        (("deep.model=deep_mf", "deep.init_from=als"), "no embeddings of ids"),
        (("deep.model=gmf", "deep.inputs_from=als"), "gmf takes no profile vectors"),
        (("deep.inputs_from=als", "deep.validate_epochs=true"), "have seen the part"),
        (("deep.model=deep_mf", "deep.objective=mse"), "learns by sampled_bce or bpr"),
        (("deep.model=sasrec", "deep.sparse=true"), "no tables that can be sparse"),
        (("deep.sparse=true", "deep.weight_decay=0.1"), "without weight_decay"),
        (("deep.patience=2",), "set validate_epochs too"),
        (("deep.objective=bce",), "deep.objective: bce learns from labels of 0 and 1"),
        (("deep.by_model.dcn.objective=bce",), "deep.by_model.dcn.objective: bce learns"),
        (("deep.model=hstu", "deep.num_heads=3"), "embedding_dim, 32, is no multiple"),
        (("deep.epochs=5", "deep.schedule_epochs=4"), "ends before epochs does"),
        (("deep.model=two_tower", "deep.accumulate=2"), "against fewer others"),
        (("deep.model=dcn",), "name it under ranker.models"),
        (("deep.model=neumf", "deep.pretrained=true", "deep.init_from=als"), "not with both"),
    ],
)
def test_what_does_not_go_together(settings: tuple[str, ...], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        load_config(Request("movielens-1m", settings=settings))
