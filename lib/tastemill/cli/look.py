"""Commands that look at a warehouse and change nothing."""

from typing import Annotated

import typer

from tastemill import completion, console
from tastemill.cli.options import AsJson, Dataset, Place, opened
from tastemill.errors import UsageError, did_you_mean


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


def features(
    dataset: Dataset,
    warehouse: Place = "",
    purpose: Annotated[str, typer.Option(help="backtest or production.")] = "backtest",
    kept: Annotated[bool, typer.Option("--kept", help="Only those that are kept.")] = False,
    as_json: AsJson = False,
) -> None:
    """Every feature, what share of the label it tells, and whether it is kept or why not.

    Example: tastemill features --dataset completejourney --kept
    """
    from tastemill import views  # noqa: PLC0415 - Spark is slow to import

    rows = views.feature_list(opened(dataset, warehouse), purpose)
    rows = [row for row in rows if row["kept"] or not kept]
    console.show("Features", rows, as_json=as_json, only_in_json=("definition",))


def models(
    dataset: Dataset,
    model_id: Annotated[str | None, typer.Argument(help="One model.")] = None,
    warehouse: Place = "",
    k: Annotated[int, typer.Option(help="Length of list.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Every fitted model with the figures of its backtest, or one's parameters and its training.

    Example: tastemill models --dataset completejourney
    """
    from tastemill import views  # noqa: PLC0415 - Spark is slow to import

    place = opened(dataset, warehouse)
    if model_id is None:
        rows = views.model_list(place, k)
        console.show("Models", rows, as_json=as_json, only_in_json=("params",))
        return
    params, epochs = views.model_detail(place, model_id)
    if as_json:
        console.print_json({"params": params, "epochs": epochs})
        return
    named = [{"parameter": name, "value": str(value)} for name, value in params.items()]
    console.show(f"{model_id}: parameters", named)
    if epochs:
        console.show("By epoch", epochs)


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
