"""price_overrides.csv between several editors: one wins, the other is told, and readers see whole files only."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from usage_pipeline.prices.override_edits import HEADER, Adding, Editor, OverrideEditError, Removing
from usage_pipeline.prices.override_file import FileChangedError, FileLockedError, read_override_file, save_edits
from usage_pipeline.prices.price_files import read_price_overrides
from usage_pipeline.reference import ReferenceDataError
from usage_pipeline_tests.prices.factory import at
from usage_pipeline_tests.prices.test_override_edits import override

ANA = Editor("Ana Lima", at("2026-11-21T09:00"))
BEN = Editor("Ben Okoro", at("2026-11-21T09:30"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "price_overrides.csv"
    path.write_text(HEADER, encoding="utf-8")
    return path


def test_an_edit_is_what_the_pipeline_reads_next(file: Path) -> None:
    saved = save_edits(read_override_file(file), [Adding(override())], BEN)
    assert [row for _, row in saved.rows] == read_price_overrides(file)
    assert saved.rows[0][0] == 2
    assert (saved.rows[0][1].changed_by, saved.rows[0][1].changed_at) == ("Ben Okoro", at("2026-11-21T09:30"))


def test_of_two_editors_one_wins_and_the_other_is_told_and_can_save_again(file: Path) -> None:
    seen_by_both = read_override_file(file)
    save_edits(seen_by_both, [Adding(override("ana.*"))], ANA)
    with pytest.raises(FileChangedError) as caught:
        save_edits(seen_by_both, [Adding(override("ben.*"))], BEN)
    assert str(caught.value) == (
        "price_overrides.csv was changed after you opened it, so nothing was written. Look at it as it is now and save "
        "again."
    )
    save_edits(read_override_file(file), [Adding(override("ben.*"))], BEN)
    assert [row.model_pattern for row in read_price_overrides(file)] == ["ana.*", "ben.*"]


def test_of_many_editors_at_one_moment_exactly_one_wins(file: Path) -> None:
    seen = read_override_file(file)
    told: list[str] = []

    def edit(number: int) -> None:
        try:
            save_edits(seen, [Adding(override(f"model-{number}.*"))], BEN)
        except FileChangedError as error:
            told.append(str(error))

    threads = [threading.Thread(target=edit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(read_price_overrides(file)), len(told)) == (1, 7)


HOLDER = """
import sys, time
from pathlib import Path
from usage_pipeline.prices import override_file
from usage_pipeline.prices.override_edits import Editor
from datetime import datetime
editor = Editor("Ana Lima", datetime(2026, 11, 21, 9, 0))
with override_file._locked(Path(sys.argv[1]), editor, 1):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def held_by_another_process(file: Path) -> Generator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_who_holds_the_file_is_named_and_when_that_process_is_killed_the_next_edit_is_done(file: Path) -> None:
    seen = read_override_file(file)
    with held_by_another_process(file) as process:
        with pytest.raises(FileLockedError) as caught:
            save_edits(seen, [Adding(override())], BEN, lock_wait_seconds=0.1)
        assert str(caught.value) == (
            f"The file is being written by Ana Lima since 2026-11-21 09:00:00 UTC (process {process.pid} on "
            f"{os.uname().nodename}). Nothing was written; save again in a moment."
        )
        assert file.read_text(encoding="utf-8") == HEADER
        process.send_signal(signal.SIGKILL)
        process.wait()
        save_edits(seen, [Adding(override())], BEN, lock_wait_seconds=1)
    assert len(read_price_overrides(file)) == 1


def test_a_lock_that_does_not_say_who_holds_it_is_told_all_the_same(file: Path) -> None:
    seen = read_override_file(file)
    told: list[str] = []

    def edit() -> None:
        with pytest.raises(FileLockedError) as caught:
            save_edits(seen, [Adding(override())], BEN, lock_wait_seconds=0.1)
        told.append(str(caught.value))

    with FileLock(file.with_name(".price_overrides.csv.lock")):
        thread = threading.Thread(target=edit)
        thread.start()
        thread.join()
    assert told == [
        "The file is being written by somebody else, who holds .price_overrides.csv.lock. Nothing was written; save "
        "again in a moment."
    ]


def test_an_edit_that_is_refused_leaves_the_file_and_nothing_beside_it(file: Path) -> None:
    save_edits(read_override_file(file), [Adding(override())], BEN)
    before = file.read_bytes()
    with pytest.raises(ReferenceDataError):
        save_edits(read_override_file(file), [Adding(override(start="2026-08-01"))], BEN)
    with pytest.raises(OverrideEditError):
        save_edits(read_override_file(file), [Removing(override("other.*").key())], BEN)
    assert file.read_bytes() == before
    assert sorted(path.name for path in file.parent.iterdir()) == [".price_overrides.csv.lock", "price_overrides.csv"]
    assert (file.parent / ".price_overrides.csv.lock").read_text() == ""


def test_a_byte_order_mark_a_link_and_the_files_rights_are_kept(file: Path, tmp_path: Path) -> None:
    file.write_text(f"\ufeff{HEADER}", encoding="utf-8")
    file.chmod(0o640)
    (tmp_path / "config").mkdir()
    link = tmp_path / "config" / "price_overrides.csv"
    link.symlink_to(file)
    save_edits(read_override_file(link), [Adding(override())], BEN)
    assert link.is_symlink()
    assert file.read_text(encoding="utf-8").startswith(f"\ufeff{HEADER}acme.*")
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_gone_meanwhile_is_not_made_anew(file: Path) -> None:
    seen = read_override_file(file)
    file.unlink()
    with pytest.raises(FileChangedError):
        save_edits(seen, [Adding(override())], BEN)
    assert not file.exists()


def test_a_folder_that_cannot_be_written_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(OverrideEditError) as caught:
        save_edits(read_override_file(file), [Adding(override())], BEN)
    assert str(caught.value) == f"{file} cannot be written: Permission denied. Nothing was changed."


def test_a_file_that_is_no_text_is_told(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ReferenceDataError, match=r"^price_overrides.csv cannot be read as a CSV file in UTF-8: "):
        read_override_file(file)
