"""The command line: `tastemill COMMAND …`.

`line` does the work, `look` shows what came of it, `datasets` knows what can be read, `trials` has
protocols and data to try models on, `upkeep` sees to machine and tables; `options` is what they
share. A new command is a function in one of them and a line here.
"""

import logging
import sys

import typer

from tastemill import failure
from tastemill.cli import line, look, trials, upkeep
from tastemill.cli.datasets import datasets_app
from tastemill.errors import UsageError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Behaviour logs in, scored recommendations in Delta out.",
)
# In the order in which the help lists them.
app.command()(line.run)
app.command("job", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    line.job_command
)
app.command("tables")(look.tables_command)
app.command()(upkeep.migrate)
app.command()(look.features)
app.command()(look.models)
app.command()(look.runs)
app.command()(look.evaluate)
app.command()(look.recommend)
app.command()(trials.benchmark)
app.command()(trials.synth)
app.command()(upkeep.doctor)
app.add_typer(datasets_app, name="datasets")


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
