from pathlib import Path

from primatrix.interchange.options import ExportOptions, ExportRun


def test_an_export_says_what_it_wrote_and_nothing_more_where_all_went_well() -> None:
    assert ExportRun(Path("out.csv"), "csv", 12).summary() == "12 clips as csv: out.csv"


def test_an_export_names_species_without_a_name_and_the_first_clips_left_out() -> None:
    run = ExportRun(Path("p"), "camtrap-dp", 3, ("okapi", "zebra"), ("a.mp4", "b.mp4", "c.mp4", "d.mp4"))
    assert run.summary().splitlines() == [
        "3 clips as camtrap-dp: p",
        "no scientific name for okapi, zebra; give one with --taxonomy FILE (columns species, scientific_name, …)",
        "4 clips left out, their time of recording is not known: a.mp4, b.mp4, c.mp4, …",
    ]
    three = ExportRun(Path("p"), "camtrap-dp", 3, left_out=("a.mp4", "b.mp4", "c.mp4"))
    assert three.summary().endswith("is not known: a.mp4, b.mp4, c.mp4")


def test_an_export_without_options_knows_the_benchmarks_species_and_asks_for_dated_clips() -> None:
    options = ExportOptions()
    assert options.taxonomy["hog"].scientific_name == "Suidae"
    assert not options.skip_undated
