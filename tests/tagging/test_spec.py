import json
from pathlib import Path

import pytest

from primatrix.errors import InputError
from primatrix.footage import TimeSpec
from primatrix.tagging.neighbours import Neighbours
from primatrix.tagging.spec import TagSpec


def test_what_was_asked_for_is_written_into_run_json_and_reads_back() -> None:
    spec = TagSpec(
        media="both", times=TimeSpec("Africa/Abidjan", modified=True), site_from="{site}/{file}",
        deployments=Path("places.csv"), interval_minutes=60, neighbours=Neighbours(("hog",), usual=(-2.0,), others=0.5),
    )  # fmt: skip
    told = json.loads(json.dumps(spec.to_dict()))
    wanted = {"media": "both", "site_from": "{site}/{file}", "deployments": "places.csv", "interval_minutes": 60,
              "timezone": "Africa/Abidjan", "modified": True}  # fmt: skip
    assert {name: told[name] for name in wanted} == wanted
    assert (told["neighbours"]["species"], told["neighbours"]["others"]) == (["hog"], 0.5)


def test_what_was_not_asked_for_is_empty_there() -> None:
    told = TagSpec().to_dict()
    assert (told["media"], told["site_from"], told["deployments"], told["neighbours"]) == (
        "videos",
        "",
        "",
        None,
    )


@pytest.mark.parametrize("minutes", [-1, float("nan")])
def test_an_interval_that_cannot_be_is_refused(minutes: float) -> None:
    with pytest.raises(InputError, match="interval: got"):
        TagSpec(interval_minutes=minutes)
