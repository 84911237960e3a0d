"""Runs the line for a person: progress, then metrics, a few lists, and where the report is."""

import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from tastemill import console, views
from tastemill.config import paths
from tastemill.config.load import Config, Request, load_config
from tastemill.line.repro import TOLERANCE, Outcome, repro
from tastemill.line.runner import Run
from tastemill.line.stages import Plan
from tastemill.parallel import at_once
from tastemill.progress import StageLines, StageProgress
from tastemill.report.page import write_report
from tastemill.session import build_session
from tastemill.splits import judged_by

EXAMPLE_USERS, EXAMPLE_ITEMS = 3, 5


def run_and_show(cfg: Config, plan: Plan, *, as_json: bool = False) -> None:
    """Run or skip the stages, and print what came of them."""
    plan.stages(cfg)  # a name that is no stage is told before Spark starts
    with StageProgress(quiet=as_json) as progress:
        spark = build_session(cfg.session)
        run = Run(spark, cfg, shlex.join(["tastemill", *sys.argv[1:]]), progress)
        run.execute(plan)
        report = report_of(run)
    k, published = run.cfg.evaluation.ks[0], cfg.run.refit and plan.last is None
    num_users = EXAMPLE_USERS if published and not as_json else 0
    metrics, lists = at_once(
        spark,
        lambda: views.metrics(run.warehouse, run.models["backtest"], "all", k),
        lambda: views.example_lists(run.warehouse, num_users, EXAMPLE_ITEMS) if num_users else [],
    )
    if as_json:
        console.print_json(_summary(run, metrics, report))
        return
    console.show(f"Backtest: {judged_by(run.cfg.split)}, all users", metrics)
    if num_users:
        console.show("Some users", lists)
    done = sum(record.status == "done" for _, _, record in run.records)
    console.out.print(
        f"run {run.run_seq} ({run.run_id}): {done} stages done, "
        f"{len(run.records) - done} skipped; tables in {paths.location(cfg)}",
        highlight=False,
        soft_wrap=True,
    )
    if report.exists():
        console.out.print(f"report: {report}", highlight=False, soft_wrap=True)


def run_line(request: Request, plan: Plan | None = None) -> Run:
    """Run or skip the stages with a printed line for each: what notebooks call.

    Args:
        request: the settings; Spark is taken as it runs, else started.
        plan: the stages; all by default.

    Returns:
        The run that is over: its warehouse, its configuration, its models by kind.

    Raises:
        UsageError: a setting that isn't known or usable.
    """
    cfg = load_config(request)
    run = Run(build_session(cfg.session), cfg, command_of(request), StageLines())
    run.execute(plan or Plan())
    return run


def command_of(request: Request) -> str:
    """The call of `tastemill run` that asks for the same, fit for a shell."""
    named = {
        "--dataset": request.dataset,
        "--env": request.env,
        "--conf": request.conf,
        "--params": request.params,
    }
    options = [word for option, value in named.items() if value for word in (option, value)]
    settings = [word for setting in request.settings for word in ("--set", setting)]
    return shlex.join(["tastemill", "run", *options, *settings])


def repro_and_show(cfg: Config, run_id: str, *, as_json: bool = False) -> bool:
    """Do a run's backtest again and print how it compares; say whether it came out again."""
    with StageProgress(quiet=as_json) as progress:
        outcome = repro(build_session(cfg.session), cfg, run_id, progress)
    if as_json:
        facts = {"equal": outcome.is_equal, "close": outcome.is_close, "holds": outcome.holds}
        console.print_json({**asdict(outcome), **facts})
        return outcome.holds
    console.show(f"Run {run_id} done again", outcome.tables)
    for line in outcome.conditions:
        console.out.print(f"differs: {line}", highlight=False, soft_wrap=True)
    console.out.print(_verdict(outcome))
    return outcome.holds


def _verdict(outcome: Outcome) -> str:
    if outcome.is_equal:
        return "equal to the bit"
    if outcome.holds:
        return f"conditions differ; metrics and losses are within {TOLERANCE}"
    if outcome.conditions:
        return f"conditions differ, and metrics or losses by more than {TOLERANCE}"
    return "not equal, though the conditions are the same"


def report_of(run: Run) -> Path:
    """Write the report when anything was done; an idle run leaves the last one as it is."""
    path = paths.artifacts(run.cfg) / "report.html"
    if run.worked or not path.exists():
        write_report(run.warehouse, run.cfg, run.run_id, run.models["backtest"], path)
    return path


def _summary(run: Run, metrics: views.Rows, report: Path) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "run_seq": run.run_seq,
        "stages": [
            {"stage": name, "purpose": purpose, "status": r.status, "seconds": r.seconds}
            for name, purpose, r in run.records
        ],
        "metrics": metrics,
        "report": str(report),
    }
