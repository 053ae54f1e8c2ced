"""Settings that come from environment variables: which variable set a value, and which variables are wrong.

Here: names and JSON of USAGE_PIPELINE_ variables. Not here: the settings (`config.py`), wording of other errors
(`config_problems.py`).
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from usage_pipeline.config_problems import Location, meant, quote

CONFIG_VARIABLE = "USAGE_PIPELINE_CONFIG"
"""Environment variable that names the configuration file."""

ENVIRONMENT_PREFIX = "USAGE_PIPELINE_"
NESTED = "__"

_JSON_EXAMPLES = {
    "ACCOUNTS": '[{"name": "production", "regions": ["us-east-1"]}]',
    "APPLICATIONS": '[{"subject": "metadata", "key": "application"}]',
    "PRICES": '{"overrides": "price_overrides.csv"}',
    "QUOTA_MAPPING": '{"overrides_file": "quota_overrides.csv"}',
    "PRICES__SOURCES": '["snapshot", "aws_price_list"]',
    "REPORT": '{"windows": ["1day"]}',
    "REPORT__WINDOWS": '["1day", "7days"]',
}
"""Settings that are lists or groups, which a variable can only give as JSON."""


def our_variables() -> dict[str, str]:
    """Variables with our prefix, by the rest of their name in capitals; empty ones are as good as unset."""
    return {
        name.upper().removeprefix(ENVIRONMENT_PREFIX): name
        for name in sorted(os.environ)
        if name.upper().startswith(ENVIRONMENT_PREFIX) and os.environ[name]
    }


def variable_that_set(location: Location, values: Mapping[str, object]) -> str | None:
    """The variable that a value came from; None when it came from the file. `values` is all that variables set."""
    value: object = values
    for step in location:
        if not isinstance(value, dict):
            break
        if step not in value:
            return None
        value = cast("dict[object, object]", value)[step]
    steps = [str(step).upper() for step in location]
    variables = our_variables()
    names = [NESTED.join(steps[:end]) for end in range(len(steps), 0, -1)]
    parts = (name for name in variables if name.startswith(names[0] + NESTED))
    return next((variables[name] for name in (*names, *parts) if name in variables), None)


def wrong_variables(settings: Iterable[str]) -> Iterator[str]:
    """One sentence for each variable that nearly spells a setting, or whose value is not the JSON it must be.

    Other variables are left alone: Kubernetes sets some for a service of our name.
    """
    known = [*(name.upper() for name in settings), CONFIG_VARIABLE.removeprefix(ENVIRONMENT_PREFIX)]
    for name, variable in our_variables().items():
        top = name.partition(NESTED)[0]
        # 0.85 keeps Kubernetes' USAGE_PIPELINE_PORT from being taken for REPORT.
        if top not in known and (nearest := meant(top, known, likeness=0.85)):
            yield f"environment variable {variable}: there is no setting {top}; {nearest.strip()}"
        elif name in _JSON_EXAMPLES and not _is_json(os.environ[variable]):
            read = quote(os.environ[variable])
            yield f"environment variable {variable}: read {read}; allowed: JSON such as {_JSON_EXAMPLES[name]}."


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True
