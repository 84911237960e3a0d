"""Settings: which layer wins, and errors that name the key, the file and what was expected."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

import tastemill
from tastemill.config import layers
from tastemill.config.lines import line_of
from tastemill.config.load import Config, Request, as_values, known_datasets, load_config
from tastemill.config.sections import RunConfig
from tastemill.errors import UsageError

CONF = Path(tastemill.__file__).parent / "conf"
WriteConf = Callable[..., str]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(layers.ENV_PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture
def write_conf(tmp_path: Path) -> WriteConf:
    """Write files of a conf folder; every other is left out."""

    def write(**files: str) -> str:
        for name, text in {"env/local": "", **files}.items():
            file = tmp_path / "conf" / f"{name}.toml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return str(tmp_path / "conf")

    return write


def refused(request: Request) -> str:
    with pytest.raises(UsageError) as caught:
        load_config(request)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_later_layers_win(
    write_conf: WriteConf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each layer sets its own key and that of every layer after it."""
    names = ["rank", "max_iter", "seed", "num_blocks", "alpha", "reg", "checkpoint_interval"]

    def als(level: int) -> str:
        return "[als]\n" + "".join(f"{name} = {level + 10}\n" for name in names[level:])

    params = tmp_path / "params.toml"
    params.write_text(als(3))
    conf = write_conf(
        **{"base": als(0), "jobs/train_als": als(1), "datasets/toy": als(2), "env/local": als(4)}
    )
    monkeypatch.setenv("TASTEMILL__ALS__REG", "15")
    monkeypatch.setenv("TASTEMILL__ALS__CHECKPOINT_INTERVAL", "15")
    settings = ("als.checkpoint_interval=16",)
    request = Request("toy", conf=conf, params=str(params), settings=settings)
    cfg = load_config(request)
    assert [getattr(cfg.als, name) for name in names] == [10, 11, 12, 13, 14, 15, 16]
    assert cfg.als.models == Config().als.models
    assert cfg.dataset.name == "toy"


def test_a_benchmark_lies_over_the_dataset(write_conf: WriteConf) -> None:
    conf = write_conf(
        **{"datasets/toy": "[split]\ntest_fraction = 0.3", "benchmarks/P0": "[als]\nrank = 3"}
    )
    cfg = load_config(Request("toy", conf=conf, benchmark="P0"))
    assert (cfg.split.test_fraction, cfg.als.rank) == (0.3, 3)
    assert "P9.toml" in refused(Request("toy", conf=conf, benchmark="P9"))


def test_tables_are_merged_and_values_replaced(write_conf: WriteConf) -> None:
    conf = write_conf(
        **{
            "base": '[dataset.event_weights]\nview = 1\ncart = 2\n[als]\nmodels = ["a", "b"]',
            "datasets/toy": '[dataset.event_weights]\ncart = 5\n[als]\nmodels = ["c"]',
        }
    )
    cfg = load_config(Request("toy", conf=conf))
    assert cfg.dataset.event_weights == {"view": 1.0, "cart": 5.0}
    assert cfg.als.models == ("c",)


def test_unknown_keys_name_key_and_file(write_conf: WriteConf) -> None:
    conf = write_conf(base="[als]\nrnak = 3")
    message = refused(Request(conf=conf))
    assert "unknown key als.rnak in " in message
    assert f"{Path('conf', 'base.toml')}, line 2" in message
    assert "did you mean rank?" in message
    message = refused(Request(settings=("colour=1",)))
    assert "unknown key colour in --set" in message
    assert "profiles" in message


def test_unknown_keys_of_a_list_are_told_beside_what_there_is(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text('[source]\nusers = [{ file = "a.csv", user_id = "u", year_of_birth = "y" }]\n')
    message = refused(Request(str(file)))
    assert "year_of_birth" in message
    assert "shop.toml, line 2" in message
    assert "age, attributes" in message
    file.write_text('[[source.events]]\nfile = "a"\nuser_id = { colum = "u" }\ntype = "view"\n')
    assert "did you mean column?" in refused(Request(str(file)))


def test_unknown_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASTEMILL__ALS__RNAK", "3")
    assert "unknown key als.rnak in environment" in refused(Request())


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ("als.rank=0", ["als.rank in --set", "greater than or equal to 1", "found: 0"]),
        ("als.rank=many", ["als.rank in --set", "valid integer", "'many'"]),
        ("als.rank=2.5", ["als.rank in --set"]),
        ("split.test_fraction=1", ["split.test_fraction", "less than 1"]),
        ("dataset.task=guess", ["dataset.task", "'rating' or 'implicit'"]),
        ("als=3", ["als in --set", "found: 3"]),
        ("run.cut=yesterday", ["run.cut", "valid datetime"]),
        ("als.models=[1]", ["als.models.0 in --set", "valid string"]),
        ("dataset.event_weights.view=x", ["dataset.event_weights.view in --set"]),
    ],
)
def test_values_out_of_range(setting: str, parts: list[str]) -> None:
    message = refused(Request(settings=(setting,)))
    assert all(part in message for part in parts), message


def test_the_file_of_a_bad_value_is_named(write_conf: WriteConf) -> None:
    conf = write_conf(**{"datasets/toy": "[als]\nrank = 0", "base": "[als]\nrank = 4"})
    assert str(Path("datasets", "toy.toml")) in refused(Request("toy", conf=conf))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=16", {"a": {"b": 16}}),
        ("a.b = 0.5 ", {"a": {"b": 0.5}}),
        ("a=true", {"a": True}),
        ("a=[1, 2]", {"a": [1, 2]}),
        ("a='16'", {"a": "16"}),
        ("a=/data/käse und brot", {"a": "/data/käse und brot"}),
        ("a=x=y", {"a": "x=y"}),
        ("a=", {"a": ""}),
        ("a={b = 1}", {"a": {"b": 1}}),
    ],
)
def test_set_reads_values_as_toml_or_as_text(text: str, values: layers.Values) -> None:
    assert layers.settings_layer([text]).values == values


