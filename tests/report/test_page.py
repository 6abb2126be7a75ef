"""The report: a page that is whole, valid and asks for nothing, pictures within limits."""

import html.parser
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from primatrix.cli import app
from primatrix.errors import InputError
from primatrix.report import ReportSpec, write_report
from primatrix.report.page import match_labels
from primatrix.report.selection import Strip, choose_strips
from primatrix.results import Results, say_watching

Make = Callable[..., Results]
SPECIES = ["blank", "duiker", "hog<b>"]
Browse = Callable[[Path], tuple[Path, set[str]]]


@pytest.fixture(scope="module")
def odd_report(
    tmp_path_factory: pytest.TempPathFactory,
    make_video: Callable[..., Path],
    make_results: Make,
    odd_names: tuple[str, ...],
) -> tuple[Path, str]:
    """A results folder of oddly named clips with labels, its report's path, and the page's text."""
    folder = tmp_path_factory.mktemp("report")
    results = make_results(folder / "videos")
    for name in odd_names[:3]:  # the fourth has gone
        (folder / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        make_video(folder / "videos" / name)
    results.write(folder / "results")
    labels = pd.DataFrame({"filepath": list(odd_names), "label": ["hog<b>", "hog<b>", "duiker", "blank"]})
    labels.to_csv(folder / "labels.csv", index=False)
    spec = ReportSpec(labels=folder / "labels.csv", workers=0)
    run = write_report(folder / "results", folder / "report.html", spec=spec)
    assert [name for name, _ in run.without] == [odd_names[3]]
    return run.path, run.path.read_text(encoding="utf-8")


def test_a_clip_without_sighting_is_shown_at_its_best_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: Results
) -> None:
    bare = replace(example, sightings=example.sightings[:0])
    looks = pd.DataFrame({"pts_seconds": [0.1, 1.0], "blank": 0.1, "duiker": [0.2, 0.9]})
    looks.insert(0, "filepath", "a/IMG_1.MP4")
    assert [strip.centre_seconds for strip in choose_strips(replace(bare, frames=looks))] == [1.0]
    drawn: list[Strip] = []
    monkeypatch.setattr(
        "primatrix.report.page.draw_filmstrips", lambda strips, *_, **__: drawn.extend(strips) or {}
    )
    for frames in ([looks], None):
        bare.write(tmp_path / "results", frames=frames)
        write_report(tmp_path / "results", tmp_path / "r.html", spec=ReportSpec(workers=0))
    assert [strip.centre_seconds for strip in drawn] == [1.0, None]


# ---- the page


class PageCheck(html.parser.HTMLParser):
    """Notes tags that are not closed in order, and every address and text alternative."""

    VOID = frozenset(["meta", "img", "br", "line", "rect", "circle", "polyline"])

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")


