"""Several cards in one store, drives that fail for a while, more shards than a process may open."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from primatrix.data import shards
from primatrix.data.keeping import Pixels
from primatrix.data.loader import ClipLoader, pack_folder
from primatrix.data.store import Store
from primatrix.records import Clip, ClipSpec, Failure, Video
from primatrix.video import DecodePool, PoolOptions, decode_clip, describe_video, find_videos

SPEC = ClipSpec(frames=2)
HERE = PoolOptions(workers=0)
MakeVideo = Callable[..., Path]


@pytest.fixture
def cards(make_video: MakeVideo, tmp_path: Path) -> tuple[Path, Path]:
    """Two cards whose files have the same names, sizes and times, but show other pictures."""
    north, south = tmp_path / "north", tmp_path / "south"
    for number, card in enumerate((north, south)):
        (card / "DCIM").mkdir(parents=True)
        for i in range(3):
            path = make_video(
                card / f"DCIM/IMG_000{i}.avi", frames=8 + 3 * number + i, size=(16, 16), codec="mpeg4"
            )
            filler = 20_000 - path.stat().st_size - 8
            path.write_bytes(path.read_bytes() + b"JUNK" + filler.to_bytes(4, "little") + bytes(filler))
            os.utime(path, ns=(10**18, 10**18))
    return north, south


def test_two_cards_with_the_same_names_keep_their_own_pictures(
    cards: tuple[Path, Path], tmp_path: Path
) -> None:
    sizes = [[(v.name, v.size_bytes, v.mtime_ns) for v in find_videos(card)] for card in cards]
    assert sizes[0] == sizes[1]
    for card in cards:
        pack_folder(card, SPEC, store=tmp_path / "store", workers=0)
    for card in cards:
        loader = ClipLoader(find_videos(card), SPEC, store=tmp_path / "store", workers=0)
        names = list(loader.videos)
        loader.prepare(names)
        own = np.stack([decode_clip(card / name, SPEC).frames for name in names])
        assert np.array_equal(loader.read(names), own)


def test_a_store_does_not_grow_when_cards_take_turns(cards: tuple[Path, Path], tmp_path: Path) -> None:
    for card in (*cards, *cards, *cards):
        counts = pack_folder(card, SPEC, store=tmp_path / "store", workers=0).counts
    assert (counts.present, counts.packed) == (3, 0)
    assert len(list((tmp_path / "store").rglob("shard-*.parquet"))) == 2


def test_a_card_at_the_place_of_another_is_looked_at_anew(cards: tuple[Path, Path], tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    for card, packed in zip(cards, (3, 3), strict=True):
        shutil.rmtree(mount, ignore_errors=True)
        shutil.copytree(card, mount)  # times of change and sizes as on the other card
        assert pack_folder(mount, SPEC, store=tmp_path / "store", workers=0).counts.packed == packed


def test_a_folder_that_was_moved_is_known_again(cards: tuple[Path, Path], tmp_path: Path) -> None:
    pack_folder(cards[0], SPEC, store=tmp_path / "store", workers=0)
    cards[0].rename(tmp_path / "moved")
    assert pack_folder(tmp_path / "moved", SPEC, store=tmp_path / "store", workers=0).counts.packed == 0


def test_one_file_under_two_names_is_decoded_once(cards: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copy(cards[0] / "DCIM/IMG_0000.avi", cards[0] / "copy of a broken name.avi")
    run = pack_folder(cards[0], SPEC, store=tmp_path / "store", workers=0)
    assert (run.counts.packed, run.counts.present) == (3, 1)


def test_what_a_drive_did_not_give_is_not_kept_and_tried_again(
    cards: tuple[Path, Path], tmp_path: Path
) -> None:
    def away(path: Path, spec: ClipSpec, *, name: str) -> Clip:
        raise OSError(5, "Input/output error")

    videos, opened = find_videos(cards[0]), Store(tmp_path / "store", SPEC)
    with DecodePool(SPEC, options=HERE, decode=away) as pool:
        summary = opened.pack(videos, pool=pool)
    assert (summary.failed, len(summary.unread), len(opened)) == (3, 3, 0)
    assert summary.unread[0] == Failure("DCIM/IMG_0000.avi", "read", "not readable: Input/output error")
    assert opened.pack(videos, options=HERE).ok == 3


def test_a_permission_may_be_given_later(
    make_video: MakeVideo, public_folder: Path, as_anyone: Callable[[], AbstractContextManager[None]]
) -> None:
    videos = [describe_video(make_video(public_folder / f"{i}.mp4", frames=8 + i)) for i in range(2)]
    opened = Store(public_folder / "store", SPEC)
    (public_folder / "store").mkdir(mode=0o777)
    (public_folder / "store").chmod(0o777)
    videos[1].path.chmod(0)
    with as_anyone():
        summary = opened.pack(videos, options=HERE)
        assert [(f.name, f.stage, f.reason) for f in summary.unread] == [
            ("1.mp4", "read", "not readable: Permission denied")
        ]
        assert opened.status(videos).tolist() == ["ok", "absent"]
    videos[1].path.chmod(0o644)
    with as_anyone():
        assert opened.pack(videos, options=HERE).ok == 1


def test_a_file_that_vanishes_is_a_failure_of_that_file_and_is_found_when_it_is_back(
    cards: tuple[Path, Path], tmp_path: Path
) -> None:
    videos, opened = find_videos(cards[0]), Store(tmp_path / "store", SPEC)
    gone = videos[1].path.rename(tmp_path / "gone")
    summary = opened.pack(videos, options=HERE)
    assert summary.unread == (Failure(videos[1].name, "read", "not readable: No such file or directory"),)
    assert opened.status(videos).tolist() == ["ok", "absent", "ok"]
    gone.rename(videos[1].path)
    assert opened.pack(find_videos(cards[0]), options=HERE).ok == 1


def test_a_part_that_a_drive_gave_is_kept_once_and_replaced_when_there_is_more(
    cards: tuple[Path, Path], tmp_path: Path
) -> None:
    def half(path: Path, spec: ClipSpec, *, name: str) -> Clip:
        return Clip(
            name, np.zeros(spec.shape, np.uint8), np.zeros(2), "reading stopped after 4 frames", may_pass=True
        )

    videos, opened = find_videos(cards[0]), Store(tmp_path / "store", SPEC)
    for _ in range(3):
        with DecodePool(SPEC, options=HERE, decode=half) as pool:
            assert opened.pack(videos, pool=pool).partial == 3
    assert opened.status(videos).tolist() == ["partial"] * 3
    assert len(list(opened.folder.glob("shard-*.parquet"))) == 1
    assert opened.pack(videos, options=HERE).ok == 3
    assert opened.read(videos).any()


def test_lasting_failures_are_tried_again_only_on_demand(cards: tuple[Path, Path], tmp_path: Path) -> None:
    (cards[0] / "DCIM/IMG_0002.avi").write_bytes(b"no video")
    assert pack_folder(cards[0], SPEC, store=tmp_path / "store", workers=0).counts.failed == 1
    again = pack_folder(cards[0], SPEC, store=tmp_path / "store", workers=0)
    assert (again.counts.packed, [f.stage for f in again.failures]) == (0, ["open"])
    assert (
        Store(tmp_path / "store", SPEC).pack(find_videos(cards[0]), options=HERE, retry_failed=True).failed
        == 1
    )


READ_ALL = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
import numpy as np
from primatrix.data import Store
from primatrix.records import ClipSpec
from primatrix.video import find_videos
videos = find_videos(sys.argv[1])
opened = Store(sys.argv[2], ClipSpec(frames=2))
opened.pack(videos)
order = np.random.default_rng(0).permutation(len(videos))
print(len(videos), opened.read([videos[i] for i in order]).shape[0], int(opened.read_pts(videos).shape[0]))
"""


