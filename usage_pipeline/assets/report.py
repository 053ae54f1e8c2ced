"""The report: one HTML file and its numbers as JSON, from the published tables.

Not here: what it shows and how (`report/`).
"""

from typing import Any

import dagster as dg

from usage_pipeline.assets.published import PUBLISHED_KEY


@dg.asset(key=["report"], deps=[PUBLISHED_KEY])
def report() -> dg.MaterializeResult[Any]:
    return dg.MaterializeResult()
