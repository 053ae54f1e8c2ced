"""A worker process: `python -m usage_pipeline.invocation_logs.worker PART` parses the files that it is told on stdin.

A line on stdin is a JSON list of files, a line on stdout the result of one file; the part is whole when the process has
ended. Not a `multiprocessing` worker, because those import the main program first, which here is often all of Dagster.
"""

import sys
from pathlib import Path

import msgspec

from usage_pipeline.invocation_logs.parts import LogFile, PartWriter


def main() -> None:
    """Parse files until stdin ends."""
    files = msgspec.json.Decoder(list[LogFile])
    results = msgspec.json.Encoder()
    with PartWriter(Path(sys.argv[1])) as part:
        for line in sys.stdin.buffer:
            for file in files.decode(line):
                sys.stdout.buffer.write(results.encode(part.add(file)) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
