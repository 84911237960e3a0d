"""Settings: defaults in the models, then TOML files, environment variables and --set, in layers.

`config.load` puts the sections together; this package itself imports none of the code that uses it.
"""

from tastemill.config.sections import DatasetConfig, Purpose, RunConfig, Section, SplitConfig

__all__ = ["DatasetConfig", "Purpose", "RunConfig", "Section", "SplitConfig"]
