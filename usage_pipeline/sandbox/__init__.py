"""A simulated AWS organisation over HTTP, with the truth beside it.

`serve` and `start_in_thread` need the `sandbox` extra; importing this package needs nothing that the pipeline
does not need, and nothing outside it may depend on what is inside.
"""

from usage_pipeline.sandbox.account_data import build_account_data
from usage_pipeline.sandbox.log_bodies import MARKER
from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline.sandbox.running import RunningSandbox, SandboxNotInstalledError, serve, start_in_thread

__all__ = [
    "MARKER",
    "RunningSandbox",
    "SandboxNotInstalledError",
    "SandboxOptions",
    "build_account_data",
    "serve",
    "start_in_thread",
]
