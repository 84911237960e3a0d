"""The runner of notebooks does what Databricks does with cells, and refuses what it can't."""

import ast
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from tastemill.testing.notebook import HEAD, Notebook, cells, execute

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.py"))
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A notebook of some cells, each given as its lines."""

    def written(*sources: str) -> Path:
        path = tmp_path / "notebook.py"
        path.write_text(f"{HEAD}\n" + "\n\n# COMMAND ----------\n\n".join(sources) + "\n")
        return path

    return written


def test_cells_share_their_names_and_show_what_they_are_told_to(write: Write) -> None:
    path = write(
        "# MAGIC %md\n# MAGIC # A title\n# MAGIC\n# MAGIC and text",
        "# MAGIC %pip install --quiet one\n# MAGIC %pip install two",
        "dbutils.library.restartPython()\nimport math\nx = 2",
        "display(math.sqrt(x * x))\ndisplayHTML('<p>')\ndisplay(spark)",
    )
    assert execute(path, "a session") == Notebook(
        displayed=[2.0, "a session"],
        html=["<p>"],
        text=["# A title\n\nand text"],
        installs=["%pip install --quiet one", "%pip install two"],
    )


WIDGETS = """\
dbutils.widgets.text("user", "7", "Whose list")
dbutils.widgets.dropdown("env", "local", ["local", "cluster"])
display((dbutils.widgets.get("user"), dbutils.widgets.get("env")))"""


def test_widgets_have_the_callers_values_or_their_defaults(write: Write) -> None:
    path = write(WIDGETS)
    assert execute(path, None).displayed == [("7", "local")]
    assert execute(path, None, env="cluster", user="").displayed == [("", "cluster")]
    with pytest.raises(ValueError, match="widget env: 'mars' is none of local, cluster"):
        execute(path, None, env="mars")
    with pytest.raises(ValueError, match=r"notebook\.py has no widget usre"):
        execute(path, None, usre="7")
    with pytest.raises(KeyError, match="nobody"):
        execute(write("dbutils.widgets.get('nobody')"), None)


def test_an_exit_ends_the_notebook_and_is_its_value(write: Write) -> None:
    path = write("display(1)", "dbutils.notebook.exit('done')\ndisplay(2)", "display(3)")
    done = execute(path, None)
    assert (done.displayed, done.exit_value) == ([1], "done")
    assert execute(write("display(1)"), None).exit_value is None


def test_an_error_names_the_file_and_its_line(write: Write) -> None:
    path = write("# MAGIC %md text", "\nx = 1\n", "y = 2\nx / 0")
    with pytest.raises(ZeroDivisionError) as caught:
        execute(path, None)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.line) == (str(path), "x / 0")
    assert path.read_text().splitlines()[last.lineno - 1] == "x / 0"
    path = write("x = 1", "y = (")
    with pytest.raises(SyntaxError) as broken:
        execute(path, None)
    assert path.read_text().splitlines()[broken.value.lineno - 1] == "y = ("


@pytest.mark.parametrize(
    ("cell", "line", "said"),
    [
        ("# MAGIC %sql\n# MAGIC SELECT 1", 6, "only %md and %pip are known here: %sql"),
        ("# MAGIC %run ./other", 6, "only %md and %pip are known here: %run ./other"),
        ("# MAGIC %pip install one\n# MAGIC import one", 6, "known here: %pip install one"),
        ("x = 1\n# MAGIC %pip install one", 6, "code beside a magic: x = 1"),
        ("# MAGIC %md text\nx = 1", 7, "code beside a magic: x = 1"),
    ],
)
def test_other_magics_are_refused(write: Write, cell: str, line: int, said: str) -> None:
    path = write("x = 1", cell)
    with pytest.raises(ValueError, match=r"known here|beside a magic") as caught:
        execute(path, None)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert said in str(caught.value)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "job.py"
    for text in ("", "x = 1\n", f"\n{HEAD}\n"):
        file.write_text(text)
        with pytest.raises(ValueError, match="doesn't begin with '# Databricks notebook source'"):
            execute(file, None)


def test_there_are_notebooks() -> None:
    assert [path.name for path in NOTEBOOKS] == ["01_quickstart.py"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_hold_no_logic(path: Path) -> None:
    """Settings, calls and what they show; whatever decides or repeats belongs to the library."""
    logic = (
        *(ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.If, ast.IfExp),
        *(ast.Try, ast.With, ast.comprehension),
    )
    code = list(cells(path))
    assert len(code) > 3
    for first, cell in code:
        for node in ast.walk(ast.parse(cell)):  # to Python, magics are comments
            if isinstance(node, logic):
                name = type(node).__name__
                pytest.fail(f"{path.name}:{first + getattr(node, 'lineno', 1) - 1}: {name}")