def test_set_puts_keys_together() -> None:
    layer = layers.settings_layer(["a.b=1", "a.c=2", "a.b=3"])
    assert layer.values == {"a": {"b": 3, "c": 2}}


@pytest.mark.parametrize("settings", [["a"], ["=1"], [" = 1"], ["a=1", "a.b=2"]])
def test_set_refuses_what_it_cannot_read(settings: list[str]) -> None:
    with pytest.raises(UsageError):
        layers.settings_layer(settings)


def test_environment_variables() -> None:
    environ = {"TASTEMILL__ALS__MAX_ITER": "3", "TASTEMILL_DATA": "/x", "ALS__RANK": "1"}
    assert layers.environment_layer(environ).values == {"als": {"max_iter": 3}}


def test_unknown_names(write_conf: WriteConf, tmp_path: Path) -> None:
    conf = write_conf(**{"datasets/toy": "", "datasets/other": ""})
    assert known_datasets(conf) == ["other", "toy"]
    message = refused(Request("nothing", conf=conf))
    assert "unknown dataset nothing" in message
    assert "other, toy" in message
    assert "mars.toml" in refused(Request("toy", env="mars", conf=conf))
    assert "no such configuration file" in refused(Request("my/own.toml"))
    assert "names no folder" in refused(Request(conf=str(tmp_path / "nowhere")))
    nothing = refused(Request("toy", params=str(tmp_path / "p.toml"), conf=conf))
    assert "p.toml" in nothing


def test_a_dataset_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[source]\ntitle = "mine"\n')
    assert load_config(Request(str(file))).dataset.name == "mine"
    file.write_text('[dataset]\nname = "other"\n')
    assert load_config(Request(str(file))).dataset.name == "other"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"[als\n", "line 1: [als"),
        (b"[als]\nrank = \n", "line 2: rank ="),
        (b"[als]\nrank = 3\nrank = 4\n", "line 3: rank = 4"),
        (b"[als]\nmodels = [1,\n2", "line 3: 2"),
        (b"[als]\n# \xff\xfe\n", "line 2: byte 0xff"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, content: bytes, found: str) -> None:
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    message = refused(Request(str(file)))
    assert "broken.toml is no valid TOML" in message
    assert f"found: {found}" in message
    assert f"correct {found.split(':', maxsplit=1)[0]}" in message


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("[als]\nrank = 3", "als.rank", 2),
        ("# als.rank = 1\nals.rank = 3", "als.rank", 2),
        ("\n\n[als]\n\n# why\nmodels = [\n  1,\n]\nrank = 3", "als.models", 6),
        ("[als]\nmodels = [\n  1,\n]\nrank = 3", "als.rank", 5),
        ('note = """\nrank = 1\n"""\nrank = 3', "rank", 4),
        ('[session.conf]\n"spark.ui.enabled" = 1', "session.conf.spark.ui.enabled", 2),
        ("als = { rank = 3 }", "als.rank", 1),
        ("[als]\nrank = 3", "als.reg", None),
        ("", "als", None),
    ],
)
def test_the_line_of_a_key(text: str, key: str, line: int | None) -> None:
    assert line_of(text, key) == line


def test_a_bad_value_names_the_line_that_won(write_conf: WriteConf) -> None:
    conf = write_conf(**{"datasets/toy": "# toy\n[als]\nrank = 0", "base": "[als]\nrank = 4"})
    assert f"{Path('datasets', 'toy.toml')}, line 3 is not usable" in refused(
        Request("toy", conf=conf)
    )


def test_a_folder_may_hold_the_environment_alone(write_conf: WriteConf) -> None:
    assert load_config(Request(conf=write_conf())) == Config()


def test_times_are_utc() -> None:
    midnight = datetime(2020, 1, 1, tzinfo=UTC)
    for text in ("2020-01-01", "2020-01-01T00:00:00", "2020-01-01T01:00:00+01:00"):
        assert load_config(Request(settings=(f"run.cut={text}",))).run.cut == midnight


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RunConfig().data = "elsewhere"


def test_plain_values_load_again() -> None:
    cfg = load_config(Request("movielens-1m", settings=("run.cut=2001-01-01",)))
    assert Config.model_validate(as_values(cfg)) == cfg


def test_every_shipped_file_loads() -> None:
    datasets = known_datasets()
    assert {"completejourney", "movielens-100k", "movielens-1m"} <= set(datasets)
    for name in datasets:
        cfg = load_config(Request(name))
        assert cfg.dataset.name == name
        assert cfg.source.events
        assert cfg.source.title
        assert cfg.source.licence
    others: dict[str, list[str]] = {
        folder: [f.stem for f in (CONF / folder).glob("*.toml")] for folder in ("env", "benchmarks")
    }
    assert "local" in others["env"]
    for env in others["env"]:
        load_config(Request(env=env))
    assert "P1" in others["benchmarks"]
    for benchmark in others["benchmarks"]:
        load_config(Request("movielens-1m", benchmark=benchmark))
    known = {"datasets", "env", "benchmarks", "jobs"}
    assert {f.parent.name for f in CONF.rglob("*.toml")} <= {*known, "conf"}
