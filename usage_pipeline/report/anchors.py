"""Names of places in the report, for links from elsewhere.

Here: the anchors of a pool's section and of a check. Not here: the sections themselves (`page/`).
"""

import re

_NOT_IN_AN_ANCHOR = re.compile(r"[^A-Za-z0-9._:/-]")


def pool_anchor(pool_id: str) -> str:
    """The fragment that opens a pool's section: `report.html#<anchor>`. The same in every report."""
    return "pool/" + _NOT_IN_AN_ANCHOR.sub("_", pool_id)


def check_anchor(asset: str, check_name: str) -> str:
    """The fragment that goes to a check's result."""
    return "check/" + _NOT_IN_AN_ANCHOR.sub("_", f"{asset}/{check_name}")
