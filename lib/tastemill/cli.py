"""The command line: `tastemill COMMAND …`."""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tastemill import completion, console, failure
from tastemill.config.layers import place_settings
from tastemill.errors import UsageError, did_you_mean

if TYPE_CHECKING:  # Spark is slow to import, and neither help nor completion needs it
    from tastemill.config.load import Config
    from tastemill.delta import Warehouse

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Behaviour logs in, scored recommendations in Delta out.",
)
datasets_app = typer.Typer()
app.add_typer(datasets_app, name="datasets")

Dataset = Annotated[
    str,
    typer.Option(
        help="Name (see: tastemill datasets) or FILE.toml.", autocompletion=completion.datasets
    ),
]
Data = Annotated[str, typer.Option(help="Folder of raw files.")]
Place = Annotated[str, typer.Option("--warehouse", help="Path, URI or catalog.schema.")]
Env = Annotated[str, typer.Option(help="local, cluster or databricks: conf/env/<name>.toml.")]
Conf = Annotated[str | None, typer.Option(help="Folder of TOML files in place of the package's.")]
Params = Annotated[str | None, typer.Option(help="TOML file laid over the dataset's.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, e.g. als.rank=64.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")]


def config(
    dataset: str, data: str, place: str, env: str, conf: str | None, *more: str, **layers: str
) -> "Config":
    """The configuration of a command."""
    from tastemill.config.load import Request, load_config  # noqa: PLC0415 - slow to import

    given = (*more, *place_settings(data, place))
    return load_config(Request(dataset, env, conf, settings=given, **layers))


def opened(dataset: str, place: str) -> "Warehouse":
    """The warehouse of a command that only looks."""
    from tastemill import job  # noqa: PLC0415 - Spark is slow to import
    from tastemill.session import build_session  # noqa: PLC0415

    cfg = config(dataset, "", place, "local", None)
    return job.open_warehouse(build_session(cfg.session), cfg)


