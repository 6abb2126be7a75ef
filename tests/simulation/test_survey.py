import numpy as np
import pytest

from primatrix.errors import InputError
from primatrix.labels import BENCHMARK_SPECIES, BLANK, TEST_CLIPS, TRAIN_CLIPS, TRAIN_POSITIVES
from primatrix.simulation.survey import SimulationSpec, Survey, draw_survey, label_counts

BLANK_COLUMN = BENCHMARK_SPECIES.index(BLANK)


@pytest.fixture(scope="module")
def full() -> Survey:
    return draw_survey(SimulationSpec(train_clips=TRAIN_CLIPS, test_clips=TEST_CLIPS))


def test_the_full_table_has_exactly_the_benchmarks_counts(full: Survey) -> None:
    counts = full.labelled[:TRAIN_CLIPS].sum(axis=0)
    assert dict(zip(BENCHMARK_SPECIES, counts.tolist(), strict=True)) == dict(TRAIN_POSITIVES)
    assert (full.labelled[:TRAIN_CLIPS].sum(axis=1) > 1).sum() == 374
    assert len(full.labelled) == 204_130 + 87_485


def test_test_clips_have_the_same_frequencies(full: Survey) -> None:
    train, test = full.shown[:TRAIN_CLIPS].mean(axis=0), full.shown[TRAIN_CLIPS:].mean(axis=0)
    assert np.abs(train - test).max() < 1e-5


def test_blank_excludes_every_other_and_every_clip_has_a_label(full: Survey) -> None:
    for table in (full.shown, full.labelled):
        assert table.any(axis=1).all()
        assert (table[table[:, BLANK_COLUMN]].sum(axis=1) == 1).all()


def test_two_percent_of_training_labels_are_wrong_and_no_test_label(full: Survey) -> None:
    wrong = (full.shown != full.labelled).any(axis=1)
    assert 0.0195 < wrong[:TRAIN_CLIPS].mean() <= 0.0201
    assert not wrong[TRAIN_CLIPS:].any()
    blanks = (full.shown != full.labelled)[:, BLANK_COLUMN]
    assert 0.6 < blanks.sum() / wrong.sum() < 0.8  # most mistakes miss an animal or see one in a blank


def test_names_are_ten_letters_and_digits_and_differ_in_any_case(full: Survey) -> None:
    assert all(len(name) == 14 and name[:10].isalnum() and name[10:] == ".mp4" for name in full.names)
    assert len({name.lower() for name in full.names}) == len(full.names)


def test_one_percent_of_clips_have_another_number_of_frames(full: Survey) -> None:
    assert 0.009 < (full.frames != 30).mean() < 0.011
    assert set(np.unique(full.frames).tolist()) == {6, 15, 24, 28, 29, 30, 31}


def test_visits_stay_at_one_site_and_within_minutes(full: Survey) -> None:
    order = np.lexsort((full.time, full.event))
    event, site, time = full.event[order], full.site[order], full.time[order]
    same = event[1:] == event[:-1]
    assert 0.1 < same.mean() < 0.3
    assert (site[1:][same] == site[:-1][same]).all()
    gap = (time[1:] - time[:-1])[same].astype(int)
    assert gap.min() >= 0
    assert gap.max() < 120


def test_active_hours_differ_by_species(full: Survey) -> None:
    hour = full.time.astype("datetime64[h]").astype(int) % 24
    day = (hour >= 6) & (hour < 18)

    def share(name: str) -> float:
        return float(day[full.shown[:, BENCHMARK_SPECIES.index(name)]].mean())

    assert share("chimpanzee") > 0.9
    assert share("porcupine") < 0.15
    assert 0.7 < share(BLANK) < 0.8


@pytest.mark.parametrize("clips", [200, 1000, 6000])
def test_small_tables_keep_two_clips_of_every_species(clips: int) -> None:
    counts = label_counts(clips)
    assert counts.min() == 2
    assert abs(counts[BLANK_COLUMN] / clips - 122_270 / 204_130) < 0.003
    survey = draw_survey(SimulationSpec(train_clips=clips, test_clips=0))
    assert survey.labelled.sum(axis=0).tolist() == counts.tolist()
    assert (survey.labelled.sum(axis=1) > 1).any()


@pytest.mark.parametrize("clips", [1, 2, 3, 7, 30])
def test_a_handful_of_clips_works(clips: int) -> None:
    survey = draw_survey(SimulationSpec(train_clips=clips, test_clips=1))
    assert survey.labelled.any(axis=1).all()


def test_new_test_sites_are_never_trained_on() -> None:
    survey = draw_survey(SimulationSpec(train_clips=900, test_clips=300, test_sites="new"))
    train, test = set(survey.site[:900].tolist()), set(survey.site[900:].tolist())
    assert train.isdisjoint(test)
    assert (len(train), len(test)) == (14, 6)


def test_same_seed_same_tables_and_another_seed_others() -> None:
    first, again, other = (
        draw_survey(SimulationSpec(train_clips=300, test_clips=100, seed=seed)) for seed in (3, 3, 4)
    )
    assert first.names == again.names
    assert (first.labelled == again.labelled).all()
    assert (first.time == again.time).all()
    assert set(first.names).isdisjoint(other.names)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_clips": -1}, "train_clips: got -1, wanted 0 or more"),
        ({"train_clips": 0, "test_clips": 0}, "got 0 clips, 0 broken: wanted 1 clip or more"),
        ({"label_noise": 0.9}, "label_noise: got 0.9, wanted 0.0 to 0.5"),
        ({"raw_height_px": 405}, "raw_height_px: got 405, wanted an even number"),
        ({"test_sites": "old"}, "test_sites: got 'old', wanted 'shared' or 'new'"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        SimulationSpec(**settings)
    assert message in str(caught.value)
