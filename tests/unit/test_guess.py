"""The draft of a mapping: what is read off foreign files, and what is marked as a guess."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tastemill.cli import app
from tastemill.config.load import Config, Request, load_config
from tastemill.errors import DataError
from tastemill.sources.guess.draft import draft_of
from tastemill.sources.guess.roles import roles_of
from tastemill.sources.guess.sample import encoding_of, look_at
from tastemill.sources.guess.values import time_format


def drafted(folder: Path, tmp_path: Path) -> tuple[str, Config]:
    text = draft_of(folder)
    return text, load_config(Request(_with(tmp_path, text)))


def _with(tmp_path: Path, text: str) -> str:
    file = tmp_path / "draft.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("times", "asks"),
    [
        (["2024-01-05 10:00", "2024-01-06 11:30"], True),
        (["05.01.2024 10:00", "06.01.2024 11:30"], True),
        (["2024-01-05", "2024-01-06"], True),
        (["2024-01-05T10:00:00Z", "2024-01-06T11:30:00+02:00"], False),
        (["1704448800", "1704540600"], False),
    ],
)
def test_a_zone_is_asked_for_where_no_time_names_one(
    tmp_path: Path, times: list[str], asks: bool
) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    lines = [f"{times[n % 2]},u{n % 7},i{n}" for n in range(50)]
    (folder / "views.csv").write_text("\n".join(["time,user_id,item_id", *lines]))
    assert ("zone = " in draft_of(folder)) == asks


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


@pytest.mark.parametrize("nameless", [2, 30])
def test_items_told_with_every_event(tmp_path: Path, nameless: int) -> None:
    """The newest line is right; where few have no title, these aren't."""
    folder = tmp_path / "till"
    folder.mkdir()
    lines = [
        f"2024-01-{n % 28 + 1:02d} 10:00,c{n % 7},s{n % 20},{n % 3 + 1},"
        f"{'' if n < nameless else f'A tea of kind {n % 20}'},{n % 20}.5"
        for n in range(100)
    ]
    head = "InvoiceDate,CustomerID,StockCode,Quantity,Description,UnitPrice"
    (folder / "till.csv").write_text("\n".join([head, *lines]))
    text, cfg = drafted(folder, tmp_path)
    (items,) = cfg.source.items
    assert (items.title.column, items.price.column) == ("Description", "UnitPrice")
    assert items.updated_at.column == "InvoiceDate"
    assert 'zone = "UTC"  # ?' in text
    abroad = load_config(Request(_with(tmp_path, text.replace('"UTC"', '"Asia/Tokyo"'))))
    (events,), (items,) = abroad.source.events, abroad.source.items
    assert (events.time.zone, items.updated_at.zone) == ("Asia/Tokyo", "Asia/Tokyo")
    assert [rule.reason for rule in items.reject] == (["title_missing"] if nameless < 10 else [])
    assert ("newest that has a title" in text) == (nameless < 10)


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


def test_authors_are_no_categories_and_no_column_is_passed_over(tmp_path: Path) -> None:
    """Names behind a comma are many; a date that tells of a user is an attribute."""
    folder = tmp_path / "biblioteca"
    folder.mkdir()
    loans = [f"s{n % 11};e{n * 3 % 40};{n % 28 + 1:02d}/05/2024 10:00" for n in range(200)]
    (folder / "prestamos.csv").write_text("\n".join(["socio;ejemplar;fecha", *loans]))
    topics = ("novela/historia", "novela/viajes", "poesía/historia")
    books = [f"e{n};El libro grande {n};Autor{n}, Juan {n};{topics[n % 3]}" for n in range(40)]
    (folder / "libros.csv").write_text("\n".join(["ejemplar;titulo;autor;materias", *books]))
    long = "una persona que lee mucho y habla con mucha gente en el barrio alto"
    people = [f"s{n};{n + 1:02d}/02/1980;{long}" for n in range(11)]
    (folder / "socios.csv").write_text("\n".join(["socio;nacimiento;nota", *people]))
    draft, cfg = drafted(folder, tmp_path)
    (items,), (users,) = cfg.source.items, cfg.source.users
    assert (items.categories.column, items.categories.split) == ("materias", "/")
    assert (items.title.column, list(items.attributes)) == ("titulo", ["autor"])
    assert list(users.attributes) == ["nacimiento"]
    assert "# Not read: nota" in draft


