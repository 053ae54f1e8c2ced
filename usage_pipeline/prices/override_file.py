"""price_overrides.csv as people edit it: read with its version, and replaced whole when nobody else changed it.

Here: the version, the lock against two editors, the atomic replace. Not here: what an edit makes of the text
(`override_edits.py`), what the file may say (`price_files.py`).
"""

import contextlib
import hashlib
import json
import os
import socket
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from usage_pipeline.prices.override_edits import Edit, Editor, OverrideEditError, edited
from usage_pipeline.prices.overrides import PriceOverride
from usage_pipeline.prices.price_files import price_overrides_of
from usage_pipeline.reference import ReferenceDataError

LOCK_WAIT_SECONDS = 5.0
"""How long an edit waits for another one; each holds the lock for milliseconds."""

_BYTE_ORDER_MARK = "\ufeff"


class FileChangedError(OverrideEditError):
    """The file is another than the one that the editor saw."""


class FileLockedError(OverrideEditError):
    """Somebody else is writing the file."""


@dataclass(frozen=True)
class OverrideFile:
    """The file as it was read. `version` is the SHA-256 of its bytes: an edit of it is done on no other version."""

    path: Path
    text: str
    version: str
    rows: tuple[tuple[int, PriceOverride], ...]
    """Each row with the line that it ends on."""


def read_override_file(path: Path) -> OverrideFile:
    """The file, held against the pipeline's rules.

    Raises:
        ReferenceDataError: it cannot be read, or says something that is not allowed; names the line and column.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReferenceDataError(f"{path.name} cannot be read as a CSV file in UTF-8: {error}.") from error
    rows = price_overrides_of(text.removeprefix(_BYTE_ORDER_MARK), path.name)
    return OverrideFile(path, text, hashlib.sha256(content).hexdigest(), tuple(rows))


def text_after(seen: OverrideFile, edits: Sequence[Edit], editor: Editor) -> str:
    """What the edits would make of the file; nothing is written.

    Raises:
        OverrideEditError: a row of an edit is not there.
        ReferenceDataError: the pipeline would not accept the result.
    """
    mark = _BYTE_ORDER_MARK if seen.text.startswith(_BYTE_ORDER_MARK) else ""
    return mark + edited(seen.text.removeprefix(mark), seen.path.name, edits, editor)


def save_edits(
    seen: OverrideFile, edits: Sequence[Edit], editor: Editor, lock_wait_seconds: float = LOCK_WAIT_SECONDS
) -> OverrideFile:
    """Do the edits on the file that was seen, and read it back. A reader sees the old file or the new one, whole.

    Raises:
        FileChangedError: the file is another by now. Nothing was written.
        FileLockedError: somebody else writes it for as long as we wait; says who, since when and where.
        OverrideEditError: a row of an edit is not there, or the file cannot be written.
        ReferenceDataError: the pipeline would not accept the result.
    """
    text = text_after(seen, edits, editor)
    # A link, such as into a folder under version control, stays one.
    path = seen.path.resolve()
    try:
        with _locked(path, editor, lock_wait_seconds):
            if _version(path) != seen.version:
                raise FileChangedError(
                    f"{path.name} was changed after you opened it, so nothing was written. Look at it as it is now and "
                    "save again."
                )
            _replace(path, text.encode("utf-8"))
    except OSError as error:
        raise OverrideEditError(f"{path} cannot be written: {error.strerror or error}. Nothing was changed.") from error
    return read_override_file(seen.path)


def _version(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def _replace(path: Path, content: bytes) -> None:
    """Put the content in the file's place in one step, with the file's rights."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(path.stat().st_mode & 0o777)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path, editor: Editor, wait_seconds: float) -> Generator[None]:
    """Hold the lock file beside the file, with who holds it written in it. The system frees it when a process ends."""
    lock_path = path.with_name(f".{path.name}.lock")
    holder = json.dumps(
        {
            "name": editor.name,
            "since": f"{editor.at.isoformat(timespec='seconds')}Z",
            "process": os.getpid(),
            "host": socket.gethostname(),
        }
    )

    def write_holder(descriptor: int) -> None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode(), 0)

    try:
        with FileLock(lock_path, timeout=wait_seconds, on_acquired=write_holder):
            try:
                yield
            finally:
                # Whoever reads this later is not told of an edit that is over.
                os.truncate(lock_path, 0)
    except Timeout:
        raise FileLockedError(f"{_holder_text(lock_path)} Nothing was written; save again in a moment.") from None


def _holder_text(lock_path: Path) -> str:
    """Who holds the lock, as far as the lock file says."""
    try:
        holder = json.loads(lock_path.read_text(encoding="utf-8"))
        since = datetime.fromisoformat(holder["since"])
        who = f"{str(holder['name'])[:100]} since {since:%Y-%m-%d %H:%M:%S} UTC"
        return f"The file is being written by {who} (process {holder['process']} on {str(holder['host'])[:100]})."
    except (OSError, ValueError, KeyError, TypeError):
        return f"The file is being written by somebody else, who holds {lock_path.name}."
