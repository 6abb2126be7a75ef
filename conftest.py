"""What doctests and tests share: the smallest results there are, as `example`."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # loaded when the first test runs, not before
    from primatrix.results import Results


def make_example() -> "Results":
    """Results of two clips: a duiker from 2 to 7.5 s of one, the other broken."""
    import pandas as pd

    from primatrix.results import Results, complete_facts

    species, clips = ["blank", "duiker"], ["a/IMG_1.MP4", "a/IMG_2.MP4"]
    return Results(
        pd.DataFrame({"filepath": clips, "status": ["ok", "failed"], "blank": [0.1, None], "duiker": [0.9, None]}),
        pd.DataFrame({"filename": clips[1:], "stage": ["open"], "reason": ["empty file"]}),
        pd.DataFrame({"filepath": clips, "duration_seconds": [15.0, None], "frame_rate": [24.0, None],
                      "frame_count": [360, None], "width_px": [720, None], "height_px": [404, None],
                      "codec": ["h264", ""], "recorded_at": ["2026-03-01T06:30:00+01:00", ""],
                      "time_source": ["container", ""], "time_warning": "", "site": "a", "deployment": "a",
                      "event": ["a-1", ""], "note": ""}),
        pd.DataFrame({"filepath": clips[:1], "species": ["duiker"], "start_seconds": [2.0], "end_seconds": [7.5],
                      "best_seconds": [4.0], "probability": [0.9]}),
        None,
        complete_facts({"species": species, "model": "lrcn", "thresholds": {"duiker": 0.5}}),
    )  # fmt: skip


@pytest.fixture(scope="session")
def example() -> "Results":
    """Results of two clips: a duiker in one, the other broken. Made once: they say when, to the second."""
    return make_example()


@pytest.fixture(scope="session", autouse=True)
def _keep_clips_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded clips of tests, and of the programs they start, are not kept in the user's cache."""
    os.environ["PRIMATRIX_STORE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    del os.environ["PRIMATRIX_STORE"]


@pytest.fixture(scope="session", autouse=True)
def _name_it_in_doctests(
    doctest_namespace: dict[str, Any], example: "Results"
) -> None:  # Any: any name's value
    doctest_namespace["example"] = example
