import errno
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from primatrix.disk.locks import hold_alone, hold_lock
from primatrix.errors import InputError

HOLD = """
import sys, time
from pathlib import Path
from primatrix.disk.locks import hold_lock

with hold_lock(Path(sys.argv[1]), on_wait=list):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def another_holds(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process of its own that holds the lock until it is killed."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=-1, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            yield other
        finally:
            other.kill()


def refuse() -> None:
    raise AssertionError("waited for a lock that nobody holds")


def test_a_free_lock_is_held_at_once_and_may_be_held_again(tmp_path: Path) -> None:
    for _ in range(2):
        with hold_lock(tmp_path / "lock", on_wait=refuse):
            pass


def test_an_error_in_the_block_lets_go_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold_lock(tmp_path / "lock", on_wait=refuse):
        raise ZeroDivisionError
    with hold_lock(tmp_path / "lock", on_wait=refuse):
        pass


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_who_waits_says_so_once_and_goes_on_when_the_holder_is_killed(tmp_path: Path) -> None:
    told: list[str] = []
    with another_holds(tmp_path / "lock") as other:
        killer = threading.Timer(0.5, other.kill)
        with hold_lock(tmp_path / "lock", on_wait=lambda: (told.append("waiting"), killer.start())):
            assert other.wait(timeout=10) == -9
    assert told == ["waiting"]


def test_two_locks_of_two_files_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with another_holds(tmp_path / "lock"), hold_lock(tmp_path / "other", on_wait=refuse):
        pass


def test_a_lock_that_cannot_be_made_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="lock"), hold_lock(tmp_path / "file" / "lock", on_wait=refuse):
        pass


@pytest.mark.skipif(os.name != "posix", reason="flock")
def test_a_drive_without_locks_is_an_error_not_a_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_lock(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse_lock)
    (tmp_path / "lock").touch()
    with (
        pytest.raises(OSError, match="Function not implemented"),
        hold_lock(tmp_path / "lock", on_wait=refuse),
    ):
        pass


def test_a_second_run_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    path.parent.mkdir()
    with another_holds(path) as other:
        with pytest.raises(InputError) as caught, hold_alone(path, doing="training"):
            pass
        assert str(caught.value) == (
            f"{path.parent}: another training is writing there; wait for it, or name another place"
        )
        other.kill()
        other.wait(timeout=10)
    with hold_alone(path, doing="training"):
        pass


@pytest.mark.skipif(os.name != "posix", reason="flock")
def test_on_a_drive_without_locks_a_run_goes_on_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse_lock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse_lock)
    ran = False
    with caplog.at_level(logging.WARNING), hold_alone(tmp_path / "lock", doing="training"):
        ran = True
    assert ran
    assert "this drive knows no locks; start no second training here" in caplog.text


def test_an_error_in_the_block_is_not_taken_for_one_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No locks available"), hold_alone(tmp_path / "lock", doing="training"):
        raise OSError(errno.ENOLCK, "No locks available")
