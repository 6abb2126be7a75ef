import json
from dataclasses import replace
from pathlib import Path

import pytest

from primatrix.errors import InputError
from primatrix.interchange.formats import export_results
from primatrix.results import make_example


def test_a_missing_frame_rate_follows_from_count_and_length_or_is_asked_for(tmp_path: Path) -> None:
    example = make_example()
    unrated = example.clips.assign(frame_rate=float("nan"), frame_count=300, duration_seconds=15.0)
    out = export_results(replace(example, clips=unrated), "megadetector", tmp_path / "o.json").path
    images = json.loads(out.read_text())["images"]
    assert {image["frame_rate"] for image in images if not image.get("failure")} == {20.0}
    unknown = replace(example, clips=unrated.assign(duration_seconds=float("nan")))
    with pytest.raises(InputError, match=r"no count and length to tell it by, for .*write it into clips.csv"):
        export_results(unknown, "megadetector", tmp_path / "o.json")
