"""What the command `usage-pipeline ui` tells the app: which file, which configuration, which login.

Here: the values, as arguments of the app's own command line, both ways. Not here: the command (`cli_ui.py`).
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from usage_pipeline.config import ReportSettings

Login = Literal["none", "password", "oidc"]

LOGINS: tuple[Login, ...] = ("none", "password", "oidc")

PASSWORD_VARIABLE = "DASHBOARD_PASSWORD_HASH"  # noqa: S105  (the name of a variable)
"""Environment variable with what `usage-pipeline ui --hash-password` printed."""


@dataclass(frozen=True)
class Options:
    """What one dashboard serves, and to whom.

    `config` is None when the published file was named alone. `allowed` are addresses (`a@b.example`) or domains
    (`@b.example`) of people who may look after an OIDC login; empty: everyone whom the provider signs in.
    """

    file: Path
    config: Path | None = None
    login: Login = "none"
    allowed: tuple[str, ...] = ()
    warning_utilization: float = ReportSettings().utilization_warning
    """Share of a quota from which on a pool is close to it."""


def as_arguments(options: Options) -> list[str]:
    """The options as the app's command line."""
    arguments = ["--file", str(options.file), "--login", options.login]
    if options.config is not None:
        arguments += ["--config", str(options.config)]
    arguments += ["--warning", str(options.warning_utilization)]
    for allowed in options.allowed:
        arguments += ["--allow", allowed]
    return arguments


def from_arguments(arguments: Sequence[str]) -> Options:
    """The options of the app's command line."""
    parser = argparse.ArgumentParser(prog="the dashboard's app", add_help=False)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--login", choices=LOGINS, default="none")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--allow", action="append", default=[])
    parser.add_argument("--warning", type=float, default=ReportSettings().utilization_warning)
    found = parser.parse_args(list(arguments))
    return Options(found.file, found.config, found.login, tuple(found.allow), found.warning)
