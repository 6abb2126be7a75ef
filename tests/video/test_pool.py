import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from primatrix.errors import InputError, PrimatrixError
from primatrix.records import Clip, ClipSpec, Failure, Video
from primatrix.video.decode import decode_clip
from primatrix.video.files import describe_video
from primatrix.video.pool import DecodePool, PoolOptions, _Batch, _Task, decode_clips

SPEC = ClipSpec(frames=4)
# What a worker runs in these tests instead of decode_clip: real crashes, chosen by the video's name.
FAULTY_DECODER = """
import ctypes, os, signal, time
import numpy as np
from primatrix.video.decode import decode_clip

def decode(path, spec, *, name):
    if "segfault" in name:
        ctypes.string_at(0)
    elif "killed" in name:
        os.kill(os.getpid(), signal.SIGKILL)
    elif "exit" in name:
        os._exit(3)
    elif "hang" in name:
        time.sleep(3600)
    elif "greedy" in name:
        np.ones(1 << 30, np.uint8)
    elif "surprise" in name:
        raise ZeroDivisionError("two\\nlines")
    elif "once" in name and not os.path.exists(f"{path}.tried"):
        open(f"{path}.tried", "w").close()
        os._exit(1)
    return decode_clip(path, spec, name=name)
"""

Decode = Callable[..., Clip]


@pytest.fixture
def faulty_decode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Decode]:
    (tmp_path / "faulty_decoder.py").write_text(FAULTY_DECODER)
    monkeypatch.syspath_prepend(tmp_path)
    import faulty_decoder

    yield faulty_decoder.decode
    del sys.modules["faulty_decoder"]


@pytest.fixture
def video(make_video: Callable[..., Path], tmp_path: Path) -> Video:
    return describe_video(make_video(tmp_path / "a.mp4", frames=8, size=(16, 16)))


def named(video: Video, *names: str) -> list[Video]:
    return [Video(video.path, name, video.size_bytes, video.mtime_ns) for name in names]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_every_video_gives_one_result_in_order(video: Video, tmp_path: Path, workers: int) -> None:
    absent = describe_video(video.path)
    videos = named(video, *(f"{i}.mp4" for i in range(75)))
    videos[40] = Video(tmp_path / "absent.mp4", "40.mp4", 0, 0)
    results = list(decode_clips(videos, SPEC, options=PoolOptions(workers=workers, batch=7)))
    assert [result.name for result in results] == [video.name for video in videos]
    assert results[40] == Failure("40.mp4", "read", "not readable as video: No such file or directory")
    expected = decode_clip(absent.path, SPEC)
    for result in results[:40] + results[41:]:
        assert isinstance(result, Clip)
        assert np.array_equal(result.frames, expected.frames)
        assert np.array_equal(result.pts_seconds, expected.pts_seconds)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_worker_that_dies_hangs_or_runs_out_of_memory_costs_that_clip_alone(
    video: Video, faulty_decode: Decode
) -> None:
    names = [f"{i}.mp4" for i in range(40)]
    faults = {
        3: ("segfault", "worker", "the worker process died (SIGSEGV)"),
        4: ("killed", "worker", "the worker process died (SIGKILL)"),
        11: ("exit", "worker", "the worker process died (exit code 3)"),
        20: ("hang", "time limit", "not done after 0.5 s"),
        30: ("greedy", "memory", "needs more memory than a worker may use"),
        35: ("surprise", "decode", "ZeroDivisionError: two lines"),
    }
    for place, (fault, _, _) in faults.items():
        names[place] = f"{fault}.mp4"
    options = PoolOptions(workers=2, batch=10, time_limit_seconds=0.5, memory_limit_bytes=1 << 29)
    if sys.platform != "linux":
        del faults[30]
    with DecodePool(SPEC, options=options, decode=faulty_decode) as pool:
        for _ in range(2):  # the pool is whole again afterwards
            results = list(pool.map(named(video, *names)))
            assert [result.name for result in results] == names
            failures = [result for result in results if isinstance(result, Failure)]
            assert failures == [Failure(f"{fault}.mp4", stage, why) for fault, stage, why in faults.values()]


def test_a_clip_is_tried_once_more_alone_before_it_is_called_bad(video: Video, faulty_decode: Decode) -> None:
    with DecodePool(SPEC, options=PoolOptions(workers=1), decode=faulty_decode) as pool:
        results = list(pool.map(named(video, "a.mp4", "once.mp4", "b.mp4")))
    assert [result.status for result in results] == ["ok", "ok", "ok"]
    assert Path(f"{video.path}.tried").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_workers_killed_from_outside_at_any_time_lose_nothing(video: Video) -> None:
    videos = named(video, *(f"{i}.mp4" for i in range(1500)))
    names, killed = [], 0
    with DecodePool(SPEC, options=PoolOptions(workers=2, batch=16)) as pool:
        for result in pool.map(videos):
            assert isinstance(result, Clip)
            names.append(result.name)
            if len(names) % 250 == 0:
                os.kill(pool._workers[killed % len(pool._workers)].process.pid, signal.SIGKILL)
                killed += 1
        time.sleep(0.05)
        for worker in pool._workers:  # all idle now
            os.kill(worker.process.pid, signal.SIGKILL)
        assert len(list(pool.map(videos[:5]))) == 5
    assert names == [video.name for video in videos]
    assert killed == 6


