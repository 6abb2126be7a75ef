import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from primatrix.report.filmstrips import Filmstrip
from primatrix.report.selection import Strip
from primatrix.report.sheets import make_sheets
from primatrix.report.tallies import count_by_species
from primatrix.results import Results

Make = Callable[..., Results]


def test_sheets_come_in_the_order_of_species_and_their_groups_from_surest_to_missed(
    tmp_path: Path, make_results: Make, odd_names: tuple[str, ...]
) -> None:
    results = make_results(tmp_path)
    pictures: dict[Strip, Filmstrip | str] = {
        Strip(odd_names[0], "blank", "least sure", 0.05): "gone",
        Strip(odd_names[1], "duiker", "missed", 0.1): "gone",
        Strip(odd_names[1], "duiker", "surest", 0.6): "gone",
        Strip(odd_names[0], "duiker", "surest", 0.93): "gone",
    }
    duiker, blank = make_sheets(pictures, results, species=count_by_species(results))
    assert (duiker.species, blank.species) == ("duiker", "blank")
    assert [group.heading for group in duiker.groups] == [
        "The surest",
        "Missed: labelled so, but below the threshold",
    ]
    assert [strip.filepath for strip in duiker.groups[0].strips] == [odd_names[1], odd_names[0]]
    assert blank.groups[0].heading == "The least sure: nearest to the threshold"


def test_a_strip_has_its_picture_in_words_its_best_frame_and_what_is_known_of_the_clip(
    tmp_path: Path, make_results: Make, odd_names: tuple[str, ...]
) -> None:
    results = make_results(tmp_path)
    strip = Strip(odd_names[2], "duiker", "surest", 0.934, centre_seconds=2.6)
    film = Filmstrip(b"webp", 1008, 150, (0.0, 1.0, 2.0, 3.0, 4.4))
    [sheet] = make_sheets({strip: film}, results, species=count_by_species(results))
    [shown] = sheet.groups[0].strips
    assert shown.alt == "5 frames of b/été 日本 ☃.mp4 from second 0 to 4; duiker with probability 0.93"
    assert shown.facts == ("b", "2026-03-01 08:30")
    assert base64.b64decode(shown.data) == b"webp"
    assert (shown.best, shown.tiny, shown.reason) == (3, False, "")


def test_a_strip_of_one_tiny_frame_has_no_best_one_where_nobody_knows_when(
    tmp_path: Path, make_results: Make, odd_names: tuple[str, ...]
) -> None:
    results = make_results(tmp_path)
    bare = replace(results, clips=results.clips.assign(site="", recorded_at=""))
    film = Filmstrip(b"webp", 16, 16, (0.0,))
    pictures = {Strip(odd_names[2], "duiker", "surest", 0.9): film}
    [sheet] = make_sheets(pictures, bare, species=count_by_species(bare))
    [shown] = sheet.groups[0].strips
    assert shown.alt.startswith("One frame of b/été")
    assert (shown.best, shown.tiny, shown.facts) == (-1, True, ())


def test_a_clip_without_a_picture_has_the_reason(
    tmp_path: Path, make_results: Make, odd_names: tuple[str, ...]
) -> None:
    results = make_results(tmp_path)
    pictures = {Strip(odd_names[0], "duiker", "surest", 0.93): "open: empty file"}
    [sheet] = make_sheets(pictures, results, species=count_by_species(results))
    [shown] = sheet.groups[0].strips
    assert (shown.data, shown.alt, shown.reason, shown.probability) == ("", "", "open: empty file", 0.93)
