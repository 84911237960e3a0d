"""Writes conf/README.md from the models: python -m tastemill.config.docs > conf/README.md."""

from collections.abc import Iterator
from typing import get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from tastemill.config.load import Config
from tastemill.sources import mapping, texts

HEAD = """\
# Settings

Every key, its default and its meaning, written from the models by
`python -m tastemill.config.docs > conf/README.md`.

Layers, each laid over the one before: defaults in the models, `base.toml`, `jobs/*.toml`,
`datasets/<name>.toml`, `benchmarks/<name>.toml` (benchmarks only), `--params FILE`,
`env/<name>.toml`, environment variables (`TASTEMILL__ALS__RANK=64`), `--set als.rank=64`.
An unknown key or a value out of range ends with exit code 2 and names the key and its file.

To add a dataset: a file in `datasets/`; `tastemill datasets init FOLDER` drafts one. To add a key:
a field with a description in the model beside the code that uses it. To add an environment: a file
in `env/`. `spark/*.conf` are properties files for spark-submit.
"""
FIELDS = """
## What a field of a file can be
A name is the column of that name: `user_id = "CustomerID"`. A table says more:
`value = { column = "Quantity", at_most = 20 }`. Texts are trimmed; what is empty is missing.
"""


def settings_page() -> str:
    """The page as Markdown."""
    return HEAD + "".join(_section(name) for name in Config.model_fields) + _mappings()


def _section(name: str) -> str:
    model = Config.model_fields[name].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    page = _keys(f"## [{name}]", model, ())
    if name == "source":
        return page  # `_mappings` has its parts
    for key, field in model.model_fields.items():
        for part in _models(field.annotation):
            of_each = ".NAME" if get_origin(field.annotation) is dict else ""
            title = f"{name}.{key}{of_each}"
            title = title if part is field.annotation else f"[{title}]"
            page += _keys(f"### [{title}]", part, ())
    return page


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """The models in the type of a field, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _mappings() -> str:
    """The parts of [source], and what a field of them can be."""
    parts: dict[str, type[BaseModel]] = {
        "events": mapping.EventsFiles,
        "users": mapping.UsersFiles,
        "items": mapping.ItemsFiles,
        "relations": mapping.RelationsFiles,
    }
    common, text = tuple(mapping.Files.model_fields), tuple(texts.Text.model_fields)
    pages = [_keys("## Files of every kind", mapping.Files, ())]
    pages += [_keys(f"## [[source.{name}]]", model, common) for name, model in parts.items()]
    pages.append(FIELDS)
    pages.append(_keys("### A text", texts.Text, ()))
    fields: dict[str, type[BaseModel]] = {
        "a number (value, dwell_seconds, price)": texts.Number,
        "a time (time, released_on, updated_at)": texts.When,
        "categories": texts.Labels,
        "a rule (reject, require, reject_events)": texts.Condition,
    }
    pages += [_keys(f"### And of {what}", model, text) for what, model in fields.items()]
    return "".join(pages)


def _keys(title: str, model: type[BaseModel], known: tuple[str, ...]) -> str:
    """A table of the keys of a model, without those that are known from another."""
    first = (model.__doc__ or "").strip().splitlines()[0]
    lines = [f"\n{title}", first, "", "| key | default | meaning |", "|---|---|---|"]
    for key, field in model.model_fields.items():
        if key in known:
            continue
        default = field.get_default(call_default_factory=True)
        shown = "" if default in (PydanticUndefined, None) else f"`{default!r}`"
        shown = "**needed**" if field.is_required() else shown
        if isinstance(default, BaseModel):
            shown = f"`{default.model_dump(exclude_defaults=True)}`"
        lines.append(f"| {key} | {shown} | {(field.description or '').replace('|', '&#124;')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(settings_page(), end="")
