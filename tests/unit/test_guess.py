"""The draft of a mapping: what is read off foreign files, and what is marked as a guess."""

import gzip
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tastemill.cli import app
from tastemill.config.load import Config, Request, load_config
from tastemill.errors import DataError
from tastemill.sources.guess.draft import draft_of
from tastemill.sources.guess.roles import roles_of, time_format
from tastemill.sources.guess.sample import look_at


def drafted(folder: Path, tmp_path: Path) -> tuple[str, Config]:
    text = draft_of(folder)
    file = tmp_path / "draft.toml"
    file.write_text(text, encoding="utf-8")
    return text, load_config(Request(str(file)))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    lines = ["when;customer_no;sku;action;qty"]
    lines += [f"2024-01-{n % 28 + 1:02d} 10:00;c{n % 7};s{n};purchase;1" for n in range(60)]
    lines += [f"2024-02-{n % 28 + 1:02d} 10:00;c{n % 7};s{n};pv;1" for n in range(60)]
    (folder / "log.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    names = ["sku\tname\tgenres\tprice", *[f"s{n}\tTee & Brötchen\ta|b\t{n}.5" for n in range(60)]]
    (folder / "goods.tsv").write_bytes("\n".join(names).encode("cp1252"))
    people = ["customer_no,age,sex,town", *[f"c{n},{20 + n},f,Ulm" for n in range(7)]]
    (folder / "people.csv").write_text("\n".join(people))
    (folder / "notes.txt").write_text("call the\nprovider\n")
    return folder


def test_a_folder_nobody_has_described(shop: Path, tmp_path: Path) -> None:
    text, cfg = drafted(shop, tmp_path)
    (events,), (items,), (users,) = cfg.source.events, cfg.source.items, cfg.source.users
    columns = (events.user_id.column, events.item_id.column, events.time.column)
    assert columns == ("customer_no", "sku", "when")
    assert events.separator == ";"
    assert events.type.map == {"purchase": "purchase", "pv": "view"}
    assert (items.title.column, items.price.column) == ("name", "price")
    assert (items.categories.column, items.categories.split) == ("genres", "|")
    assert items.encoding == "windows-1252"
    assert 'encoding = "windows-1252"  # ?' in text
    assert (users.age.column, users.gender.column) == ("age", "sex")
    assert list(users.attributes) == ["town"]
    assert "notes.txt" in text.split("Left out")[1]


def test_names_in_a_language_that_it_does_not_know(tmp_path: Path) -> None:
    folder = tmp_path / "verleih"
    folder.mkdir()
    acts = ["Ausleihe", "Verlängerung"]
    for year in (2023, 2024):
        days = [f"{n % 28 + 1:02d}.{n % 12 + 1:02d}.{year} 09:30" for n in range(120)]
        loans = [
            f"{year}{n:06d};{day};L{n % 13};M{n * 7 % 29};{acts[n % 2]};{n % 40}"
            for n, day in enumerate(days)
        ]
        head = "Vorgang;Ausgeliehen am;Ausweis;Signatur;Art;Tage"
        (folder / f"ausleihen_{year}.csv").write_text("\n".join([head, *loans]), "cp1252")
    media = [f"M{n};Käse und Brot {n};Krimi / Roman;{n},50 €" for n in range(29)]
    text = "\n".join(["Signatur;Titel;Sachgruppen;Preis", *media])
    (folder / "medien.csv").write_text(text, "cp1252")
    readers = [f"L{n};{1950 + n};{'Süd' if n % 2 else 'Nord'}" for n in range(13)]
    (folder / "leser.csv").write_text("\n".join(["Ausweis;Jahrgang;Ort", *readers]), "cp1252")
    draft, cfg = drafted(folder, tmp_path)
    (events,), (items,), (users,) = cfg.source.events, cfg.source.items, cfg.source.users
    assert events.file == ("ausleihen_*.csv",)
    columns = (events.user_id.column, events.item_id.column, events.time.column)
    assert columns == ("Ausweis", "Signatur", "Ausgeliehen am")
    assert events.time.format == ("dd.MM.yyyy HH:mm",)
    assert events.type.map == {"Ausleihe": "view", "Verlängerung": "view"}
    assert (items.item_id.column, items.title.column) == ("Signatur", "Titel")
    assert (items.categories.column, items.categories.split) == ("Sachgruppen", " / ")
    assert (users.user_id.column, list(users.attributes)) == ("Ausweis", ["Jahrgang", "Ort"])
    assert (items.price.column, items.price.decimal) == ("Preis", ",")
    assert "# Not read: Vorgang, Tage" in draft
    # What all files have in common is said once.
    assert draft.count("separator = ") == draft.count("encoding = ") == 1
    assert {part.encoding for part in cfg.source.parts} == {"windows-1252"}
    guesses = [line for line in draft.splitlines() if line.endswith("# ?")]
    assert {line.split(" =")[0] for line in guesses} == {
        *("encoding", "type", "user_id", "item_id", "title", "categories", "price"),
    }
    content = [line for line in draft.splitlines() if line and not line.startswith("#")]
    assert len(content) <= 20


def test_one_log_alone_in_a_language_that_it_does_not_know(tmp_path: Path) -> None:
    rows = [f"{n % 11},x{n * 3 % 17},2024-05-{n % 28 + 1:02d}" for n in range(200)]
    (tmp_path / "q.csv").write_text("\n".join(["kto,co,kiedy", *rows]))
    draft = draft_of(tmp_path)
    assert 'user_id = "kto"  # ?' in draft
    assert 'item_id = "co"  # ?' in draft
    assert 'column = "kiedy"' in draft


@pytest.mark.parametrize(
    ("numbers", "task", "kind"),
    [((3, 4, 4, 5, 1), "rating", "rating"), ((1, 1, 1, 2, 3), "implicit", "purchase")],
)
def test_small_numbers_are_stars_or_amounts(
    tmp_path: Path, numbers: tuple[int, ...], task: str, kind: str
) -> None:
    folder = tmp_path / "club"
    folder.mkdir()
    rows = [f"S{n % 40},{n * 7 % 31},{numbers[n % 5]},{1_685_395_440 + n}" for n in range(300)]
    (folder / "datos.csv").write_text("\n".join(["socio,codigo,valor,momento", *rows]))
    _, cfg = drafted(folder, tmp_path)
    (events,) = cfg.source.events
    assert (events.user_id.column, events.item_id.column) == ("socio", "codigo")
    assert (events.value.column, events.type.constant, cfg.dataset.task) == ("valor", kind, task)


def test_unicode_text_of_a_spreadsheet(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    rows = [f"c{n % 9}\ts{n % 7}\t2024-03-{n % 28 + 1:02d}\n" for n in range(60)]
    text = "".join(["customer\tsku\tdate\n", *rows])
    (folder / "orders.txt").write_text(text, encoding="utf-16")
    draft, cfg = drafted(folder, tmp_path)
    (events,) = cfg.source.events
    assert (events.encoding, events.separator) == ("utf-16", "\t")
    assert (events.user_id.column, events.item_id.column) == ("customer", "sku")
    assert 'encoding = "utf-16"\n' in draft


def test_ratings_without_a_header(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    rows = [f"{n % 9}::{n}::{n % 5 + 1}::{978300000 + n}" for n in range(50)]
    (folder / "ratings.dat").write_text("\n".join(rows))
    text, cfg = drafted(folder, tmp_path)
    (events,) = cfg.source.events
    assert (events.separator, events.header, events.quote) == ("::", False, "")
    assert events.value.range == (1, 5)
    assert events.time.format == ("unix_seconds",)
    assert (cfg.dataset.task, cfg.dataset.positive_min) == ("rating", 3)
    assert text.count("# ?") >= 4


def test_files_without_times_are_split_at_random(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / "plays.csv").write_text("userID,artistID,weight\n1,2,30\n1,3,4\n2,3,9\n")
    (folder / "friends.csv").write_text("userID,friendID\n1,2\n")
    _, cfg = drafted(folder, tmp_path)
    assert (cfg.split.by, cfg.dataset.allow_missing_time) == ("k_fold", True)
    assert cfg.run.as_of is not None
    assert cfg.source.events[0].type.constant == "listen"
    (relation,) = cfg.source.relations
    assert (relation.user_id.column, relation.other_id.column) == ("userID", "friendID")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["978300760", "978302109"], "unix_seconds"),
        (["1433221332117", "1433224214164"], "unix_millis"),
        (["2010-12-01 08:26:00"], "iso"),
        (["12/01/2010 08:26", "25/01/2010 08:26"], "dd/MM/yyyy HH:mm"),
        (["01/25/2010 08:26"], "MM/dd/yyyy HH:mm"),
        (["20240131", "20231224"], "yyyyMMdd"),
        (["1", "2", "3"], None),
        ([], None),
    ],
)
def test_formats_of_times(values: list[str], expected: str | None) -> None:
    assert time_format(values) == expected


