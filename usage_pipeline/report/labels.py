"""The words of the report: one file for the page, the findings and the summary.

Here: reading `page/labels.json`. Not here: which words are shown where.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def labels() -> dict[str, Any]:
    """Every text, as the file has them."""
    path = files("usage_pipeline.report").joinpath("page", "labels.json")
    return json.loads(path.read_text(encoding="utf-8"))
