import hashlib
import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from primatrix.errors import PrimatrixError
from primatrix.records import Progress
from primatrix.simulation.drawing import Drawing, draw_all, list_drawings
from primatrix.simulation.survey import SimulationSpec, draw_survey

SPEC = SimulationSpec(train_clips=60, test_clips=20, seed=5, broken=3)


def list_all(folder: Path) -> list[Drawing]:
    (folder / "nano").mkdir(parents=True, exist_ok=True)
    return list_drawings(folder, draw_survey(SPEC), "nano")


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "nano").iterdir()}


def test_only_what_is_missing_is_listed_and_halves_are_removed(tmp_path: Path) -> None:
    first, *rest = list_all(tmp_path)
    first.path.write_bytes(b"whole")
    (tmp_path / "nano" / ".half.mp4.host-12.part").write_bytes(b"half")
    (tmp_path / "nano" / ".half.mp4.spoiled").write_bytes(b"half")
    assert list_all(tmp_path) == rest
    assert len(rest) == 79
    assert [path.name for path in (tmp_path / "nano").iterdir()] == [first.name]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_processes_that_are_killed_cost_no_file_and_no_byte(tmp_path: Path) -> None:
    draw_all(list_all(tmp_path / "whole"), SPEC, workers=1)
    killed = []

    def kill_all(progress: Progress) -> None:
        if progress.done == 1:  # the first batch is done, the second is being drawn
            killed.extend(multiprocessing.active_children())
            for worker in killed:
                worker.kill()
                worker.join()  # a process takes a moment to die, in which it could be given another file

    draw_all(list_all(tmp_path / "killed"), SPEC, workers=2, on_progress=kill_all)
    assert [worker.exitcode for worker in killed] == [-9, -9]
    assert len(digest(tmp_path / "killed")) == 80
    assert digest(tmp_path / "killed") == digest(tmp_path / "whole")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_cannot_be_drawn_stops_the_run_with_one_line(tmp_path: Path, workers: int) -> None:
    drawings = list_all(tmp_path)
    drawings[40] = replace(drawings[40], damage=99)
    with pytest.raises(PrimatrixError) as caught:
        draw_all(drawings, SPEC, workers=workers)
    assert str(caught.value) == (
        f"{drawings[40].name}: cannot be drawn: IndexError: tuple index out of range; run this again to go on"
    )
    assert 40 <= len(list(tmp_path.glob("nano/[!.]*"))) < 80  # those before are there


@pytest.mark.parametrize("workers", [1, 2])
def test_a_folder_that_is_gone_stops_the_run_as_the_system_says(tmp_path: Path, workers: int) -> None:
    drawings = list_all(tmp_path)
    (tmp_path / "nano").rmdir()
    with pytest.raises(OSError, match="No such file or directory"):
        draw_all(drawings, SPEC, workers=workers)


FULL = """
import sys
from primatrix.errors import InputError
from primatrix.simulation import SimulationSpec, simulate
try:
    simulate(sys.argv[1], spec=SimulationSpec(train_clips=300, test_clips=20), workers=int(sys.argv[2]))
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_stops_the_run_with_one_line(tmp_path: Path, workers: int) -> None:
    """A real one: a file system of 400 KB, in a mount namespace of its own, where the system lets us."""
    small = tmp_path / "small"
    small.mkdir()
    (tmp_path / "full.py").write_text(FULL)
    mount = f"mount -t tmpfs -o size=400k tmpfs {small} && "
    probe = subprocess.run(["unshare", "-rm", "sh", "-c", mount + "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this system lets nobody make a small file system")
    draw = f"{sys.executable} {tmp_path}/full.py {small} {workers}"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount + draw], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == (
        f"{small}: cannot write there (No space left on device); make room or choose another folder, then run this "
        "again\n"
    )


def test_a_drawing_process_is_light() -> None:
    code = "import sys, primatrix.simulation.drawing; assert not {'pandas', 'torch'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
