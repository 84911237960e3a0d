"""Writes conf/README.md from the models: python -m tastemill.config.docs > conf/README.md."""

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from tastemill.config.load import Config

HEAD = """\
# Settings

Every key, its default and its meaning, written from the models by
`python -m tastemill.config.docs > conf/README.md`.

Layers, each laid over the one before: defaults in the models, `base.toml`, `jobs/*.toml`,
`datasets/<name>.toml`, `benchmarks/<name>.toml` (benchmarks only), `--params FILE`,
`env/<name>.toml`, environment variables (`TASTEMILL__ALS__RANK=64`), `--set als.rank=64`.
An unknown key or a value out of range ends with exit code 2 and names the key and its file.

To add a dataset: a file in `datasets/`. To add a key: a field with a description in the model
beside the code that uses it. To add an environment: a file in `env/`. `spark/*.conf` are
properties files for spark-submit.
"""


def settings_page() -> str:
    """The page as Markdown."""
    return HEAD + "".join(_section(name) for name in Config.model_fields)


def _section(name: str) -> str:
    model = Config.model_fields[name].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    first = (model.__doc__ or "").strip().splitlines()[0]
    lines = [f"\n## [{name}]", first, "", "| key | default | meaning |", "|---|---|---|"]
    for key, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = "" if default is PydanticUndefined else f"`{default!r}`"
        lines.append(f"| {key} | {shown} | {field.description or ''} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(settings_page(), end="")
