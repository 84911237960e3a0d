"""Installed packages against the ranges that the installed package states, as in pyproject.toml."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec

from tastemill.doctor.check import Check

SPARK, TRAIN = "spark", "train"
_NAME = re.compile(r"[\w.-]+")
_EXTRA = re.compile(r"extra\s*==\s*['\"](\w+)['\"]")


def packages() -> list[Check]:
    """A check per package that the line needs, and per package that only networks need."""
    try:
        stated = requires("tastemill") or []
    except PackageNotFoundError:
        fix = "pip install 'tastemill[spark]', or make install in a checkout"
        return [Check("packages", "warn", "tastemill itself is not installed", fix=fix)]
    return [check_package(name, wanted, extra) for name, wanted, extra in _needed(stated)]


def _needed(stated: list[str]) -> Iterator[tuple[str, str, str | None]]:
    """(name, range, extra): what is stated for no extra, for Spark or for training."""
    for requirement in stated:
        wanted, _, marker = requirement.partition(";")
        found, name = _EXTRA.search(marker), _NAME.match(wanted)
        extra = found[1] if found else None
        if name and extra in (None, SPARK, TRAIN):
            yield name[0], wanted[name.end() :].strip(" ()"), extra


def check_package(name: str, wanted: str, extra: str | None) -> Check:
    """One package, wanted in a range, by itself or for an extra of tastemill."""
    is_optional = extra == TRAIN
    suited = f"pip install 'tastemill[{extra}]'" if extra else "pip install tastemill"
    try:
        found = version(name)
    except PackageNotFoundError:
        if extra == SPARK and find_spec("pyspark"):
            return Check(name, "ok", "not needed as a package: Spark is here", wanted)
        lack = "not installed; networks can't be trained" if is_optional else "not installed"
        return Check(name, "warn" if is_optional else "missing", lack, wanted, suited)
    within = is_within(found, wanted)
    if within is None:
        return Check(name, "ok", f"{found}, not compared", wanted)
    if within:
        return Check(name, "ok", found, wanted)
    fix = f"pip install '{name}{wanted}'"
    return Check(name, "warn" if is_optional else "missing", found, wanted, fix)


def is_within(found: str, wanted: str) -> bool | None:
    """Whether a version is in a range; None where `packaging` isn't there to tell."""
    try:
        from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - it may be missing
    except ImportError:
        return None
    return SpecifierSet(wanted).contains(found, prereleases=True)
