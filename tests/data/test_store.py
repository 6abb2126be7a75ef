import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from primatrix.data import shards, store
from primatrix.data.store import Store
from primatrix.errors import StoreError
from primatrix.records import Clip, ClipSpec, Failure, Progress, Video
from primatrix.video import DecodePool, PoolOptions, decode_clip, describe_video

SPEC = ClipSpec(frames=4)
HERE = PoolOptions(workers=0)


@pytest.fixture
def videos(make_video: Callable[..., Path], tmp_path: Path) -> list[Video]:
    """Twelve small videos, each unlike the others; number 3 is broken, number 7 damaged."""
    folder = tmp_path / "videos"
    folder.mkdir()
    paths = [
        make_video(folder / f"{i:02}.avi", frames=8 + i, size=(16, 16), codec="mpeg4") for i in range(12)
    ]
    paths[3].write_bytes(b"no video")
    content = paths[7].read_bytes()
    paths[7].write_bytes(content[:-300])
    for path in paths:
        os.utime(path, ns=(10**18, 10**18))
    return [describe_video(path, name=f"site é/{path.name}") for path in paths]


def digest(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
    }


def test_what_is_packed_is_read_back_as_it_was_decoded(tmp_path: Path, videos: list[Video]) -> None:
    opened = Store(tmp_path / "store", SPEC)
    summary = opened.pack(videos, options=HERE)
    assert (summary.present, summary.ok, summary.partial, summary.failed) == (0, 10, 1, 1)
    for kept in (opened, Store(tmp_path / "store", SPEC)):
        good = [video for video in reversed(videos) if video.path.name != "03.avi"]
        frames, pts = kept.read(good), kept.read_pts(good)
        assert frames.shape == (11, 4, 16, 16, 1)
        for i, video in enumerate(good):
            clip = decode_clip(video.path, SPEC)
            assert np.array_equal(frames[i], clip.frames)
            assert np.array_equal(pts[i], clip.pts_seconds)
        absent = Video(tmp_path / "x.mp4", "x.mp4", 1, 1)
        assert kept.status([videos[0], videos[3], videos[7], absent]).tolist() == [
            "ok", "failed", "partial", "absent",
        ]  # fmt: skip
        assert kept.failures(videos) == [
            Failure(videos[3].name, "open", "not readable as video: Invalid data found when processing input")
        ]
        assert len(kept) == 12
        assert kept.read([]).shape == (0, 4, 16, 16, 1)


def test_every_input_has_a_row_in_the_index_with_its_reason(tmp_path: Path, videos: list[Video]) -> None:
    opened = Store(tmp_path, SPEC)
    opened.pack(videos, options=HERE)
    index = opened.index
    assert index.index.tolist() == [video.name for video in videos]
    assert index["size_bytes"].tolist() == [video.size_bytes for video in videos]
    assert index["status"].tolist() == ["ok"] * 3 + ["failed"] + ["ok"] * 3 + ["partial"] + ["ok"] * 4
    assert index["reason"].iloc[7].startswith("cut short: ")
    assert index["row"].tolist() == [0, 1, 2, -1, 3, 4, 5, 6, 7, 8, 9, 10]


def test_the_layout_on_disk_opens_without_primatrix(tmp_path: Path, videos: list[Video]) -> None:
    Store(tmp_path, SPEC).pack(videos, options=HERE)
    folder = tmp_path / f"{SPEC.key}-v3"
    assert sorted(path.name for path in folder.iterdir()) == [
        "lock", "shard-000000.npy", "shard-000000.parquet", "spec.json",
    ]  # fmt: skip
    assert np.load(folder / "shard-000000.npy", mmap_mode="r").shape == (11, 4, 16, 16, 1)
    assert pq.read_table(folder / "shard-000000.parquet").schema.names == shards.SCHEMA.names
    manifest = json.loads((folder / "spec.json").read_text())
    assert manifest == {"format_version": 3, "spec": SPEC.to_dict()}


def test_packing_again_decodes_nothing(tmp_path: Path, videos: list[Video]) -> None:
    Store(tmp_path, SPEC).pack(videos, options=HERE)
    before = digest(tmp_path)

    def refuse(*args: object, **kwargs: object) -> Clip:
        raise AssertionError("decoded again")

    with DecodePool(SPEC, options=HERE, decode=refuse) as pool:
        summary = Store(tmp_path, SPEC).pack(videos, pool=pool)
    assert (summary.present, summary.packed) == (12, 0)
    assert digest(tmp_path) == before


def test_failures_are_tried_again_on_demand(tmp_path: Path, videos: list[Video]) -> None:
    opened = Store(tmp_path, SPEC)
    opened.pack(videos, options=HERE)
    summary = opened.pack(videos, options=HERE, retry_failed=True)
    assert (summary.present, summary.failed) == (11, 1)
    assert len(opened.failures(videos)) == 1


