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

from primatrix.data import Dataset
from primatrix.disk import Answers
from primatrix.models import Model, Processor, build_model
from primatrix.records import ClipSpec
from primatrix.tagging import fingerprint_model, predict_to_file

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL and fork")

SPECIES = ["blank", "duiker", "hog"]
KILLS = 20
# Loads torch once, then runs the command line in a fork of itself for each line of arguments it reads.
SERVER = """
import os, shlex, signal, sys, time
import torch
import primatrix.cli
from primatrix.data import dataset, store
from primatrix.models import batches as prediction
from primatrix.tagging import folder as tagging
store.MOST_CLIPS_IN_SHARD = dataset.AHEAD = prediction.CLIPS_READ_AT_ONCE = tagging.CHUNK_VIDEOS = 16
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
def footage(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    """160 small videos, links to ten, one of which is broken and one cut short."""
    folder = tmp_path / "footage"
    folder.mkdir()
    paths = [make_video(folder / f"{i}.avi", frames=8 + i, size=(16, 16), codec="mpeg4") for i in range(10)]
    paths[3].write_bytes(b"no video")
    paths[7].write_bytes(paths[7].read_bytes()[:-300])
    for i in range(150):
        os.link(paths[i % 10], folder / f"link{i:03}.avi")
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
        left_over.add(len(list(out.glob(".parts/*.npz"))))
        return code

    def check() -> None:
        assert read_files(*(out / name for name in names)) == expected
        assert sorted(path.name for path in out.iterdir()) == sorted([*names, "run.json"])
        shutil.rmtree(out)

    kill_often(run, seconds / 4, check, is_varied=lambda: len(left_over) > 3)  # chunks that were kept


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


def test_kept_answers_are_used_and_only_for_the_same_files_and_model(
    footage: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("primatrix.models.batches.CLIPS_READ_AT_ONCE", 16)
    monkeypatch.setattr(Answers, "remove", lambda self: None)
    written: list[int] = []
    write = Answers.write
    monkeypatch.setattr(Answers, "write", lambda *words: (written.append(len(words[1])), write(*words)))

    def predict(model: Model) -> list[int]:
        written.clear()
        data = Dataset.from_folder(footage, model.spec, species=SPECIES, store=tmp_path / "s", workers=0)
        run = predict_to_file(model, data, tmp_path / "p.csv", device="cpu")
        assert run.table.isna().all(axis=1).sum() == 16
        return list(written)

    assert predict(model) == [16] * 10
    first = (tmp_path / "p.csv").read_bytes()
    assert predict(model) == []
    assert (tmp_path / "p.csv").read_bytes() == first
    os.utime(footage / "link000.avi", ns=(10**18, 10**18))  # of 0.avi and its 15 links
    assert predict(model) == [16] * 10
    kept = next((tmp_path / ".p.csv.parts").glob("*.npy"))
    for damaged in (b"", kept.read_bytes()[:-40], b"no array"):
        kept.write_bytes(damaged)
        assert predict(model) in ([], [16])  # one of this run, or of the one before the change
    (footage / "z.avi").write_bytes((footage / "0.avi").read_bytes())
    assert len(predict(model)) == 1
    other = build_model("lrcn", species=SPECIES, spec=model.spec, seed=1)
    assert len(predict(other)) == 11


def test_the_fingerprint_knows_weights_species_and_processor(model: Model) -> None:
    cpu = Processor("cpu", "fp32")
    assert fingerprint_model(model, cpu) == fingerprint_model(make_model(), cpu)
    others = [
        build_model("lrcn", species=["blank", "hog", "duiker"], spec=model.spec),
        build_model("lrcn", species=SPECIES, spec=ClipSpec(15, 16, 16, sampler="keyframes")),
        build_model("lrcn", species=SPECIES, spec=model.spec, seed=1),
    ]
    digests = {fingerprint_model(other, cpu) for other in others} | {
        fingerprint_model(model, Processor("cpu", "bf16"))
    }
    assert len(digests | {fingerprint_model(model, cpu)}) == 5
