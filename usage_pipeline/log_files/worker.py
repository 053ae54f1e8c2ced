"""A worker process: `python -m usage_pipeline.log_files.worker FORMAT PART` parses the files that it is told on stdin.

A line on stdin is a JSON list of files, a line on stdout the result of one file; the part is whole when the process has
ended. Not a `multiprocessing` worker, because those import the main program first, which here is often all of Dagster.
"""

import gc
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

import msgspec


class _WithoutPandas(MetaPathFinder):
    """pandas and numpy are not there: pyarrow can do without, and importing them takes longer than all the rest."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname in ("numpy", "pandas"):
            raise ImportError(f"A worker that parses log files does without {fullname}.")


def main() -> None:
    """Parse files until stdin ends."""
    sys.meta_path.insert(0, _WithoutPandas())
    from usage_pipeline.log_files.formats import file_format  # here, because these import pyarrow
    from usage_pipeline.log_files.parts import LogFile, PartWriter

    gc.disable()  # records hold no cycles, and looking for them among so many takes a twentieth of the time
    files = msgspec.json.Decoder(list[LogFile])
    results = msgspec.json.Encoder()
    with PartWriter(Path(sys.argv[2]), file_format(sys.argv[1])) as part:
        for line in sys.stdin.buffer:
            for file in files.decode(line):
                sys.stdout.buffer.write(results.encode(part.add(file)) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