def test_a_changed_file_is_packed_anew_and_its_newest_row_wins(tmp_path: Path, videos: list[Video]) -> None:
    opened, other = Store(tmp_path, SPEC), Store(tmp_path, SPEC)
    opened.pack(videos, options=HERE)
    other.refresh()
    videos[3].path.write_bytes(videos[4].path.read_bytes() + b"JUNK\0\0\0\0")
    videos[5].path.write_bytes(b"broken now")
    changed = [describe_video(video.path, name=video.name) for video in videos]
    assert opened.is_packed(changed).tolist() == [i not in (3, 5) for i in range(12)]
    summary = opened.pack(changed, options=HERE)
    assert (summary.present, summary.ok, summary.failed) == (10, 1, 1)
    other.refresh()
    for kept in (opened, other, Store(tmp_path, SPEC)):
        assert np.array_equal(kept.read([changed[3]]), kept.read([videos[4]]))
        assert [failure.name for failure in kept.failures(changed)] == [videos[5].name]
        with pytest.raises(StoreError, match=r"no clip of 'site é/05.avi' \(1 of 2 videos\); pack it first"):
            kept.read([changed[4], changed[5]])


def test_many_small_packs_make_one_store(tmp_path: Path, videos: list[Video]) -> None:
    opened = Store(tmp_path, SPEC)
    for video in videos:
        opened.pack([video], options=HERE)
    whole = Store(tmp_path / "whole", SPEC)
    whole.pack(videos, options=HERE)
    good = [video for video in videos if "03" not in video.name]
    assert np.array_equal(opened.read(good), whole.read(good))
    assert np.array_equal(Store(tmp_path, SPEC).read(good), whole.read(good))


def test_shards_are_cut_by_count_and_by_bytes(
    tmp_path: Path, videos: list[Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_BYTES_IN_SHARD", 5 * 4 * 16 * 16)
    told: list[Progress] = []
    Store(tmp_path, SPEC).pack(videos, options=HERE, on_progress=told.append)
    assert [progress.done for progress in told] == [5, 10, 12]
    assert told[-1] == Progress("pack", 12, 12, message="1 failed")
    assert sorted(path.name for path in tmp_path.rglob("*.npy")) == [f"shard-00000{i}.npy" for i in range(3)]


def test_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path, videos: list[Video]) -> None:
    for workers in (0, 1, 2):
        options = PoolOptions(workers=workers, batch=3)
        Store(tmp_path / str(workers), SPEC).pack(videos, options=options)
    assert digest(tmp_path / "0") == digest(tmp_path / "1") == digest(tmp_path / "2")


def test_a_store_of_another_spec_or_format_is_refused(tmp_path: Path, videos: list[Video]) -> None:
    opened = Store(tmp_path, SPEC)
    opened.pack(videos[:1], options=HERE)
    (opened.folder / "spec.json").write_text('{"format_version": 0}')
    with pytest.raises(StoreError, match=r"spec.json: got another spec, wanted 4x16x16-grey"):
        opened.pack(videos, options=HERE)
    with (
        DecodePool(ClipSpec(), options=HERE) as pool,
        pytest.raises(StoreError, match="got a pool for 15x16x16"),
    ):
        opened.pack(videos, pool=pool)


def test_a_damaged_shard_is_named_in_one_line(tmp_path: Path, videos: list[Video]) -> None:
    opened = Store(tmp_path, SPEC)
    opened.pack(videos, options=HERE)
    (opened.folder / "shard-000000.npy").write_bytes(b"x")
    with pytest.raises(
        StoreError, match=r"shard 0 cannot be read .*; delete its .npy and .parquet"
    ) as caught:
        Store(tmp_path, SPEC).read(videos[:1])
    assert "\n" not in str(caught.value)


# ---- kills, two at once, full disks: each for real, in processes of their own

PACK = """
import sys
from primatrix.data import keeping, store
from primatrix.video import find_videos
from primatrix.records import ClipSpec
from primatrix.video import PoolOptions
folder, target, workers = sys.argv[1:4]
keeping.Pixels.most_in_shard = 16
def limit_files(progress):
    if progress.done >= 48 and "limit" in sys.argv:
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
opened = store.Store(target, ClipSpec(frames=4))
print("begin", flush=True)
summary = opened.pack(
    find_videos(folder), options=PoolOptions(workers=int(workers), batch=4), on_progress=limit_files
)
print(summary.packed, summary.present)
"""
SHARDS_OF_ALL = 15  # 240 videos, 16 to a shard


@pytest.fixture
def many(videos: list[Video]) -> Path:
    """A folder of 240 videos: twelve, and others that differ from them by a chunk nobody looks at."""
    folder = videos[0].path.parent
    for i in range(228):
        filler = b"JUNK" + (4).to_bytes(4, "little") + i.to_bytes(4, "little")
        (folder / f"more{i:03}.avi").write_bytes(videos[i % 12].path.read_bytes() + filler)
    return folder


def start_pack(folder: Path, target: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PACK, str(folder), str(target), *words]
    script = subprocess.Popen(command, stdout=-1, stderr=-1, text=True, start_new_session=True)
    assert script.stdout is not None
    assert script.stdout.readline() == "begin\n"
    return script


def finish(script: subprocess.Popen[str]) -> tuple[str, str]:
    """What it says after "begin" and its errors. Not communicate: that loses what readline has read ahead."""
    with script:
        assert script.stdout is not None
        assert script.stderr is not None
        return script.stdout.read(), script.stderr.read()


def pack_undisturbed(folder: Path, target: Path) -> dict[str, str]:
    assert finish(start_pack(folder, target, "0")) == ("240 0\n", "")
    return digest(target)


def rewind(target: Path, shards_left: int) -> None:
    """Take a finished store back to what it was after so many shards."""
    for path in target.rglob("shard-*"):
        if int(path.stem.removeprefix("shard-")) >= shards_left:
            path.unlink()


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_pack_killed_at_random_moments_and_resumed_gives_the_same_bytes(tmp_path: Path, many: Path) -> None:
    expected = pack_undisturbed(many, tmp_path / "whole")
    target, moments, kills = tmp_path / "killed", random.Random(0), 0
    while kills < 20:
        script = start_pack(many, target, str(kills % 3))
        time.sleep(moments.uniform(0.0, 0.15))
        if script.poll() is None:
            script.kill()
            kills += 1
        finish(script)
        if len(list(target.rglob("*.parquet"))) == SHARDS_OF_ALL:
            rewind(target, moments.randrange(SHARDS_OF_ALL))
    _, errors = finish(start_pack(many, target, "2"))
    assert errors == ""
    assert digest(target) == expected


def test_two_packers_at_once_do_no_damage_and_no_work_twice(tmp_path: Path, many: Path) -> None:
    expected = pack_undisturbed(many, tmp_path / "whole")
    both = [start_pack(many, tmp_path / "both", workers) for workers in ("0", "1")]
    outputs = [finish(script) for script in both]
    assert sorted(output for output, _ in outputs) == ["0 240\n", "240 0\n"]
    assert digest(tmp_path / "both") == expected


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_packer_waits_says_so_and_goes_on_when_the_other_is_killed(
    tmp_path: Path, videos: list[Video], caplog: pytest.LogCaptureFixture
) -> None:
    opened = Store(tmp_path, SPEC)
    opened.pack(videos[:1], options=HERE)
    hold = "import sys, time; from pathlib import Path; from primatrix.disk import hold_lock\n"
    hold += "with hold_lock(Path(sys.argv[1]), on_wait=list): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(opened.folder / "lock")], stdout=-1, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        threading.Timer(0.3, holder.kill).start()
        assert opened.pack(videos, options=HERE).packed == 11
    assert "another process is packing into it; waiting until that is done" in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="limits")
