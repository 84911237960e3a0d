"""Texts that passed through a web page: &amp; is a sign again."""

from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

# What programs write that escape a text for HTML; &amp; last, so that &amp;lt; becomes &lt;.
SIGNS = {
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&#34;": '"',
    "&apos;": "'",
    "&#39;": "'",
    "&#039;": "'",
    "&#x27;": "'",
    "&nbsp;": " ",
    "&#160;": " ",
    "&amp;": "&",
    "&#38;": "&",
}


def unescaped(text: Column) -> Column:
    """The text with the HTML entities of SIGNS read; others stay as they are."""
    return reduce(
        lambda found, entity: F.replace(found, F.lit(entity), F.lit(SIGNS[entity])), SIGNS, text
    )
