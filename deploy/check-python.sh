#!/bin/sh
# One sentence where Python is missing or of another version. usage: check-python.sh PYTHON
set -eu
if ! command -v "$1" >/dev/null 2>&1; then
  echo "Tastemill needs Python 3.11: '$1' was not found; install it, or name it: make PYTHON=/path/to/python3.11 …" >&2
  exit 1
fi
found=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [ "$found" != 3.11 ]; then
  echo "Tastemill needs Python 3.11 (the one it is tested with): '$1' is $found; name another: make PYTHON=/path/to/python3.11 …" >&2
  exit 1
fi
