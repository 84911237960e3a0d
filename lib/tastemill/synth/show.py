"""Makes a synthetic data set for a person: checks the sizes, shows what was made."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from tastemill import console
from tastemill.errors import UsageError
from tastemill.session import SessionConfig, build_session
from tastemill.synth.params import SynthConfig
from tastemill.synth.write import Written, check_place, synthesize


def synthesize_and_show(
    session: SessionConfig, sizes: Mapping[str, int], out: Path, *, as_json: bool
) -> None:
    """Make a data set and print its rows and how fast it was made.

    Args:
        session: how to start Spark.
        sizes: users, items, events, seed, days.
        out: where it goes.
        as_json: for programs.
    """
    cfg = config_of(sizes)
    check_place(out.expanduser().absolute())  # before Spark's slow start
    spark = build_session(session)
    with console.err.status(f"making {cfg.num_events:,} events"):
        written = synthesize(spark, cfg, out, command=command_of(sizes, out))
    if as_json:
        print(json.dumps(_summary(written)))
        return
    rows = [{"table": name, "rows": count} for name, count in written.rows.items()]
    console.show("Synthetic data", rows)
    console.out.print(
        f"{written.seconds:.1f} s, {written.events_per_second:,.0f} events/s; "
        f"read {written.folder / 'README.md'}",
        highlight=False,
        soft_wrap=True,
    )


def config_of(sizes: Mapping[str, int]) -> SynthConfig:
    """The configuration of sizes as the command line names them.

    Raises:
        UsageError: names the option, what was expected and what was found.
    """
    named = {name if name == "seed" else f"num_{name}": value for name, value in sizes.items()}
    try:
        return SynthConfig.model_validate(named)
    except ValidationError as error:
        problem = error.errors()[0]
        option = "--" + str((*problem["loc"], "num_items")[0]).removeprefix("num_")
        raise UsageError(
            f"{option} is not usable",
            expected=problem["msg"],
            found=str(sizes[option.removeprefix("--")]),
            fix=f"give another {option}",
        ) from None


def command_of(sizes: Mapping[str, int], out: Path) -> str:
    """The command that makes the same data."""
    options = [part for name, value in sizes.items() for part in (f"--{name}", str(value))]
    return shlex.join(["tastemill", "synth", *options, "--out", str(out)])


def _summary(written: Written) -> dict[str, object]:
    return {
        "folder": str(written.folder),
        "rows": written.rows,
        "seconds": round(written.seconds, 2),
        "event_seconds": round(written.event_seconds, 2),
        "events_per_second": round(written.events_per_second),
    }
