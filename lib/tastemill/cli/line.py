"""Commands that do the line, or one job of it."""

from typing import Annotated

import typer

from tastemill import completion
from tastemill.cli.options import AsJson, Conf, Data, Dataset, Env, Params, Place, Set, config
from tastemill.errors import UsageError, did_you_mean


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

    Example: tastemill run --dataset movielens-1m --data ml-1m --set deep.model=embedding_mlp
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


def job_command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="File in jobs/.", autocompletion=completion.jobs)],
) -> None:
    """Run one job, with --dataset and, where wanted, the options of `run` that aren't of stages.

    Example: tastemill job build_profiles --dataset movielens-1m --set profiles.half_life_days=30
    """
    import importlib  # noqa: PLC0415

    from tastemill.line.stages import ALONE, BACKTEST  # noqa: PLC0415

    known = (*BACKTEST, *ALONE)
    if name not in known:
        fix = did_you_mean(name, known)
        raise UsageError(f"no job {name}", expected=", ".join(known), fix=fix)
    module = importlib.import_module(f"tastemill.jobs.{name}")
    raise typer.Exit(module.main(context.args))
