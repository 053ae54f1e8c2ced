"""The folder of the Dagster instance that `run`, `demo` and `dev` share.

Not here: opening it (`event_log.py`), which needs Dagster. `dev` does not load it: Dagster's servers are processes of
their own.
"""

from pathlib import Path

INSTANCE_SETTINGS = """\
# Written by usage-pipeline. DuckDB takes one writer: every asset that writes is in the pool `warehouse`.
concurrency:
  pools:
    default_limit: 1
    granularity: op
# A killed run gives its place in the pool back.
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 5
# What is launched begins within a second; by default Dagster looks for it every five.
run_coordinator:
  module: dagster
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1
# Dagster's own SQLite files, but kept open: to launch a run writes hundreds of events.
event_log_storage:
  module: usage_pipeline.event_log
  class: KeptOpenEventLogStorage
  config:
    home:
      env: DAGSTER_HOME
telemetry:
  enabled: false
# No invitation to a newsletter before the first page.
nux:
  enabled: false
"""


def prepare_instance_folder(folder: Path) -> Path:
    """Make a DAGSTER_HOME with the pool limit, unless it has settings of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    settings_file = folder / "dagster.yaml"
    if not settings_file.exists():
        settings_file.write_text(INSTANCE_SETTINGS, encoding="utf-8")
    return folder
