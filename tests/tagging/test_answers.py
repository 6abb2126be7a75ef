from datetime import UTC, datetime

import numpy as np
import pytest

from primatrix.tagging.answers import Answer, name_facts, pack_answers, unpack_answers
from primatrix.video import VideoFacts


def make_answer(frames: int, *, status: str = "ok", **changes: object) -> Answer:
    rng = np.random.default_rng(frames)
    return Answer(status, facts={"codec": "h264", "site": "é"}, clip=rng.random(3, np.float32),
                  pts_seconds=np.arange(frames) / 3, frames=rng.random((frames, 3), np.float32), **changes)  # fmt: skip


def test_answers_come_back_to_the_last_bit_in_their_order() -> None:
    answers = [
        make_answer(5),
        Answer("failed", "open", 'no "video", été'),
        make_answer(2, status="partial", reason="cut"),
    ]
    back = unpack_answers(pack_answers(answers, species_count=3))
    assert [(a.status, a.stage, a.reason, dict(a.facts)) for a in back] == [
        ("ok", "", "", {"codec": "h264", "site": "é"}),
        ("failed", "open", 'no "video", été', {}),
        ("partial", "", "cut", {"codec": "h264", "site": "é"}),
    ]
    for before, after in ((answers[0], back[0]), (answers[2], back[2])):
        for name in ("clip", "pts_seconds", "frames"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name), strict=True)


def test_a_failed_clip_has_no_probability_and_no_frame() -> None:
    for answers in ([Answer("failed", "open", "empty")], [Answer("failed", "open", "empty"), make_answer(1)]):
        failed = unpack_answers(pack_answers(answers, species_count=3))[0]
        assert np.isnan(failed.clip).tolist() == [True, True, True]
        assert (failed.pts_seconds.shape, failed.frames.shape) == ((0,), (0, 3))


def test_packed_answers_are_plain_arrays_that_need_no_pickle() -> None:
    packed = pack_answers([make_answer(4)], species_count=3)
    assert {name: array.dtype.kind for name, array in packed.items()} == {
        "clip": "f", "count": "i", "pts_seconds": "f", "frames": "f", "boxes": "f", "box_count": "i",
        "words": "u"}  # fmt: skip


@pytest.mark.parametrize(
    ("container", "recorded", "text", "is_still"),
    [
        ("mov", datetime(2026, 3, 1, 6, 30, tzinfo=UTC), "2026-03-01T06:30:00+00:00", False),
        ("still", None, "", True),
    ],
)
def test_facts_are_named_as_clips_csv_names_them(
    container: str, recorded: datetime | None, text: str, is_still: bool
) -> None:
    facts = VideoFacts(
        container, "h264", "yuv420p", 720, 404, 30000 / 1001, 450, 450, 15.0149999, 0, recorded, False, ""
    )
    assert name_facts(facts) == {
        "duration_seconds": 15.015, "frame_rate": 29.97, "frame_count": 450, "width_px": 720, "height_px": 404,
        "codec": "h264", "recorded": text, "is_still": is_still,
    }  # fmt: skip
