"""The kinds of log file that can be read into Parquet parts: the name of each, and where its reader is.

Not here: the readers (`invocation_logs/`, `q_developer/`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import BinaryIO

import pyarrow as pa

from usage_pipeline.log_files.quarantine import Quarantine

MODEL_INVOCATIONS = "model_invocations"
Q_DEVELOPER_PROMPTS = "q_developer_prompts"

_MODULES = {
    MODEL_INVOCATIONS: "usage_pipeline.invocation_logs.parsing",
    Q_DEVELOPER_PROMPTS: "usage_pipeline.q_developer.prompt_logs",
}
"""Imported when asked for, so that a worker loads only what it reads."""


@dataclass(frozen=True)
class FileFormat:
    """One kind of log file."""

    schema: pa.Schema
    """The columns of its rows."""
    row_tables: Callable[[BinaryIO, str, Quarantine], Iterator[pa.Table]]
    """Gives a file's rows some at a time, from its content and its key at AWS; what is unreadable is set aside."""
    unique_columns: frozenset[str]
    """Columns whose texts hardly ever repeat."""


def file_format(name: str) -> FileFormat:
    """The format of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in _MODULES:
        raise ValueError(f"There is no format of log files named {name!r}; there are: {', '.join(_MODULES)}.")
    return import_module(_MODULES[name]).FILE_FORMAT
