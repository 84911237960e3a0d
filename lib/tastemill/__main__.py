"""Entry point of `tastemill` and of `python -m tastemill`, also where packages are missing."""

import json
import sys


def main() -> None:
    """Run the command line, or say which package it lacks; `doctor` works all the same."""
    try:
        from tastemill import cli  # noqa: PLC0415 - a package that it needs may be missing
    except ModuleNotFoundError as error:
        sys.exit(_without(error))
    cli.main()


def _without(error: ModuleNotFoundError) -> int:
    if sys.argv[1:2] != ["doctor"]:
        print(f"error: {error}\n  next step: tastemill doctor", file=sys.stderr)
        return 1
    from tastemill.doctor import examined, healthy  # noqa: PLC0415 - only when it is asked for

    checks = examined("warehouse")
    if "--json" in sys.argv:
        print(json.dumps([check.row for check in checks], ensure_ascii=False))
    else:
        print("\n".join("  ".join(check.row.values()).rstrip() for check in checks))
    return 0 if healthy(checks) else 1


if __name__ == "__main__":
    main()
