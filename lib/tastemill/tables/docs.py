"""Writes the page of tables from the contracts: see HEAD for the command."""

from tastemill.tables import ALL, Table

HEAD = """\
# Tables

Every table and column, written from the contracts in this folder by
`python -m tastemill.tables.docs > lib/tastemill/tables/README.md`.

Columns that may be null say so. A slice is the part of a table that one stage rewrites whole; rows
are clustered so that readers open few files. `tastemill tables --dataset NAME` shows what a
warehouse holds, `tastemill tables --dataset NAME TABLE` one table's history too.

| table | a row is |
|---|---|
"""


def tables_page() -> str:
    """The page as Markdown."""
    index = "".join(f"| [{t.name}](#{t.name}) | {_cell(t.row)} |\n" for t in ALL)
    return HEAD + index + "".join(_section(table) for table in ALL)


def _section(table: Table) -> str:
    lines = [f"\n## {table.name}", f"{_sentence(table.row)}", "", *_facts(table), ""]
    lines += ["| column | type | null | meaning |", "|---|---|---|---|"]
    for field in table.schema:
        null = "yes" if field.nullable else ""
        meaning = _cell(field.metadata["comment"])
        lines.append(f"| {field.name} | {field.dataType.simpleString()} | {null} | {meaning} |")
    return "\n".join(lines) + "\n"


def _facts(table: Table) -> list[str]:
    facts = {
        "Keys": ", ".join(table.keys),
        "slices": table.slice_by or "",
        "clustered by": ", ".join(table.cluster_by),
        "rewritten when these differ": ", ".join(table.content),
        "checks": "; ".join(f"`{rule}`" for rule in table.checks.values()),
        "contract": str(table.contract),
    }
    return ["; ".join(f"{name}: {told}" for name, told in facts.items() if told) + "."]


def _sentence(text: str) -> str:
    return f"A row is {text}."


def _cell(text: str) -> str:
    """A text that doesn't end its cell."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(tables_page(), end="")
