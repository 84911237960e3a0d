"""How a command ends that failed: one message, the whole story in the log, an exit code."""

import json
import sys

from tastemill import logs
from tastemill.errors import TastemillError, UsageError
from tastemill.explain import explained


def report(error: Exception, *, as_json: bool = False) -> int:
    """Say what went wrong, on stderr or as one JSON object on stdout; return the exit code.

    An error of no known kind is raised again where there is no log to keep its traceback.
    """
    log = None if isinstance(error, UsageError) else logs.tell(error)
    known = _known(error, has_log=log is not None)
    if as_json:
        print(json.dumps({**known.parts, "log": str(log) if log else None}, ensure_ascii=False))
    else:
        place = f"\n  log: {log}" if log else ""
        print(f"{_red('error:')} {known}{place}", file=sys.stderr)
    return known.exit_code


def _known(error: Exception, *, has_log: bool) -> TastemillError:
    try:
        return explained(error)
    except Exception:
        if not has_log:
            raise
    first = (str(error).strip().splitlines() or ["no words"])[0]
    return TastemillError(
        f"{type(error).__name__}: {first[:300]}",
        fix="read the log; if it tells of a defect of Tastemill, report that with the log",
    )


def _red(text: str) -> str:
    return f"\033[31m{text}\033[0m" if sys.stderr.isatty() else text
