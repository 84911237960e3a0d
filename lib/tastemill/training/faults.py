"""Failures on demand, at named points of a training: how its promises are tested.

A fault is a string such as `raise:rank=1:epoch=0:step=3`: an action (`raise`, `late` for a raise
two seconds later, or one of three signals: `kill`, `stop`, `end`) and the conditions that must all
hold where a point is passed.
"""

import os
import signal
import time

from tastemill.errors import TrainingError

_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "end": signal.SIGTERM}


def trip(faults: tuple[str, ...], **where: object) -> None:
    """Pass a point: do what the faults say whose conditions it meets."""
    here = {key: str(value) for key, value in where.items()}
    for fault in faults:
        action, *conditions = fault.split(":")
        wanted = dict(condition.split("=", 1) for condition in conditions)
        if wanted.items() <= here.items():
            _act(action, fault)


def _act(action: str, fault: str) -> None:
    if action in _SIGNALS:
        os.kill(os.getpid(), _SIGNALS[action])
        return
    if action == "late":
        time.sleep(2)
    raise TrainingError(f"injected fault {fault}")
