"""A sandbox that runs: its address, the environment that AWS programs need, its faults and its call counts.

Here: what the command line and tests start. Not here: the HTTP server (`aws_server.py`), a process of its own
(`process.py`).
"""

import socket
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from usage_pipeline.sandbox.account_data import AccountData, build_account_data
from usage_pipeline.sandbox.bill import write_bill
from usage_pipeline.sandbox.configuration import write_configuration
from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline.sandbox.prices import PRICES_FILE, write_prices
from usage_pipeline.sandbox.truth import write_truth

if TYPE_CHECKING:
    from usage_pipeline.sandbox.aws_server import SandboxServer

MISSING_EXTRA = "The sandbox needs packages that are not installed: pip install 'usage-pipeline[sandbox]'"


class SandboxNotInstalledError(ImportError):
    """The packages of the `sandbox` extra are missing; the message says how to install them."""

    def __init__(self) -> None:
        super().__init__(MISSING_EXTRA)


class RunningSandbox:
    """One sandbox that answers."""

    def __init__(self, server: "SandboxServer", data: AccountData) -> None:
        self._server = server
        self.data = data

    @property
    def endpoint_url(self) -> str:
        """Address for AWS_ENDPOINT_URL or boto3's `endpoint_url`."""
        return self._server.endpoint_url

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables with which any AWS program uses the sandbox; the credentials are production's."""
        from usage_pipeline.sandbox.moto_setup import ACCESS_KEY_ID, SECRET_ACCESS_KEY

        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def call_counts(self) -> dict[str, int]:
        """Requests so far by `service.Operation`, such as cloudwatch.GetMetricData."""
        return self._server.application.call_counts

    def forget_calls(self) -> None:
        """Start counting calls again."""
        self._server.application.forget_calls()

    def set_faults(self, faults: Iterable[str]) -> None:
        """Switch on exactly these faults.

        Raises:
            UnknownFaultError: a text has no known form.
        """
        self._server.application.faults.switch_to(faults)

    def stop(self) -> None:
        """Stop answering."""
        self._server.stop()


def _open(options: SandboxOptions, out: Path, host: str, port: int) -> "SandboxServer":
    """Take the port first, so that a wrong one costs no work; then make the data and write the files."""
    try:
        from usage_pipeline.sandbox.aws_server import SandboxServer
    except ImportError as error:
        raise SandboxNotInstalledError from error
    with socket.create_server((host, port)) as listener:
        data = build_account_data(options)
        out.mkdir(parents=True, exist_ok=True)
        write_truth(out / "truth.duckdb", data)
        write_bill(out, out / "truth.duckdb")
        write_prices(out / PRICES_FILE, options)
        write_configuration(out, options)
        return SandboxServer(data, listener)


def serve(
    options: SandboxOptions,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    out: Path,
    on_ready: Callable[[RunningSandbox], None],
) -> None:
    """Serve until `stop` is called on what `on_ready` gets, or a signal interrupts. Port 0 is any free port.

    Writes truth.duckdb, the bill, prices.csv and usage_pipeline.yaml into `out`.

    Raises:
        SandboxNotInstalledError: the `sandbox` extra is missing.
        UnknownFaultError: a fault of the options has no known form.
        OSError: the port cannot be used.
    """
    server = _open(options, out, host, port)
    on_ready(RunningSandbox(server, server.data))
    server.serve_forever()


@contextmanager
def start_in_thread(options: SandboxOptions, out: Path) -> Generator[RunningSandbox]:
    """Serve from a thread of this process until the block ends. Raises and writes what `serve` does."""
    server = _open(options, out, "127.0.0.1", 0)
    server.start_thread()
    running = RunningSandbox(server, server.data)
    try:
        yield running
    finally:
        running.stop()
