"""Pages that are written from the code are current."""

from pathlib import Path

from tastemill.config.docs import settings_page

ROOT = Path(__file__).parents[2]


def test_the_page_of_settings_is_current() -> None:
    assert (ROOT / "conf" / "README.md").read_text() == settings_page()