def test_the_page_is_valid_html(odd_report: tuple[Path, str]) -> None:
    check = PageCheck(odd_report[1])
    assert (check.wrong, check.open) == ([], [])
    ids = [attributes["id"] for _, attributes in check.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [str(a["href"]) for tag, a in check.tags if tag == "a"]
    assert {target.removeprefix("#") for target in targets} <= set(ids)
    html5lib = pytest.importorskip("html5lib")
    parser = html5lib.HTMLParser(strict=False)
    parser.parse(odd_report[1])
    assert parser.errors == []


def test_the_page_asks_for_nothing_outside(odd_report: tuple[Path, str]) -> None:
    text = odd_report[1]
    assert not re.findall(r"https?:|@import|<script|<link|url\(", re.sub(r"base64,[\w+/=]+", "", text))
    for tag, attributes in PageCheck(text).tags:
        assert tag not in ("script", "link", "iframe", "object", "embed")
        for name in ("src", "srcset", "href", "data", "poster", "action"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:image/webp;base64,", "#"))
        assert not [name for name in attributes if name.startswith("on")]


def test_labels_show_how_good_the_model_is(odd_report: tuple[Path, str]) -> None:
    text = " ".join(re.sub(r"<[^>]+>", " ", odd_report[1]).split())
    assert "Measured on 4 labelled clips" in text
    assert "hog&lt;b&gt; 2 1 1 0 " in text  # labelled, found, missed, wrong
    assert "duiker 1 0 1 2 " in text
    assert "Precision against recall of duiker: 1 clip, average precision 0.25." in text


def test_every_picture_and_chart_has_words_and_every_table_a_caption(odd_report: tuple[Path, str]) -> None:
    check = PageCheck(odd_report[1])
    pictures = [attributes for tag, attributes in check.tags if tag == "img"]
    assert len(pictures) > 3
    assert all(picture["alt"] for picture in pictures)
    charts = re.findall(r'<svg role="img"[^>]*><title>[^<]+</title>', odd_report[1])
    assert len(charts) == sum(tag == "svg" for tag, _ in check.tags) > 3
    tables = sum(tag == "table" for tag, _ in check.tags)
    assert tables == sum(tag == "caption" for tag, _ in check.tags) > 3


def test_odd_names_are_shown_as_they_are_and_run_nothing(odd_report: tuple[Path, str]) -> None:
    text = odd_report[1]
    assert "<script>" not in text
    assert "hog<b>" not in text
    assert "a/&lt;script&gt;alert(1)&lt;/script&gt;.mp4" in text
    assert "b/été 日本 ☃.mp4" in text
    assert "b/x](y){{z}}%s.mp4" in text
    assert "not &lt;readable&gt; &amp; empty" in text
    assert "the &lt;end&gt; is missing" in text


def test_a_clip_that_has_gone_has_a_line_with_the_reason(odd_report: tuple[Path, str]) -> None:
    assert '<p class="gone">No picture: no such file; check the path</p>' in odd_report[1]


def test_a_run_without_sites_times_or_readable_clips_still_gets_its_page(
    tmp_path: Path, make_results: Make
) -> None:
    results = make_results(tmp_path)
    clips = results.clips.tail(1).assign(site="", recorded_at="", time_source="")
    failed = Results(results.predictions.tail(1), results.failures, clips, results.sightings.head(0), None,
                     {**results.facts, "operating_points": {}})  # fmt: skip
    failed.write(tmp_path / "results")
    run = write_report(tmp_path / "results", tmp_path / "report.html", spec=ReportSpec(workers=0))
    text = run.path.read_text()
    assert "No clip could be read." in text
    assert "No plausible time of recording is known" in text
    assert PageCheck(text).wrong == []


@pytest.mark.parametrize("proven", [True, False])
def test_the_page_says_what_is_to_be_watched_as_the_terminal_does(
    tmp_path: Path, make_results: Make, proven: bool
) -> None:
    results = make_results(tmp_path)
    points = results.facts["operating_points"] if proven else {}
    results = replace(results, facts={**results.facts, "operating_points": points})
    results.write(tmp_path / "results")
    run = write_report(tmp_path / "results", tmp_path / "report.html", spec=ReportSpec(workers=0))
    text = run.path.read_text()
    assert f"<p><b>To watch</b>: {say_watching(results)}.</p>" in text
    assert ("Not promised, only expected" in text) == proven
    assert ("no clip may be" in text) != proven
    assert PageCheck(text).wrong == []


def test_labels_of_other_clips_are_refused(tmp_path: Path, make_results: Make) -> None:
    make_results(tmp_path).write(tmp_path / "results")
    (tmp_path / "labels.csv").write_text("filepath,label\nother.mp4,duiker\n")
    with pytest.raises(InputError, match=r"none of its 1 clips is among the results, as other.mp4"):
        write_report(
            tmp_path / "results", tmp_path / "r.html", spec=ReportSpec(labels=tmp_path / "labels.csv")
        )


def test_labels_may_name_the_clips_as_another_system_does(tmp_path: Path, make_results: Make) -> None:
    results = make_results(tmp_path / "footage", names=("north/a.mp4", "north/b.mp4"))
    results.write(tmp_path / "results")
    (tmp_path / "labels.csv").write_text(
        "filepath,label\nE:\\footage\\North\\A,duiker\nfootage/north/b.mp4,blank\n"
    )
    labels = match_labels(tmp_path / "labels.csv", results)
    assert labels.index.tolist() == ["north/a.mp4", "north/b.mp4"]
    assert labels.loc["north/a.mp4"].to_dict() == {"blank": 0, "duiker": 1, "hog<b>": 0}


def test_labels_of_clips_that_trained_do_not_measure_the_model(tmp_path: Path, make_results: Make) -> None:
    results = make_results(tmp_path, names=("a.mp4", "b.mp4"))
    path = tmp_path / "labels.csv"
    path.write_text("filepath,label,split\na.mp4,duiker,train\nb.mp4,Duiker,test\n")
    assert match_labels(path, results)["duiker"].to_dict() == {"b.mp4": 1}


def test_the_training_curve_is_drawn_from_the_model_folder(tmp_path: Path, make_results: Make) -> None:
    from safetensors.numpy import save_file

    make_results(tmp_path).write(tmp_path / "results")
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.json").write_text('{"format_version": 1}')
    epochs = [{"loss": 0.5, "val_loss": 0.6}, {"loss": 0.25, "val_loss": float("nan")}]
    save_file(
        {"w": np.zeros(1)}, model / "training.safetensors", {"primatrix": json.dumps({"epochs": epochs})}
    )
    spec = ReportSpec(model=model, strips=0, workers=0)
    text = write_report(tmp_path / "results", tmp_path / "r.html", spec=spec).path.read_text()
    assert "Loss over 2 epochs: training from 0.5 to 0.25, validation from 0.6 to 0.6." in text


def test_the_page_of_ten_thousand_clips_stays_small(tmp_path: Path, make_results: Make) -> None:
    names = tuple(f"site{i % 200:03}/{'x' * 80}{i:05}.mp4" for i in range(10_000))
    results = make_results(tmp_path, names=names)
    failed = results.predictions.copy()
    failed.loc[5000:, "status"] = "failed"
    failed.loc[5000:, SPECIES] = np.nan
    failures = pd.DataFrame(
        {"filename": failed["filepath"][5000:], "stage": "open", "reason": "made up " + "y" * 200}
    )
    big = Results(failed, failures, results.clips, results.sightings, None, results.facts)
    big.write(tmp_path / "results")
    run = write_report(tmp_path / "results", tmp_path / "r.html", spec=ReportSpec(strips=0, workers=0))
    assert run.size_bytes < 500_000  # pictures have their own budget of 13.5 MB, 18 MB as text


def test_the_command_writes_the_page_and_tells_of_clips_it_cannot_show(
    odd_report: tuple[Path, str], tmp_path: Path, odd_names: tuple[str, ...]
) -> None:
    folder, out = odd_report[0].parent, tmp_path / "r.html"
    command = [
        "report",
        str(folder / "results"),
        "--out",
        str(out),
        "--strips",
        "1",
        "--workers",
        "0",
        "--quiet",
    ]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1
    assert re.match(r".*r.html: 0.\d MB, 5 filmstrips\n", done.stdout)
    assert f"no picture of {odd_names[3]}: no such file" in done.stdout
    assert "1 clip could not be read; see " in done.stderr


# ---- in a browser


def test_a_browser_shows_the_page_which_asks_for_nothing(
    odd_report: tuple[Path, str], browse: Browse
) -> None:
    picture, asked = browse(odd_report[0])
    pixels = np.asarray(Image.open(picture).convert("L"))
    assert pixels.shape == (844, 390)
    assert pixels.std() > 10  # something is there to be seen
    assert not {url for url in asked if not url.startswith("data:")}


def test_the_browser_test_would_notice_a_page_that_asks(tmp_path: Path, browse: Browse) -> None:
    page = tmp_path / "asks.html"
    page.write_text('<!DOCTYPE html><title>asks</title><img src="http://127.0.0.1:9/x.png" alt="none">')
    assert browse(page)[1] == {"http://127.0.0.1:9/x.png"}
