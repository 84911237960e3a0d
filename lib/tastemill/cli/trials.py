"""Commands to try models with: published protocols, synthetic data."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tastemill import completion, console
from tastemill.cli.options import AsJson, Env, Set, config
from tastemill.errors import UsageError


def benchmark(
    protocol: Annotated[
        str, typer.Argument(help="P1, P2, P5, P6 or P6-100k.", autocompletion=completion.protocols)
    ],
    data_root: Annotated[Path, typer.Option(help="Folder that holds the data sets' folders.")],
    models: Annotated[str, typer.Option(help="Comma-separated kinds; all by default.")] = "",
    lists: Annotated[Path | None, typer.Option(help="Write <model>.parquet here.")] = None,
    settings: Set = None,
    grid: Annotated[bool, typer.Option(help="Try parameters of ALS on validation data.")] = False,
    tries: Annotated[
        list[str] | None,
        typer.Option("--try", help="Try settings of one network so: epochs=[5,10]; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Published figures and ours side by side, under one protocol.

    Example: tastemill benchmark P1 --data-root data --models popularity,als --lists out
    """
    from tastemill.benchmark import run_benchmark  # noqa: PLC0415 - Spark is slow to import

    if (grid or tries) and lists:
        raise UsageError("what is tried makes no lists", fix="leave out --lists")
    if grid and (models or tries):
        raise UsageError("--grid fits ALS alone", fix="leave out the others")
    if tries:
        from tastemill.trials import run_trials  # noqa: PLC0415

        console.show(
            f"{protocol}, {models} on the validation part",
            run_trials(protocol, data_root, models, tries, tuple(settings or ())),
            as_json=as_json,
        )
        return
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
