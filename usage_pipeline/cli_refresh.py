"""The commands `usage-pipeline refresh …`: read one catalogue anew, and say what was found and what changed.

Not here: reading AWS (`assets/raw_catalogue.py`), the jobs (`schedules.py`), other commands (`cli.py`).
"""

import typer

refresh_app = typer.Typer(
    help="Read quotas, Regions or models anew, without metrics or logs, and say what changed.", no_args_is_help=True
)


@refresh_app.callback()
def refresh() -> None:
    """Read quotas, Regions or models anew, without metrics or logs, and say what changed."""
