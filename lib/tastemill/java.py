"""Which Java Spark would run, and of which version it is."""

import os
import re
import shutil
import subprocess
from pathlib import Path

LEAST = 17


def find_java() -> Path | None:
    """As Spark's own script looks for it: in JAVA_HOME if that is set, else on the PATH."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(str(Path(home, "bin", "java")) if home else "java")
    return Path(found) if found else None


def java_version(java: Path) -> int | None:
    """The major version (8, 17, 21); None where the program doesn't tell."""
    try:
        told = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', told.stderr + told.stdout)
    return int(found[1]) if found else None