def test_no_log_is_an_error_that_says_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "things.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no file looks like a log of events") as caught:
        draft_of(tmp_path)
    assert "found: things.csv: columns a, b" in str(caught.value)
    with pytest.raises(DataError, match="is no folder"):
        draft_of(tmp_path / "nowhere")


def test_the_command_writes_a_file_and_lists_guesses(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["datasets", "init", str(shop)])
    assert result.exit_code == 0, result.output
    assert "datasets check shop.toml" in result.output
    assert (tmp_path / "shop.toml").is_file()
    again = CliRunner().invoke(app, ["datasets", "init", str(shop)])
    assert again.exit_code != 0
    assert "is there already" in str(again.exception)


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "file", "roles"),
    [
        (
            "online_retail",
            "online_retail.csv.gz",
            {"user_id": "CustomerID", "item_id": "StockCode", "time": "InvoiceDate"},
        ),
        (
            "retailrocket_timed_sample",
            "events_sample.parquet",
            {"user_id": "visitorid", "item_id": "itemid", "type": "event"},
        ),
        ("hetrec2011-lastfm-2k", "user_friends.dat", {"user_id": "userID", "other_id": "friendID"}),
        ("ml-latest-small", "movies.csv", {"item_id": "movieId", "title": "title"}),
    ],
)
def test_columns_of_real_files(
    data_root: Path, folder: str, file: str, roles: dict[str, str]
) -> None:
    found = roles_of(look_at(data_root / folder, data_root / folder / file)).columns
    assert {role: found.get(role) for role in roles} == roles
