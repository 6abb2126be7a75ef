import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from primatrix.data import Dataset, pack_folder
from primatrix.data.cache import default_store
from primatrix.records import ClipSpec
from primatrix.simulation import SimulationSpec, simulate


def list_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_each_folder_has_a_place_of_its_own_in_the_named_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIMATRIX_STORE", str(tmp_path / "cache"))
    one, other = default_store(tmp_path / "a" / "DCIM"), default_store(tmp_path / "b" / "DCIM")
    assert (one.parent, one.name[:5], other.name[:5]) == (tmp_path / "cache", "DCIM-", "DCIM-")
    assert one != other
    assert list_files(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="each system has its own place for caches")
def test_without_a_name_it_is_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRIMATRIX_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_store("videos").parent == tmp_path / "primatrix"


def test_a_link_leads_to_the_same_place(tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "card")
    assert default_store(tmp_path / "link") == default_store(tmp_path / "card")
    assert default_store("/").name.startswith("all-")


def test_nothing_is_written_among_the_videos(make_video: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "card"
    folder.mkdir()
    for i in range(4):
        make_video(folder / f"{i}.avi", frames=3 + i, size=(16, 16), codec="mpeg4")
    (tmp_path / "labels.csv").write_text("filepath,label\n0.avi,hog\n1.avi,hog\n2.avi,lion\n3.avi,lion\n")
    before = list_files(folder)
    run = pack_folder(folder, ClipSpec(2), workers=0)
    data = Dataset.from_folder(folder, ClipSpec(2), labels=tmp_path / "labels.csv", workers=0)
    data.pack()
    assert list_files(folder) == before
    assert run.store.parent == default_store(folder)
    assert run.counts.packed == 4
    assert pack_folder(folder, ClipSpec(2), workers=0).counts.present == 4


def test_nothing_is_written_into_a_benchmark_folder(tmp_path: Path) -> None:
    simulate(tmp_path, spec=SimulationSpec(train_clips=6, test_clips=2), workers=1)
    before = list_files(tmp_path)
    Dataset(tmp_path, workers=0).pack()
    assert list_files(tmp_path) == before
