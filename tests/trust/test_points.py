import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from primatrix.errors import InputError
from primatrix.trust.points import Promise, choose_points, share_skipped, shows_something, skip_curve

SPECIES = ["blank", "duiker", "lion"]


def make(
    blanks: list[float], duikers: list[float], lions: list[float] | None = None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Labels and probabilities of clips by what they show; the numbers are p(blank), the rest is the animal's."""
    blank = np.array([*blanks, *duikers, *(lions or [])])
    kind = np.repeat([0, 1, 2], [len(blanks), len(duikers), len(lions or [])])
    index = pd.Index([f"{i}.mp4" for i in range(len(kind))])
    prob = np.stack(
        [blank, np.where(kind == 1, 1 - blank, 0.01), np.where(kind == 2, 1 - blank, 0.01)], axis=1
    )
    return pd.DataFrame(np.eye(3)[kind], index, SPECIES), prob


BLANKS = [0.995, *np.linspace(0.5, 0.99, 59).tolist()]
DUIKERS = np.linspace(0.01, 0.98, 100).tolist()


def test_blanks_are_skipped_above_what_the_promise_allows_to_lose() -> None:
    """Of 100 clips to keep, 5 % at 90 % confidence allows one to be lost: the second surest blank is the cut."""
    labels, prob = make(BLANKS, DUIKERS)
    point = choose_points(labels, prob, promise=Promise())["skip blank"]
    assert point.threshold == pytest.approx(sorted(DUIKERS)[-2])
    assert (point.task, point.score, point.unit, point.clips, point.units) == (
        "skip",
        "blank",
        "clips",
        100,
        100,
    )
    assert (point.max_loss, point.confidence, point.lost) == (0.05, 0.9, 1)
    skipped = sum(p > sorted(DUIKERS)[-2] for p in BLANKS)
    interval = binomtest(skipped, 60).proportion_ci(0.95, method="exact")
    assert point.saved == pytest.approx((skipped / 60, interval.low, interval.high))
    assert point.footage is not None
    assert point.footage[0] == pytest.approx((skipped + 1) / 160)
    assert point.recall == {"duiker": 0.99, "lion": None}


def test_a_species_is_shown_from_what_finds_as_many_as_promised() -> None:
    """Of 100 clips, 10 % at 90 % confidence allows 5 to be lost: the sixth least sure is the threshold."""
    labels, prob = make(BLANKS, DUIKERS)
    point = choose_points(labels, prob, promise=Promise(min_recall=0.9))["find duiker"]
    assert point.threshold == pytest.approx(sorted(1 - p for p in DUIKERS)[5])
    assert (point.task, point.score, point.lost, point.clips) == ("find", "duiker", 5, 100)
    assert point.max_loss == pytest.approx(0.1)
    assert point.recall == {"duiker": 0.95}


def test_a_species_with_two_clips_gets_no_promise_and_blank_is_not_looked_for() -> None:
    points = choose_points(*make(BLANKS, DUIKERS, [0.1, 0.2]), promise=Promise())
    assert list(points) == ["skip blank", "find duiker", "find lion"]
    assert points["find lion"].threshold is None
    assert points["find lion"].lost == 0
    assert points["find lion"].recall == {"lion": None}


def test_without_animals_nothing_is_skipped() -> None:
    point = choose_points(*make(BLANKS, []), promise=Promise())["skip blank"]
    assert (point.threshold, point.clips, point.lost) == (None, 0, 0)
    assert point.saved is not None
    assert point.saved[0] == 0


def test_a_promise_in_the_mean_has_no_confidence_and_counts_sites() -> None:
    labels, prob = make(BLANKS, DUIKERS)
    sites = pd.Series([f"site{i % 40}" for i in range(160)], index=labels.index)
    points = choose_points(labels, prob, promise=Promise(unit="sites in the mean"), sites=sites)
    assert {point.confidence for point in points.values()} == {None}
    assert points["skip blank"].units == 40


def test_a_promise_over_sites_wants_the_site_of_every_clip() -> None:
    labels, prob = make(BLANKS[:40], DUIKERS[:60])
    with pytest.raises(
        InputError, match="got 'sites' and no sites, wanted the site of every clip; give --deployments"
    ):
        choose_points(labels, prob, promise=Promise(unit="sites"))
    sites = pd.Series("north", index=labels.index[:60])
    with pytest.raises(InputError, match="no site for 40 of 100 clips, wanted the site of every clip"):
        choose_points(labels, prob, promise=Promise(unit="sites"), sites=sites)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"max_loss": 5}, "max_loss: got 5, wanted a share between 0 and 1"),
        ({"min_recall": 1.0}, "min_recall: got 1.0, wanted a share between 0 and 1"),
        ({"confidence": 0}, "confidence: got 0, wanted a share between 0 and 1"),
        ({"unit": "days"}, "unit: got 'days', wanted one of clips, sites, sites in the mean"),
    ],
)
def test_a_promise_that_cannot_be_made_is_refused(wish: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Promise(**wish)
    assert str(caught.value) == message


def test_a_clip_shows_something_where_any_label_but_blank_is_there() -> None:
    labels = pd.DataFrame({"blank": [1, 0, 0], "hog": [0, 1, 0]}, index=list("abc"))
    assert shows_something(labels).to_dict() == {"a": False, "b": True, "c": False}
    assert shows_something(labels[["hog"]]).tolist() == [False, True, False]


def test_a_share_of_clips_has_the_exact_interval_and_one_of_seconds_weighs_long_clips_more() -> None:
    skipped, index = np.array([True, False, False, False]), pd.Index(list("abcd"))
    low, high = binomtest(1, 4).proportion_ci(0.95, method="exact")
    assert share_skipped(skipped, index) == pytest.approx((0.25, low, high))
    assert share_skipped(skipped, index, seconds=np.array([60.0, 20, 20, 20])) == (0.5, None, None)
    share = share_skipped(np.repeat(skipped, 3), pd.RangeIndex(12), seconds=np.repeat([60.0, 20, 20, 20], 3))
    assert share is not None
    assert share[0] == 0.5
    assert None not in share
    assert 0 <= share[1] < 0.5 < share[2] <= 1
    assert share_skipped(skipped[:0], index[:0]) is None


def test_a_share_is_as_sure_as_its_sites_are_alike() -> None:
    """A tenth of 200 clips is lost: a tenth at each of ten sites, or every clip of one."""
    index = pd.RangeIndex(200)
    sites = pd.Series([f"site{i // 20}" for i in index], index=index)
    alike = share_skipped(np.asarray(index % 10 == 0), index, sites=sites)
    apart = share_skipped(np.asarray(index < 20), index, sites=sites)
    assert alike is not None
    assert apart is not None
    assert alike[0] == apart[0] == 0.1
    assert None not in (*alike, *apart)
    assert 2 * (alike[2] - alike[1]) < apart[2] - apart[1]
    few = pd.Series([f"site{i // 70}" for i in index], index=index)
    assert share_skipped(np.asarray(index < 20), index, sites=few) == (0.1, None, None)
    nowhere = share_skipped(np.asarray(index < 20), index, sites=pd.Series("", index=index))
    assert nowhere == share_skipped(np.asarray(index < 20), index)


def test_the_curve_runs_from_all_lost_but_one_to_nothing_lost() -> None:
    curve = skip_curve(*make([0.95, 0.5], [0.1, 0.2, 0.9]))
    assert curve["threshold"].tolist() == [0.1, 0.2, 0.9]
    assert curve["animals_lost"].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert curve["blanks_skipped"].tolist() == [1.0, 1.0, 0.5]
    assert curve["clips_skipped"].tolist() == pytest.approx([4 / 5, 3 / 5, 1 / 5])
    for lost, at_most in zip((2, 1, 0), curve["animals_lost_at_most"], strict=True):
        assert at_most == pytest.approx(binomtest(lost, 3).proportion_ci(0.8, method="exact").high)


def test_the_curve_by_sites_is_less_sure_and_with_few_of_them_says_nothing() -> None:
    labels, prob = make(BLANKS, DUIKERS)
    sites = pd.Series(
        [f"site{i // 10}" for i in range(160)], index=labels.index
    )  # the dangerous clips are of one
    curve, plain = skip_curve(labels, prob, sites=sites), skip_curve(labels, prob)
    assert (curve["animals_lost_at_most"] >= plain["animals_lost_at_most"]).mean() > 0.9
    assert curve["animals_lost_at_most"].iloc[-5] > 2 * plain["animals_lost_at_most"].iloc[-5]
    few = pd.Series([f"site{i // 60}" for i in range(160)], index=labels.index)
    assert skip_curve(labels, prob, sites=few)["animals_lost_at_most"].isna().all()


def test_the_curve_is_thinned_and_without_blanks_nothing_is_skipped_of_them() -> None:
    assert len(skip_curve(*make(BLANKS, DUIKERS), most=20)) == 20
    assert skip_curve(*make([], DUIKERS))["blanks_skipped"].isna().all()
    assert skip_curve(*make(BLANKS, [])).empty
