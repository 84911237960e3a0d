"""The command line: `tastemill COMMAND …`."""

import json
import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tastemill import console, job, tables, views
from tastemill.config.layers import place_settings
from tastemill.config.load import Config, Request, known_datasets, load_config
from tastemill.delta import Warehouse
from tastemill.errors import UsageError
from tastemill.explain import explained

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Behaviour logs in, scored recommendations in Delta out.",
)
datasets_app = typer.Typer()
app.add_typer(datasets_app, name="datasets")

Dataset = Annotated[str, typer.Option(help="Name (see: tastemill datasets) or FILE.toml.")]
Data = Annotated[str, typer.Option(help="Folder of raw files.")]
Place = Annotated[str, typer.Option("--warehouse", help="Path, URI or catalog.schema.")]
Env = Annotated[str, typer.Option(help="local, cluster or databricks: conf/env/<name>.toml.")]
Conf = Annotated[str | None, typer.Option(help="Folder of TOML files in place of the package's.")]
Params = Annotated[str | None, typer.Option(help="TOML file laid over the dataset's.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, e.g. als.rank=64.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")]


def config(
    dataset: str, data: str, place: str, env: str, conf: str | None, *more: str, **layers: str
) -> Config:
    """The configuration of a command."""
    given = (*more, *place_settings(data, place))
    return load_config(Request(dataset, env, conf, settings=given, **layers))


def opened(dataset: str, place: str) -> Warehouse:
    """The warehouse of a command that only looks."""
    from tastemill.session import build_session  # noqa: PLC0415 - Spark is slow to import

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
    first: Annotated[str | None, typer.Option("--from", help="First stage.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last stage.")] = None,
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
def job_command(context: typer.Context, name: str) -> None:
    """Run one job: tastemill job build_profiles --dataset NAME [--data DIR] [--set KEY=VALUE …]."""
    import importlib  # noqa: PLC0415

    from tastemill.line.stages import BACKTEST, UPKEEP  # noqa: PLC0415

    if name not in (*BACKTEST, *UPKEEP):
        raise UsageError(f"no job {name}", expected=", ".join((*BACKTEST, *UPKEEP)))
    module = importlib.import_module(f"tastemill.jobs.{name}")
    raise typer.Exit(module.main(context.args))


@datasets_app.callback(invoke_without_command=True)
def datasets(context: typer.Context, as_json: AsJson = False) -> None:
    """The known datasets: what each needs, where to get it, its licence.

    Example: tastemill datasets
    """
    if context.invoked_subcommand is not None:
        return
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
        print(json.dumps({"file": str(written), "guesses": guesses}))
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

    from tastemill.session import build_session  # noqa: PLC0415 - Spark is slow to import
    from tastemill.sources.check import check as checked  # noqa: PLC0415

    cfg = config(dataset, data, "", "local", None, *(settings or []))
    found = checked(build_session(cfg.session), cfg, job.data_folder(cfg))
    if as_json:
        print(json.dumps(asdict(found), default=str))
        return
    for name, rows in found.rows.items():
        console.show(f"First rows of {name}", rows)
    console.show("Counts", found.counts)
    if found.problems:
        console.show("Rows that go to quarantine", found.problems)


@app.command("tables")
def tables_command(
    dataset: Dataset,
    name: Annotated[str | None, typer.Argument(help="One table.")] = None,
    warehouse: Place = "",
    as_json: AsJson = False,
) -> None:
    """The tables of a warehouse with rows and versions, or one table's columns and history."""
    place = opened(dataset, warehouse)
    if name is None:
        console.show("Tables", views.table_list(place), as_json=as_json)
        return
    if name not in tables.BY_NAME:
        raise UsageError(f"no table {name}", expected=", ".join(tables.BY_NAME))
    columns, commits = views.table_detail(place, tables.BY_NAME[name])
    if as_json:
        print(json.dumps({"columns": columns, "history": commits}))
        return
    console.show(f"{name}: {tables.BY_NAME[name].row}", columns)
    console.show("History", commits)


@app.command()
def migrate(dataset: Dataset, warehouse: Place = "", as_json: AsJson = False) -> None:
    """Bring tables that an older release wrote to today's contracts; never back."""
    from tastemill.lease import held  # noqa: PLC0415 - Spark is slow to import
    from tastemill.migrations import migrate as migrated  # noqa: PLC0415

    place = opened(dataset, warehouse)
    with held(place, "migrate"):
        steps = [{"step": step} for step in migrated(place)]
    console.show("Steps taken", steps, as_json=as_json)


@app.command()
def models(dataset: Dataset, warehouse: Place = "", as_json: AsJson = False) -> None:
    """Every fitted model, newest first."""
    console.show("Models", views.model_list(opened(dataset, warehouse)), as_json=as_json)


@app.command()
def runs(
    dataset: Dataset,
    warehouse: Place = "",
    limit: Annotated[int, typer.Option(help="Stages shown.")] = 30,
    as_json: AsJson = False,
) -> None:
    """The last stages that ran, were skipped or failed."""
    console.show("Runs", views.run_list(opened(dataset, warehouse), limit), as_json=as_json)


@app.command()
def evaluate(
    dataset: Dataset,
    warehouse: Place = "",
    segment: Annotated[str, typer.Option(help="all, warm or cold users.")] = "all",
    k: Annotated[int, typer.Option(help="Length of list.")] = 10,
    as_json: AsJson = False,
) -> None:
    """How the models of the last backtest did on the part of the data that was kept from them."""
    place = opened(dataset, warehouse)
    rows = views.metrics(place, views.backtest_models(place), segment, k)
    console.show(f"Backtest, {segment} users", rows, as_json=as_json)


@app.command()
def recommend(
    user: str,
    dataset: Dataset,
    warehouse: Place = "",
    k: Annotated[int, typer.Option(help="Items shown.")] = 10,
    as_json: AsJson = False,
) -> None:
    """What a user is shown, with scores, model and reasons."""
    rows = views.list_of(opened(dataset, warehouse), user, k)
    console.show(f"For user {user}", rows, as_json=as_json)


@app.command()
def benchmark(
    protocol: str,
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
        print(json.dumps(result))
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
    synthesize_and_show(load_config(Request(env=env)).session, sizes, out, as_json=as_json)


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


def main() -> None:
    """Entry point: a user's mistake ends in one message, never in a traceback."""
    logging.basicConfig(format="%(message)s", level=logging.ERROR)
    logging.getLogger("tastemill").setLevel(logging.WARNING)
    try:
        app()
    except Exception as error:
        known = explained(error)
        console.err.print(f"error: {known}", style="red", markup=False, highlight=False)
        sys.exit(known.exit_code)