@pytest.mark.skipif(os.name != "posix", reason="limits")
def test_three_hundred_shards_are_read_with_256_handles(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tmp_path / "card"
    card.mkdir()
    one = make_video(tmp_path / "one.avi", frames=4, size=(16, 16), codec="mpeg4").read_bytes()
    for i in range(300):
        (card / f"{i:03}.avi").write_bytes(
            one + b"JUNK" + (2).to_bytes(4, "little") + i.to_bytes(2, "little")
        )
    monkeypatch.setattr(Pixels, "most_in_shard", 1)
    opened = Store(tmp_path / "store", SPEC)
    assert opened.pack(find_videos(card), options=HERE).ok == 300
    assert len(shards.list_shards(opened.folder)) == 300
    done = subprocess.run([sys.executable, "-c", READ_ALL, str(card), str(tmp_path / "store")],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "300 300 300\n", "")


def test_a_shard_that_could_not_be_opened_is_not_said_to_be_damaged(
    cards: tuple[Path, Path], tmp_path: Path
) -> None:
    videos, opened = find_videos(cards[0]), Store(tmp_path / "store", SPEC)
    opened.pack(videos, options=HERE)
    error = shards.refuse_shard(opened.folder, 0, OSError(24, "Too many open files"))
    assert "delete" not in str(error)
    assert "delete" in str(shards.refuse_shard(opened.folder, 0, ValueError("no .npy")))


def test_a_video_without_a_stamp_of_its_own_gets_one_from_path_size_and_time(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    found = describe_video(tmp_path / "a.mp4")
    plain = Video(tmp_path / "a.mp4", "a.mp4", 1, found.mtime_ns)
    assert len(plain.stamp) == len(found.stamp) == 16
    assert plain.stamp == Video(tmp_path / "a.mp4", "other name", 1, found.mtime_ns).stamp
    assert plain.stamp != Video(tmp_path / "a.mp4", "a.mp4", 2, found.mtime_ns).stamp
