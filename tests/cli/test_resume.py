"""Jobs killed with SIGKILL at random moments and started again give the bytes of an undisturbed run."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from primatrix.models import Model, build_model
from primatrix.records import ClipSpec

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL and fork")

SPECIES = ["blank", "duiker", "hog"]
KILLS = 20
# Loads torch once, then runs the command line in a fork of itself for each line of arguments it reads.
SERVER = """
import os, shlex, signal, sys, time
import torch
import primatrix.cli
from primatrix.data import dataset, keeping
from primatrix.models import batches as prediction
from primatrix.tagging import tagger, watcher
keeping.Pixels.most_in_shard = dataset.AHEAD = prediction.CLIPS_READ_AT_ONCE = tagger.CHUNK_VIDEOS = 16
watcher.CHUNK_VIDEOS = 4
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        sys.argv = ["primatrix", *shlex.split(line)[1:]]
        primatrix.cli.main()
    seconds = float(line.split()[0])
    if seconds >= 0:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)  # not yet waited for, so the number is still its own
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Server:
    """The process that forks the command line."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, text=True
        )

    def read_number(self) -> int:
        assert self.process.stdout is not None
        while not (line := self.process.stdout.readline().strip()).lstrip("-").isdecimal():
            assert self.process.poll() is None
            continue  # what the command prints
        return int(line)

    def run(self, *words: object, kill_after_seconds: float | None = None) -> int:
        """The exit code of one command, -9 where it was killed."""
        assert self.process.stdin is not None
        seconds = -1 if kill_after_seconds is None else kill_after_seconds
        self.process.stdin.write(f"{seconds} {' '.join(map(str, words))}\n")
        self.process.stdin.flush()
        return self.read_number()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.process.kill()
    running.process.communicate()


@pytest.fixture
def footage(make_video: Callable[..., Path], copy_avi: Callable[..., Path], tmp_path: Path) -> Path:
    """160 small videos, most of them like one of ten, one of which is broken and one cut short."""
    folder = tmp_path / "footage"
    folder.mkdir()
    paths = [make_video(folder / f"{i}.avi", frames=8 + i, size=(16, 16), codec="mpeg4") for i in range(10)]
    paths[3].write_bytes(b"no video")
    paths[7].write_bytes(paths[7].read_bytes()[:-300])
    for i in range(150):
        copy_avi(paths[i % 10], folder / f"more{i:03}.avi", number=i)
    return folder


@pytest.fixture
def model() -> Model:
    return make_model()


def make_model() -> Model:
    model = build_model("lrcn", species=SPECIES, spec=ClipSpec(15, 16, 16))
    weights = model.network.state_dict()
    weights["head.bias"].fill_(
        -4.0
    )  # few animals seen, as in real footage, so few windows are looked at closely
    return model


def read_files(*paths: Path) -> list[bytes]:
    return [path.read_bytes() for path in paths]


def kill_often(
    run: Callable[[float | None], int],
    seconds: float,
    check: Callable[[], None],
    is_varied: Callable[[], bool] = lambda: True,
) -> None:
    """Start and kill a job 20 times, `check` it each time it comes to its end, and once more undisturbed.

    On a busy machine, as many times more as it takes for kills to have met different moments of the job.
    """
    moments, kills = random.Random(0), 0
    while kills < KILLS or (kills < 10 * KILLS and not is_varied()):
        code = run(moments.uniform(0, seconds))
        kills += code == -signal.SIGKILL
        if code != -signal.SIGKILL:
            check()
    assert run(None) == 1  # clips could not be read: said, with all others done
    check()


def test_a_prediction_killed_at_20_random_moments_gives_the_same_bytes(
    server: Server, footage: Path, model: Model, tmp_path: Path
) -> None:
    model.save(tmp_path / "model")
    command = ("predict", footage, "--model", tmp_path / "model", "--per-frame", "--workers", 0, "--quiet")
    began = time.perf_counter()
    assert server.run(*command, "--out", tmp_path / "whole") == 1
    seconds = time.perf_counter() - began
    names = ("predictions.csv", "clips.csv", "sightings.csv", "failures.csv", "frames.parquet")
    expected = read_files(*(tmp_path / "whole" / name for name in names))
    assert expected[0].count(b"\n") == 161
    out, left_over = tmp_path / "out", set()

    def run(kill_after_seconds: float | None) -> int:
        code = server.run(*command, "--out", out, kill_after_seconds=kill_after_seconds)
        left_over.add(len(list(out.glob(".answers/*/*.npz"))))
        return code

    def check() -> None:
        assert read_files(*(out / name for name in names)) == expected
        assert sorted(path.name for path in out.iterdir()) == sorted([*names, "run.json", ".answers"])
        shutil.rmtree(out)

    kill_often(run, seconds / 4, check, is_varied=lambda: len(left_over) > 3)  # chunks that were kept


def test_a_first_look_killed_at_20_random_moments_gives_the_same_bytes(
    server: Server, footage: Path, make_patch: Callable[..., Path], tmp_path: Path
) -> None:
    for path in footage.glob("more*.avi"):
        path.unlink()
    for i in range(8):
        make_patch(footage / f"fox{i}.mp4", species="fox", seed=i)
    command = ("predict", footage, "--workers", 0, "--quiet", "--device", "cpu")

    def read_all(out: Path) -> dict[str, bytes]:
        own = (path for path in (*out.glob("*.csv"), *out.glob("groups/*")) if path.is_file())
        return {path.relative_to(out).as_posix(): path.read_bytes() for path in own}

    began = time.perf_counter()
    assert server.run(*command, "--out", tmp_path / "whole") == 1
    seconds = time.perf_counter() - began
    expected = read_all(tmp_path / "whole")
    assert expected["clips.csv"].count(b"\n") == 19
    assert {"movements.csv", "predictions.csv", "failures.csv", "groups/01.jpg"} <= set(expected)
    out = tmp_path / "out"

    def run(kill_after_seconds: float | None) -> int:
        return server.run(*command, "--out", out, kill_after_seconds=kill_after_seconds)

    def check() -> None:
        assert read_all(out) == expected
        assert not list(out.rglob("*.part"))
        shutil.rmtree(out)

    kill_often(run, seconds / 4, check)


def test_a_pack_by_command_killed_at_20_random_moments_gives_the_same_bytes(
    server: Server, footage: Path, tmp_path: Path
) -> None:
    def read_store(store: Path) -> dict[str, bytes]:
        paths = (path for path in store.rglob("*") if path.is_file())
        return {path.name: path.read_bytes() for path in paths}

    command = ("pack", footage, "--workers", 0, "--quiet")
    began = time.perf_counter()
    assert server.run(*command, "--store", tmp_path / "whole") == 1
    seconds = time.perf_counter() - began
    expected = read_store(tmp_path / "whole")
    assert len(expected) == 2 * 10 + 3  # ten shards of two files; spec.json, lock, failures.csv
    store = tmp_path / "killed"

    def run(kill_after_seconds: float | None) -> int:
        return server.run(*command, "--store", store, kill_after_seconds=kill_after_seconds)

    def check() -> None:
        assert read_store(store) == expected
        shutil.rmtree(store)

    kill_often(run, seconds / 2, check)