def test_one_log_alone_in_a_language_that_it_does_not_know(tmp_path: Path) -> None:
    rows = [f"{n % 11},x{n * 3 % 17},2024-05-{n % 28 + 1:02d}" for n in range(200)]
    (tmp_path / "q.csv").write_text("\n".join(["kto,co,kiedy", *rows]))
    draft = draft_of(tmp_path)
    assert 'user_id = "kto"  # ?' in draft
    assert 'item_id = "co"  # ?' in draft
    assert 'time = "kiedy"' in draft


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


def test_half_stars_with_a_decimal_comma(tmp_path: Path) -> None:
    folder = tmp_path / "lesen"
    folder.mkdir()
    stars = ("3,5", "4", "5", "0,5")
    rows = [f"{n % 40};b{n * 7 % 31};{stars[n % 4]};2024-05-{n % 28 + 1:02d}" for n in range(300)]
    (folder / "noten.csv").write_text("\n".join(["user;book;rating;date", *rows]))
    _, cfg = drafted(folder, tmp_path)
    (events,) = cfg.source.events
    assert (events.value.column, events.value.decimal, events.value.range) == (
        *("rating", ","),
        (0.5, 5),
    )
    assert cfg.dataset.task == "rating"


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
        (["12/1/2010 8:26", "12/13/2010 10:26"], "M/d/yyyy H:mm"),
        (["1.2.2010", "25.12.2010"], "d.M.yyyy"),
        (["1", "2", "3"], None),
        ([], None),
    ],
)
def test_formats_of_times(values: list[str], expected: str | None) -> None:
    assert time_format(values) == expected


LOG = "user_id,item_id,time\n" + "".join(f"u{n % 7},i{n % 5},{n}\n" for n in range(20))


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def test_many_files_of_a_form_are_one_entry_and_no_file_goes_unnamed(tmp_path: Path) -> None:
    many = {f"orders-{n:03d}": LOG for n in range(60)}
    _, cfg = drafted(write(tmp_path / "many", **many), tmp_path)
    assert [part.file for part in cfg.source.events] == [("orders-*.csv",)]
    others = {f"{chr(97 + n % 26)}{chr(97 + n // 26)}": LOG for n in range(60)}
    draft, cfg = drafted(write(tmp_path / "others", **others), tmp_path)
    assert len(cfg.source.events) == 50
    assert draft.count("beyond the first 50") == 10


def test_the_fullest_of_several_files_speaks_for_all(tmp_path: Path) -> None:
    head = LOG.splitlines()[0]
    _, cfg = drafted(write(tmp_path / "o", orders_1=f"{head}\n", orders_2=LOG), tmp_path)
    assert [part.file for part in cfg.source.events] == [("orders_*.csv",)]


def test_files_of_other_columns_stay_apart(tmp_path: Path) -> None:
    other = LOG.replace("item_id", "movie_id")
    _, cfg = drafted(write(tmp_path / "o", log_1=LOG, log_2=other, log_3=LOG), tmp_path)
    assert {part.item_id.column for part in cfg.source.events} == {"item_id", "movie_id"}
    assert len(cfg.source.events) == 3


def test_names_with_the_signs_of_globs(tmp_path: Path) -> None:
    folder = write(tmp_path / "g")
    for name in ("log*1.csv", "log*2.csv", "log[3].csv"):
        (folder / name).write_text(LOG)
    _, cfg = drafted(folder, tmp_path)
    assert len(cfg.source.events) == 3


