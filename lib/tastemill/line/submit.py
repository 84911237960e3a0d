"""The whole line as a file for spark-submit: `tastemill run` with the arguments that follow."""

import sys

from tastemill import cli

if __name__ == "__main__":
    sys.argv.insert(1, "run")
    cli.main()
