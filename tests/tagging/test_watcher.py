import io
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from primatrix.models import Features, look_closely
from primatrix.records import Failure
from primatrix.tagging import watcher
from primatrix.tagging.kept import KeptAnswers
from primatrix.tagging.sights import Sight, pack_sights, unpack_sights
from primatrix.tagging.watcher import Watcher
from primatrix.video import find_videos

MakePatch = Callable[..., Path]


@pytest.fixture(scope="module")
def features() -> Features:
    return look_closely()


def open_kept(folder: Path, features: Features) -> KeptAnswers:
    pack = partial(pack_sights, width=features.facts.features)
    return KeptAnswers(folder, made_by="test", pack=pack, unpack=unpack_sights)


def watch(card: Path, kept: Path, features: Features) -> dict[str, Sight]:
    videos, answers = find_videos(card, media="both"), open_kept(kept, features)
    keys = {video.name: video.name.encode().ljust(16) for video in videos}
    Watcher(features, answers, None).watch(videos, keys, workers=0)
    places = {keys[video.name]: [i] for i, video in enumerate(videos)}
    found = {videos[at].name: one for part in answers.read(places) for where, one in part for at in where}
    return {name: one for name, one in found.items() if isinstance(one, Sight)}


def test_what_moves_is_found_where_and_when_it_does(
    make_patch: MakePatch, features: Features, tmp_path: Path
) -> None:
    make_patch(tmp_path / "card" / "fox.mp4", species="fox")
    make_patch(tmp_path / "card" / "blank.mp4", species="blank")
    (tmp_path / "card" / "broken.mp4").write_bytes(b"no video")
    seen = watch(tmp_path / "card", tmp_path / "kept", features)
    fox, blank, broken = seen["fox.mp4"], seen["blank.mp4"], seen["broken.mp4"]
    assert (fox.status, fox.facts["duration_seconds"], len(fox.features)) == ("ok", 5.0, 1280)
    seconds, left, top, width, height, _ = fox.closeups.T
    assert ((seconds >= 1.0) & (seconds <= 3.5)).all()
    np.testing.assert_allclose(left + width / 2, (32 * (seconds - 1) + 12) / 128, atol=0.08)
    np.testing.assert_allclose(top + height / 2, 52 / 96, atol=0.08)
    red, _, blue = np.asarray(Image.open(io.BytesIO(fox.picture)))[60:100, 60:100].mean((0, 1))
    assert red > blue + 80  # the close-up is kept, with the fox in its middle
    assert (blank.status, blank.movement, len(blank.features), blank.picture[:2]) == (
        "ok",
        0.0,
        0,
        b"\xff\xd8",
    )
    assert (broken.status, broken.stage) == ("failed", "open")


def test_a_long_video_is_one_sight_with_closeups_of_all_its_windows(
    make_patch: MakePatch, features: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_patch(tmp_path / "card" / "a.mp4", species="fox", seconds=240, start=200)
    whole = watch(tmp_path / "card", tmp_path / "whole", features)["a.mp4"]
    assert ((whole.closeups[:, 0] >= 200) & (whole.closeups[:, 0] <= 202.5)).all()
    monkeypatch.setattr("primatrix.video.walk.MOST_WINDOWS_AT_ONCE", 3)
    parts = watch(tmp_path / "card", tmp_path / "parts", features)["a.mp4"]
    np.testing.assert_array_equal(parts.closeups, whole.closeups)
    np.testing.assert_allclose(parts.features, whole.features, atol=0.01)
    assert parts.picture == whole.picture
    assert parts.movement == whole.movement == pytest.approx(whole.closeups[:, 5].sum(), abs=1e-5)


def test_a_still_has_features_of_the_whole_picture_and_no_movement(
    features: Features, tmp_path: Path
) -> None:
    (tmp_path / "card").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)).save(
        tmp_path / "card/a.jpg"
    )
    still = watch(tmp_path / "card", tmp_path / "kept", features)["a.jpg"]
    assert (len(still.features), len(still.closeups), still.picture[:2]) == (1280, 0, b"\xff\xd8")
    assert math.isnan(still.movement)


def test_what_the_disk_did_not_give_is_answered_but_not_kept(
    make_patch: MakePatch, features: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_patch(tmp_path / "card" / "a.mp4", species="fox")
    failure = Failure("a.mp4", "read", "Input/output error")
    monkeypatch.setattr(watcher, "walk_videos", lambda *_, **__: iter([failure]))
    kept = open_kept(tmp_path / "kept", features)
    asked = Watcher(features, kept, None)
    asked.watch(find_videos(tmp_path / "card"), {"a.mp4": bytes(16)}, workers=0)
    assert (asked.passing["a.mp4"].status, asked.passing["a.mp4"].reason) == ("failed", "Input/output error")
    assert kept.find_keys() == set()


def test_progress_counts_videos(make_patch: MakePatch, features: Features, tmp_path: Path) -> None:
    videos = [make_patch(tmp_path / "card" / f"{i}.mp4", species="blank", seed=i) for i in range(3)]
    told: list[tuple[str, int, int]] = []
    asked = Watcher(
        features,
        open_kept(tmp_path / "kept", features),
        lambda at: told.append((at.stage, at.done, at.total)),
    )
    found = find_videos(tmp_path / "card")
    asked.watch(found, {video.name: video.name.encode().ljust(16) for video in found}, workers=0)
    assert len(videos) == 3
    assert told == [("watch", 1, 3), ("watch", 2, 3), ("watch", 3, 3)]
