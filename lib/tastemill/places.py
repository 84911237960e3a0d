"""Folders of a user's own in which Tastemill keeps what isn't part of a warehouse."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Delta's JARs and logs lie here: XDG_CACHE_HOME/tastemill, else ~/.cache/tastemill."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "tastemill"


def ivy_folder() -> Path:
    """What Ivy has fetched; the JARs themselves are in `jars` inside it."""
    return cache_folder() / "ivy"
