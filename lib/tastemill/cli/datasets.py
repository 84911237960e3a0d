"""Commands about datasets: the known ones, and drafting and trying a mapping of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from tastemill import console
from tastemill.cli.options import AsJson, Data, Set, config

datasets_app = typer.Typer()


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

    from tastemill.config import paths  # noqa: PLC0415 - Spark is slow to import
    from tastemill.session import build_session  # noqa: PLC0415
    from tastemill.sources.check import check as checked  # noqa: PLC0415

    cfg = config(dataset, data, "", "local", None, *(settings or []))
    found = checked(build_session(cfg.session), cfg, paths.data_folder(cfg))
    if as_json:
        console.print_json(asdict(found))
        return
    for name, rows in found.rows.items():
        console.show(f"First rows of {name}", rows)
    console.show("Counts", found.counts)
    if found.types:
        console.show("Events by type", found.types)
    if found.problems:
        console.show("Rows that go to quarantine", found.problems)
    if all(row["sound"] for row in found.counts):
        place = f" --data {data}" if data else ""
        console.out.print(f"next: tastemill run --dataset {dataset}{place}", highlight=False)
    else:
        console.out.print("next: correct the mapping: no row of a table is sound", highlight=False)
