from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from primatrix.models import Model, build_model, choose_processor
from primatrix.records import ClipSpec, Failure, Progress, Video
from primatrix.tagging import tagger
from primatrix.tagging.answers import Answer, pack_answers, unpack_answers
from primatrix.tagging.kept import KeptAnswers
from primatrix.tagging.tagger import Tagger
from primatrix.video import find_videos

MakeVideo = Callable[..., Path]


@pytest.fixture
def model() -> Model:
    return build_model("lrcn", species=["blank", "hog"], spec=ClipSpec(2, 16, 16))


@pytest.fixture
def videos(make_video: MakeVideo, tmp_path: Path) -> list[Video]:
    """Three clips that differ, and a file that is no video, in alphabetical order."""
    for name in "abd":
        make_video(tmp_path / f"{name}.avi", frames=8, size=(16, 16), codec="mpeg4")
    (tmp_path / "c.avi").write_bytes(b"no video")
    return list(find_videos(tmp_path))


def open_kept(folder: Path) -> KeptAnswers:
    pack = partial(pack_answers, species_count=2)
    return KeptAnswers(folder, made_by="test", pack=pack, unpack=unpack_answers)


def tag(model: Model, videos: list[Video], folder: Path) -> dict[str, Answer]:
    kept = open_kept(folder)
    keys = {video.name: video.name.encode().ljust(16) for video in videos}
    Tagger(model, kept, choose_processor("cpu"), None).tag(videos, keys, workers=0)
    places = {keys[video.name]: [i] for i, video in enumerate(videos)}
    return {videos[at].name: answer for part in kept.read(places) for found, answer in part for at in found}


def test_every_video_gets_one_answer_and_a_broken_one_says_why(
    model: Model, videos: list[Video], tmp_path: Path
) -> None:
    answers = tag(model, videos, tmp_path / "kept")
    assert [(name, answer.status, answer.stage) for name, answer in sorted(answers.items())] == [
        ("a.avi", "ok", ""), ("b.avi", "ok", ""), ("c.avi", "failed", "open"), ("d.avi", "ok", ""),
    ]  # fmt: skip
    for name in ("a.avi", "b.avi", "d.avi"):
        assert (
            len(answers[name].frames) == len(answers[name].pts_seconds) == 2
        )  # the two frames the model sees
        assert ((answers[name].clip > 0) & (answers[name].clip < 1)).all()


def test_answers_do_not_depend_on_where_a_run_stopped(
    model: Model, videos: list[Video], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tagger, "CHUNK_VIDEOS", 2)
    whole = tag(model, videos, tmp_path / "whole")
    rest = tag(model, videos[2:], tmp_path / "rest")
    np.testing.assert_array_equal(whole["d.avi"].clip, rest["d.avi"].clip)
    assert len(list((tmp_path / "whole").rglob("*.npz"))) == 2


def test_what_the_disk_did_not_give_is_answered_but_not_kept(
    model: Model, videos: list[Video], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passing = Failure("a.avi", "read", "Input/output error")
    monkeypatch.setattr(tagger, "walk_videos", lambda *_, **__: iter([passing]))
    kept = open_kept(tmp_path / "kept")
    asked = Tagger(model, kept, choose_processor("cpu"), None)
    asked.tag(videos[:1], {"a.avi": bytes(16)}, workers=0)
    assert list(asked.passing) == ["a.avi"]
    assert (asked.passing["a.avi"].stage, asked.passing["a.avi"].reason) == ("read", "Input/output error")
    assert kept.find_keys() == set()


def test_progress_counts_videos_to_the_last(model: Model, videos: list[Video], tmp_path: Path) -> None:
    told: list[Progress] = []
    kept = open_kept(tmp_path / "kept")
    asked = Tagger(model, kept, choose_processor("cpu"), told.append)
    asked.tag(videos, {video.name: video.name.encode().ljust(16) for video in videos}, workers=0)
    assert {step.total for step in told} == {4}
    assert [step.done for step in told] == sorted(step.done for step in told)
    assert told[-1].done == 4