def test_a_worker_that_was_killed_while_idle_costs_no_second_try(video: Video) -> None:
    with DecodePool(SPEC, options=PoolOptions(workers=1)) as pool:
        list(pool.map([video]))
        pool._workers[0].process.kill()
        pool._workers[0].process.join()
        batch: _Batch[Video, Clip] = _Batch([video], [None], 1)
        pool._queue.append(_Task(batch, [0], alone=True))
        while batch.missing:
            pool._advance()
    assert isinstance(batch.results[0], Clip)


def test_an_endless_input_is_read_only_as_far_as_needed(video: Video) -> None:
    taken = itertools.count()

    def endless() -> Iterator[Video]:
        while True:
            yield Video(video.path, f"{next(taken)}.mp4", video.size_bytes, video.mtime_ns)

    options = PoolOptions(workers=2, batch=8)
    with DecodePool(SPEC, options=options) as pool:
        first = list(itertools.islice(pool.map(endless()), 100))
        assert [result.name for result in first] == [f"{i}.mp4" for i in range(100)]
        assert next(taken) <= 100 + 2 * 4 * 8 + 8
        again = list(pool.map(named(video, "x.mp4")))  # nothing of the map before comes back
        assert [result.name for result in again] == ["x.mp4"]


def test_a_decoder_that_cannot_start_is_one_clear_error(
    video: Video, faulty_decode: Decode, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "faulty_decoder.py").write_text("raise ImportError('broken installation')")
    with (
        DecodePool(SPEC, options=PoolOptions(workers=1), decode=faulty_decode) as pool,
        pytest.raises(PrimatrixError, match="worker processes die as they start"),
    ):
        list(pool.map([video]))
    assert "broken installation" in capfd.readouterr().err


SCRIPT = """
import sys
from primatrix.video.files import describe_video
from primatrix.records import ClipSpec, Video
from primatrix.video.pool import DecodePool, PoolOptions
video = describe_video(sys.argv[1])
videos = (Video(video.path, f"{i}.mp4", video.size_bytes, 0) for i in range(int(sys.argv[2])))
with DecodePool(ClipSpec(), options=PoolOptions(workers=2)) as pool:
    for count, result in enumerate(pool.map(videos)):
        if count == 50:
            print(*(worker.process.pid for worker in pool._workers), flush=True)
print("done", count + 1, "torch" in sys.modules)
"""


def start_script(video: Video, tmp_path: Path, count: int) -> subprocess.Popen[str]:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(video.path), str(count)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def test_a_script_needs_no_main_guard(video: Video, tmp_path: Path) -> None:
    script = start_script(video, tmp_path, 60)
    output, errors = script.communicate(timeout=60)
    assert output.splitlines()[1:] == ["done 60 False"]
    assert errors == ""


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_its_parent(video: Video, tmp_path: Path, how: signal.Signals) -> None:
    script = start_script(video, tmp_path, 10**9)
    assert script.stdout is not None
    workers = [int(word) for word in script.stdout.readline().split()]
    assert len(workers) == 2
    if how == signal.SIGINT:
        os.killpg(script.pid, how)  # as a terminal does: to the parent and its workers
    else:
        script.send_signal(how)
    _, errors = script.communicate(timeout=10)
    ended = time.monotonic() + 5
    while any(is_running(pid) for pid in workers) and time.monotonic() < ended:
        time.sleep(0.02)
    assert not any(is_running(pid) for pid in workers)
    assert errors.count("Traceback") == (how == signal.SIGINT)  # the script's own, none of a worker


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks memory up in /proc")
def test_a_worker_is_light_and_imports_no_torch(video: Video) -> None:
    with DecodePool(SPEC, options=PoolOptions(workers=1)) as pool:
        list(pool.map(named(video, "a.mp4")))
        pid = pool._workers[0].process.pid
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        mapped = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    peak_kib = int(status.split("VmHWM:")[1].split()[0])
    assert peak_kib < 150_000
    assert "torch" not in mapped
    assert "pandas" not in mapped


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="/proc")
def test_a_worker_keeps_nothing_of_the_videos_it_has_read(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_video(
        tmp_path / "large.avi", frames=15, size=(1280, 720), codec="mjpeg", pixel_format="yuvj420p"
    )
    video = describe_video(path)
    resident_kib = []
    with DecodePool(SPEC, options=PoolOptions(workers=1, batch=4)) as pool:
        for count in (20, 80):
            list(pool.map(named(video, *(f"{i}.avi" for i in range(count)))))
            status = Path(f"/proc/{pool._workers[0].process.pid}/status").read_text(encoding="utf-8")
            resident_kib.append(int(status.split("VmRSS:")[1].split()[0]))
    assert resident_kib[1] - resident_kib[0] < 40_000


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"workers": -1}, "workers: got -1, wanted 0 or more"),
        ({"batch": 0}, "batch: got 0, wanted 1 or more"),
        ({"memory_limit_bytes": 0}, "memory_limit_bytes: got 0, wanted 1 or more"),
        ({"time_limit_seconds": 0}, "time_limit_seconds: got 0, wanted more than 0"),
    ],
)
def test_numbers_that_cannot_be_are_refused(numbers: dict[str, int], said: str) -> None:
    with pytest.raises(InputError) as caught:
        PoolOptions(**numbers)
    assert str(caught.value) == said