def test_ids_that_overlap_go_by_what_they_use_up(tmp_path: Path) -> None:
    days = [f"2024-01-{n % 28 + 1:02d} 10:00" for n in range(800)]
    log = "".join(f"{d},{n * 7 % 200 + 1},{n * 3 % 50 + 1}\n" for n, d in enumerate(days))
    goods = "".join(f"{n},O mar de Ana {n}\n" for n in range(1, 201))
    people = "".join(f"{n},Porto\n" for n in range(1, 51))
    files = {"vistas": f"quando,produto,quem\n{log}", "produtos": f"id,nome\n{goods}"}
    folder = write(tmp_path / "p", **files, pessoas=f"id,cidade\n{people}")
    _, cfg = drafted(folder, tmp_path)
    (events,), (items,), (users,) = cfg.source.events, cfg.source.items, cfg.source.users
    assert (events.user_id.column, events.item_id.column) == ("quem", "produto")
    assert (items.file, users.file) == (("produtos.csv",), ("pessoas.csv",))


def test_one_log_without_times_leaves_the_others_theirs(tmp_path: Path) -> None:
    views = "user_id,item_id,time\n" + "".join(
        f"u{n % 7},i{n % 5},2024-01-{n % 28 + 1:02d}\n" for n in range(60)
    )
    likes = "user_id,item_id\n" + "".join(f"u{n % 7},i{n % 5}\n" for n in range(20))
    _, cfg = drafted(write(tmp_path / "v", views=views, likes=likes), tmp_path)
    assert cfg.dataset.allow_missing_time
    assert cfg.split.by == "time"


def test_a_letter_at_the_end_of_a_file_is_whole(tmp_path: Path) -> None:
    files = {"utf": "ends in é,5".encode(), "latin": "ends in é,5".encode("latin-1")}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert encoding_of(tmp_path / "utf") == "utf-8"
    assert encoding_of(tmp_path / "latin") == "windows-1252"


def test_signs_that_control_something_stay_out_of_comments(tmp_path: Path) -> None:
    folder = write(tmp_path / "c", log=LOG.replace("time", "a\x7fb"), other="x\x00y,z\n1,2\n")
    draft, _ = drafted(folder, tmp_path)
    assert "a b" in draft


def test_the_numbers_that_pandas_writes_before_rows(tmp_path: Path) -> None:
    head, *lines = LOG.splitlines()
    rows = [f"{n},{line}" for n, line in enumerate(lines)]
    _, cfg = drafted(write(tmp_path / "p", log="\n".join([f",{head}", *rows])), tmp_path)
    (events,) = cfg.source.events
    assert (events.header, events.user_id.column) == (True, "user_id")


def test_truth_is_said_as_spark_says_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "j")
    rows = [{"user": f"u{n % 7}", "item": f"i{n % 5}", "event": n % 2 == 0} for n in range(40)]
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    _, cfg = drafted(folder, tmp_path)
    assert set(cfg.source.events[0].type.map) == {"true", "false"}


def test_a_line_longer_than_python_reads_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path / "l", log=LOG, long=f"a,b\n{'x' * 200_000},1\n")
    draft, _ = drafted(folder, tmp_path)
    assert "#   long.csv:" in draft


def test_parts_of_a_table_are_the_table(tmp_path: Path) -> None:
    folder = write(tmp_path / "t")
    for day in (1, 2):
        part = folder / "log" / f"day={day}"
        part.mkdir(parents=True)
        rows = {"user_id": ["a", "b"] * 9, "item_id": ["x", "y", "z"] * 6}
        pq.write_table(pa.table(rows), part / "part-0.parquet")
    (folder / "log" / "_delta_log").mkdir()
    _, cfg = drafted(folder, tmp_path)
    assert [part.file for part in cfg.source.events] == [("log",)]


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