def test_a_file_limit_stops_with_a_clear_line_and_the_store_goes_on_later(tmp_path: Path, many: Path) -> None:
    expected = pack_undisturbed(many, tmp_path / "whole")
    target = tmp_path / "limited"
    _, errors = finish(start_pack(many, target, "0", "limit"))
    assert errors.splitlines()[-1] == (
        f"primatrix.errors.StoreError: {target / SPEC.key}-v3: cannot write shard 3: File too large; "
        "the 48 rows packed before are safe: mend that and run the same command again"
    )
    assert len(Store(target, SPEC)) == 48
    assert not list(target.rglob("*.part"))
    assert finish(start_pack(many, target, "0")) == ("192 48\n", "")
    assert digest(target) == expected


def test_a_full_disk_stops_with_a_clear_line_and_the_store_stays_valid(tmp_path: Path, many: Path) -> None:
    """A real one: a file system of 200 KB, in a mount namespace of its own, where the system lets us."""
    small = tmp_path / "small"
    small.mkdir()
    (tmp_path / "pack.py").write_text(PACK)
    mount = f"mount -t tmpfs -o size=200k tmpfs {small} && "
    pack = f"{sys.executable} {tmp_path}/pack.py {many} {small} 0; "
    copy = f"cp -r {small} {tmp_path}/copy"
    probe = subprocess.run(["unshare", "-rm", "sh", "-c", mount + "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this system lets nobody make a small file system")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount + pack + copy], capture_output=True, text=True, check=False
    )
    kept = len(list((tmp_path / "copy").rglob("*.parquet")))
    assert 0 < kept < SHARDS_OF_ALL
    assert done.stderr.splitlines()[-1].endswith(
        f"No space left on device; the {kept * 16} rows packed before are safe: "
        "mend that and run the same command again"
    )
    assert len(Store(tmp_path / "copy", SPEC)) == kept * 16
    assert not list((tmp_path / "copy").rglob("*.part"))