@app.command()
def run(
    dataset: Dataset,
    data: Data = "",
    warehouse: Place = "",
    env: Env = "local",
    conf: Conf = None,
    params: Params = None,
    settings: Set = None,
    first: Annotated[
        str | None,
        typer.Option("--from", help="First stage.", autocompletion=completion.stages),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--to", help="Last stage.", autocompletion=completion.stages),
    ] = None,
    force: Annotated[bool, typer.Option(help="Do every stage again.")] = False,
    repro: Annotated[
        str | None,
        typer.Option(help="Do a run's backtest again, in a scratch folder, and compare."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the whole line; stages whose inputs and settings are unchanged are skipped.

    Example: tastemill run --dataset movielens-1m --data ml-1m --set recommend.model=embedding_mlp
    """
    from tastemill.line.show import run_and_show  # noqa: PLC0415 - Spark is slow to import
    from tastemill.line.stages import Plan  # noqa: PLC0415

    layers = {"params": params} if params else {}
    cfg = config(dataset, data, warehouse, env, conf, *(settings or []), **layers)
    if repro is None:
        run_and_show(cfg, Plan(first, last, force), as_json=as_json)
        return
    if params or settings or first or last or force:
        raise UsageError("--repro takes the run's own settings", fix="leave out the others")
    from tastemill.line.show import repro_and_show  # noqa: PLC0415

    if not repro_and_show(cfg, repro, as_json=as_json):
        raise typer.Exit(1)


@app.command("job", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def job_command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="File in jobs/.", autocompletion=completion.jobs)],
) -> None:
    """Run one job, with --dataset and, where wanted, the options of `run` that aren't of stages.

    Example: tastemill job build_profiles --dataset movielens-1m --set profiles.half_life_days=30
    """
    import importlib  # noqa: PLC0415

    from tastemill.line.stages import BACKTEST, UPKEEP  # noqa: PLC0415

    known = (*BACKTEST, *UPKEEP)
    if name not in known:
        fix = did_you_mean(name, known)
        raise UsageError(f"no job {name}", expected=", ".join(known), fix=fix)
    module = importlib.import_module(f"tastemill.jobs.{name}")
    raise typer.Exit(module.main(context.args))


@datasets_app.callback(invoke_without_command=True)
def datasets(context: typer.Context, as_json: AsJson = False) -> None:
    """The known datasets: what each needs, where to get it, its licence.

    Example: tastemill datasets --json
    """
    if context.invoked_subcommand is not None:
        return
    from tastemill.config.load import Request, known_datasets, load_config  # noqa: PLC0415

    about = {name: load_config(Request(name)).source for name in known_datasets()}
    rows = [
        {
            "dataset": name,
            "what": source.title,
            "needs": "nothing" if source.shipped else "--data DIR",
            "where": source.where,
            "licence": source.licence,
        }
        for name, source in about.items()
    ]
    console.show("Datasets", rows, as_json=as_json)


@datasets_app.command()
def init(
    folder: Path,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; by default FOLDER's name + .toml.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at a folder of files and draft the mapping that reads them.

    Example: tastemill datasets init logs --out shop.toml
    """
    from tastemill.sources.guess.draft import write_draft  # noqa: PLC0415 - pyarrow is slow to load

    written, guesses = write_draft(folder, out or Path(f"{folder.resolve().name}.toml"))
    if as_json:
        console.print_json({"file": str(written), "guesses": guesses})
        return
    console.out.print(f"{written}: {len(guesses)} lines to look at, marked # ?", highlight=False)
    for guess in guesses:
        console.out.print(f"  {guess}", highlight=False, markup=False)
    console.out.print(
        f"next: tastemill datasets check {written} --data {folder}", highlight=False, markup=False
    )


@datasets_app.command()
def check(dataset: str, data: Data = "", settings: Set = None, as_json: AsJson = False) -> None:
    """Read a dataset's files by its mapping and show what they become; nothing is written.

    Example: tastemill datasets check shop.toml --data logs
    """
    from dataclasses import asdict  # noqa: PLC0415

    from tastemill import job  # noqa: PLC0415 - Spark is slow to import
    from tastemill.session import build_session  # noqa: PLC0415
    from tastemill.sources.check import check as checked  # noqa: PLC0415

    cfg = config(dataset, data, "", "local", None, *(settings or []))
    found = checked(build_session(cfg.session), cfg, job.data_folder(cfg))
    if as_json:
        console.print_json(asdict(found))
        return
    for name, rows in found.rows.items():
        console.show(f"First rows of {name}", rows)
    console.show("Counts", found.counts)
    if found.problems:
        console.show("Rows that go to quarantine", found.problems)


@app.command("tables")
def tables_command(
    dataset: Dataset,
    name: Annotated[
        str | None, typer.Argument(help="One table.", autocompletion=completion.tables)
    ] = None,
    warehouse: Place = "",
    as_json: AsJson = False,
) -> None:
    """The tables of a warehouse with rows and versions, or one table's columns and history.

    Example: tastemill tables --dataset completejourney recommendations
    """
    from tastemill import tables, views  # noqa: PLC0415 - Spark is slow to import

    if name is not None and name not in tables.BY_NAME:
        fix = did_you_mean(name, tables.BY_NAME)
        raise UsageError(f"no table {name}", expected=", ".join(tables.BY_NAME), fix=fix)
    place = opened(dataset, warehouse)
    if name is None:
        console.show("Tables", views.table_list(place), as_json=as_json)
        return
    columns, commits = views.table_detail(place, tables.BY_NAME[name])
    if as_json:
        console.print_json({"columns": columns, "history": commits})
        return
    console.show(f"{name}: {tables.BY_NAME[name].row}", columns)
    console.show("History", commits)


@app.command()
def migrate(dataset: Dataset, warehouse: Place = "", as_json: AsJson = False) -> None:
    """Bring tables that an older release wrote to today's contracts; never back.

    Example: tastemill migrate --dataset completejourney
    """
    from tastemill.lease import held  # noqa: PLC0415 - Spark is slow to import
    from tastemill.migrations import migrate as migrated  # noqa: PLC0415

    place = opened(dataset, warehouse)
    with held(place, "migrate"):
        steps = [{"step": step} for step in migrated(place)]
    console.show("Steps taken", steps, as_json=as_json)


@app.command()
def models(dataset: Dataset, warehouse: Place = "", as_json: AsJson = False) -> None:
    """Every fitted model, newest first.

    Example: tastemill models --dataset completejourney
    """
    from tastemill import views  # noqa: PLC0415 - Spark is slow to import

    console.show("Models", views.model_list(opened(dataset, warehouse)), as_json=as_json)


@app.command()
def runs(
    dataset: Dataset,
    warehouse: Place = "",
    limit: Annotated[int, typer.Option(help="Stages shown.")] = 30,
    as_json: AsJson = False,
) -> None:
    """The last stages that ran, were skipped or failed.

    Example: tastemill runs --dataset completejourney --limit 11
    """
    from tastemill import views  # noqa: PLC0415 - Spark is slow to import

    console.show("Runs", views.run_list(opened(dataset, warehouse), limit), as_json=as_json)


@app.command()
def evaluate(
    dataset: Dataset,
    warehouse: Place = "",
    segment: Annotated[str, typer.Option(help="all, warm or cold users.")] = "all",
    k: Annotated[int, typer.Option(help="Length of list.")] = 10,
    as_json: AsJson = False,
) -> None:
    """How the models of the last backtest did on the part of the data that was kept from them.

    Example: tastemill evaluate --dataset completejourney --segment warm --k 20
    """
    from tastemill import views  # noqa: PLC0415 - Spark is slow to import

    place = opened(dataset, warehouse)
    rows = views.metrics(place, views.backtest_models(place), segment, k)
    console.show(f"Backtest, {segment} users", rows, as_json=as_json)


@app.command()
def recommend(
    user: Annotated[str, typer.Argument(help="Id as in the source.")],
    dataset: Dataset,
    warehouse: Place = "",
    k: Annotated[int, typer.Option(help="Items shown.")] = 10,
    as_json: AsJson = False,
) -> None:
    """What a user is shown, with scores, model and reasons.

    Example: tastemill recommend 128 --dataset completejourney --k 5
    """
    from tastemill import views  # noqa: PLC0415 - Spark is slow to import

    rows = views.list_of(opened(dataset, warehouse), user, k)
    console.show(f"For user {user}", rows, as_json=as_json)


@app.command()
def benchmark(
    protocol: Annotated[
        str, typer.Argument(help="P1: MovieLens 1M.", autocompletion=completion.protocols)
    ],
    data_root: Annotated[Path, typer.Option(help="Folder that holds the data sets' folders.")],
    models: Annotated[str, typer.Option(help="Comma-separated kinds; all by default.")] = "",
    lists: Annotated[Path | None, typer.Option(help="Write <model>.parquet here.")] = None,
    settings: Set = None,
    grid: Annotated[bool, typer.Option(help="Try parameters of ALS on validation data.")] = False,
    as_json: AsJson = False,
) -> None:
    """Published figures and ours side by side, under one protocol.

    Example: tastemill benchmark P1 --data-root data --models popularity,als --lists out
    """
    from tastemill.benchmark import run_benchmark  # noqa: PLC0415 - Spark is slow to import

    if grid and (models or lists):
        raise UsageError("--grid fits ALS alone and writes no lists", fix="leave out the others")
    if grid:
        from tastemill.grid import run_grid  # noqa: PLC0415

        console.show(
            f"{protocol}, validation part",
            run_grid(protocol, data_root, tuple(settings or ())),
            as_json=as_json,
        )
        return
    kinds = tuple(kind for kind in models.split(",") if kind)
    result = run_benchmark(protocol, data_root, kinds, lists, tuple(settings or ()))
    if as_json:
        console.print_json(result)
        return
    console.show(
        f"{protocol}: {result['train_rows']:,} train rows, {result['test_rows']:,} test rows, "
        f"{result['test_users']:,} users",
        [line for row in result["rows"] for line in _by_metric(row)],
    )


@app.command()
def synth(
    out: Annotated[Path, typer.Option(help="A new folder, which every worker can write.")],
    users: Annotated[int, typer.Option(help="Number of users.")] = 2_000,
    items: Annotated[int, typer.Option(help="Number of items, at least 20.")] = 1_000,
    events: Annotated[int, typer.Option(help="Number of events, exactly.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Equal seeds make equal rows.")] = 1,
    days: Annotated[int, typer.Option(help="Days that the events span.")] = 180,
    env: Env = "local",
    as_json: AsJson = False,
) -> None:
    """Make synthetic data with planted tastes: events, users, items, relations and the truth.

    Example: tastemill synth --users 2000 --items 1000 --events 100000 --seed 1 --out synthetic
    """
    from tastemill.synth.show import synthesize_and_show  # noqa: PLC0415 - Spark is slow to import

    sizes = {"users": users, "items": items, "events": events, "seed": seed, "days": days}
    cfg = config("", "", "", env, None)
    synthesize_and_show(cfg.session, sizes, out, as_json=as_json)


def _by_metric(row: dict[str, Any]) -> list[dict[str, object]]:
    """A line per metric, narrow enough for a terminal."""
    return [
        {
            "model": row["model"],
            "metric": name,
            "published": row["published"].get(name),
            "tastemill": row[name],
            "95 % interval": "{:.4f} to {:.4f}".format(*row[f"{name}_ci"]),
        }
        for name in row
        if f"{name}_ci" in row
    ]


@app.command()
def doctor(
    warehouse: Annotated[
        str, typer.Option("--warehouse", help="Folder that the tables would go to.")
    ] = "warehouse",
    spark: Annotated[
        bool, typer.Option("--spark", help="Also start Spark and write a tiny Delta table.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What this machine has of what Tastemill needs, and how to get the rest.

    Example: tastemill doctor --spark
    """
    from tastemill.doctor import examined, healthy  # noqa: PLC0415

    checks = examined(warehouse, with_spark=spark)
    console.show("This machine", [check.row for check in checks], as_json=as_json)
    if not healthy(checks):
        raise typer.Exit(1)


def main() -> None:
    """Entry point: a user's mistake ends in one message, never in a traceback."""
    logging.basicConfig(format="%(message)s", level=logging.ERROR)
    logging.getLogger("tastemill").setLevel(logging.WARNING)
    as_json = "--json" in sys.argv
    try:
        # Typer's own errors are for people: with --json they come here.
        code = app(prog_name="tastemill", standalone_mode=not as_json)
    except SystemExit as ended:
        code = ended.code
    except Exception as error:
        code = failure.report(_bad_usage(error), as_json=as_json)
    if code:  # Databricks takes an exit for a failure, whatever its code
        sys.exit(code)


def _bad_usage(error: Exception) -> Exception:
    """Typer's complaint about options or arguments as one of ours; others as they are."""
    told = getattr(error, "format_message", None)
    return UsageError(told(), fix="tastemill COMMAND --help") if told else error
