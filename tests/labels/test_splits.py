import numpy as np
import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.labels.splits import (
    choose_fitted,
    choose_scored,
    choose_trained,
    describe_split,
    split_clips,
    split_folds,
    split_labels,
    split_sites,
)
from primatrix.labels.table import Labels


def full_size_table() -> pd.DataFrame:
    """204,130 rows, 24 columns; four species with 2, 8, 9 and 10 clips, as the benchmark's tail has."""
    rng = np.random.default_rng(1)
    values = (rng.random((204_130, 24)) < 0.05).astype(np.float32)
    for column, positives in enumerate((2, 8, 9, 10)):
        values[:, column] = 0
        values[rng.choice(204_130, positives, replace=False), column] = 1
    return pd.DataFrame(values, index=[f"{i:010d}.mp4" for i in range(204_130)])


def test_full_size_split_gives_the_benchmarks_counts_and_every_species() -> None:
    table = full_size_table()
    train, val = split_clips(table)
    assert (len(train), len(val)) == (142_891, 61_239)
    assert (val.sum() >= 1).all()
    assert set(train.index).isdisjoint(val.index)
    assert len(train.index.union(val.index)) == 204_130


def test_split_is_a_function_of_the_seed_and_keeps_file_order() -> None:
    table = full_size_table().iloc[:2000]
    first, again, other = (split_clips(table, seed=s)[1] for s in (0, 0, 1))
    assert first.equals(again)
    assert not first.index.equals(other.index)
    assert first.index.is_monotonic_increasing


def test_a_species_with_one_clip_is_validated() -> None:
    table = pd.DataFrame(np.zeros((100, 3)), columns=["a", "b", "c"])
    table.loc[42, "b"] = 1
    assert 42 in split_clips(table, val_size=0.1)[1].index


@pytest.mark.parametrize("val_size", [0, 1, -0.1, 1.5])
def test_val_size_must_leave_two_parts(val_size: float) -> None:
    with pytest.raises(InputError, match="wanted a share above 0 and below 1"):
        split_clips(pd.DataFrame(np.zeros((9, 1))), val_size=val_size)


def test_too_few_clips_to_split_are_refused() -> None:
    with pytest.raises(InputError, match="leave one part empty"):
        split_clips(pd.DataFrame({"a": [1.0]}))


def test_known_sites_are_split_whole_and_leave_most_species_to_train_on() -> None:
    names = [f"{i}.mp4" for i in range(300)]
    table = pd.DataFrame({"hog": 1.0, "lion": 0.0, "okapi": 0.0}, index=names)
    sites = pd.Series([f"s{i % 30}" for i in range(300)], index=names)
    for species, site in (("lion", "s7"), ("okapi", "s19")):  # each lives at one site
        table.loc[sites == site, [species, "hog"]] = [1.0, 0.0]
    train, val = split_labels(Labels(table, sites))
    assert set(sites[train.index]).isdisjoint(sites[val.index])
    assert 80 <= len(val) <= 120
    assert (train.sum() > 0).all()
    alone = Labels(table, pd.Series("s", index=names))
    assert split_labels(alone)[1].index.equals(split_clips(table)[1].index)


def test_held_out_sites_are_validated_and_only_they() -> None:
    table = pd.DataFrame({"hog": [1, 0, 1, 0]}, index=list("abcd"))
    labels = Labels(table, pd.Series(["n", "s", "n", "w"], index=list("abcd")))
    train, val = split_sites(labels, held_out=["n"])
    assert (train.index.tolist(), val.index.tolist()) == (["b", "d"], ["a", "c"])
    with pytest.raises(InputError, match="sites east have no clip; got n, s, w"):
        split_sites(labels, held_out=["east"])
    with pytest.raises(InputError, match="leaves one part empty"):
        split_sites(labels, held_out=["n", "s", "w"])
    with pytest.raises(InputError, match="no site is known"):
        split_sites(Labels(table), held_out=["n"])


def test_folds_spread_every_species_evenly_at_full_size() -> None:
    table = full_size_table()
    fold = split_folds(table)
    counts = table.groupby(fold).sum()
    assert fold.groupby(fold).size().between(40_815, 40_837).all()
    assert (counts.max() - counts.min() <= 12).all()
    assert counts[[0, 1, 2, 3]].min().tolist() == [0, 1, 1, 2]  # species with 2, 8, 9 and 10 clips
    assert fold.equals(split_folds(table))
    assert not fold.equals(split_folds(table, seed=1))


def test_folds_never_tear_a_site_apart_and_still_spread_species() -> None:
    rng = np.random.default_rng(0)
    names = [f"site{i}" for i in range(40)]
    index = [f"{i}.mp4" for i in range(4000)]
    sites = pd.Series(rng.choice(names, 4000, p=rng.dirichlet(np.ones(40))), index=index)
    at_site = rng.dirichlet(np.full(6, 0.3), 40)  # each site has its own few species
    species = [rng.choice(6, p=at_site[int(site[4:])]) for site in sites]
    table = pd.DataFrame(np.eye(6)[species], index=index)
    fold = split_folds(table, sites=sites, folds=4)
    assert (fold.groupby(sites).min() == fold.groupby(sites).max()).all()
    shares = table.groupby(fold).sum() / table.sum()
    unavoidable = (table.groupby(sites).sum() / table.sum()).max()
    assert (shares.max() < np.maximum(unavoidable, 0.3) + 0.03).all()
    assert shares.to_numpy().min() > 0.15


def test_a_clip_without_a_site_is_dealt_by_itself() -> None:
    table = pd.DataFrame({"hog": [1, 1, 1, 1]}, index=list("abcd"))
    fold = split_folds(table, sites=pd.Series(["n", "n", "", ""], index=list("abcd")), folds=3)
    assert fold["a"] == fold["b"]
    assert sorted({fold["a"], fold["c"], fold["d"]}) == [0, 1, 2]


def test_folds_that_cannot_be_filled_are_refused() -> None:
    table = pd.DataFrame({"hog": [1, 1, 1]}, index=list("abc"))
    with pytest.raises(InputError, match="got 1 for 3 clips"):
        split_folds(table, folds=1)
    with pytest.raises(InputError, match="got 2 for 3 clips of 1 sites"):
        split_folds(table, sites=pd.Series("n", index=list("abc")), folds=2)


def make_told(*parts: str) -> Labels:
    """Clips "0", "1", …, each of the part named, of sites s0 and s1 in turn."""
    names = [str(i) for i in range(len(parts))]
    sites = pd.Series([f"s{i % 2}" for i in range(len(parts))], index=names)
    return Labels(
        pd.DataFrame({"hog": 1.0, "lion": 0.0}, index=names), sites, pd.Series(list(parts), index=names)
    )


def test_what_labels_say_clips_are_for_is_done() -> None:
    labels = make_told("train", "val", "holdout", "train", "holdout", "val")
    train, val = split_labels(labels)
    assert (train.index.tolist(), val.index.tolist()) == (["0", "3"], ["1", "5"])
    with pytest.raises(
        InputError, match=r"sites to hold out \(s0\) and labels whose column `split` says which clips"
    ):
        split_sites(labels, held_out=["s0"])


def test_clips_held_out_are_in_no_part_however_the_others_are_split() -> None:
    labels = make_told(*["train"] * 8, *["holdout"] * 8)
    for parts in (split_labels(labels), split_labels(Labels(labels.table, None, labels.parts)),
                  split_sites(labels, held_out=["s1"])):  # fmt: skip
        names = [name for part in parts for name in part.index]
        assert sorted(names) == [str(i) for i in range(8)]
        assert all(len(part) for part in parts)


def test_labels_of_which_none_trains_are_refused() -> None:
    with pytest.raises(InputError, match="2 clips that validate and none that trains"):
        split_labels(make_told("val", "val", "holdout"))
    with pytest.raises(
        InputError, match="none of 1 clips is of train and val by their column `split`, so none may"
    ):
        split_labels(make_told("holdout"))


def test_a_model_is_fitted_and_measured_on_clips_it_has_not_learnt_from() -> None:
    labels = make_told("train", "val", "holdout")
    assert choose_scored(labels).table.index.tolist() == ["2"]
    assert choose_scored(make_told("train", "val")).table.index.tolist() == ["1"]
    with pytest.raises(
        InputError, match="none of 1 clips is of val by their column `split`, so none may be measured"
    ):
        choose_scored(make_told("train"))
    assert choose_fitted(labels, out_of_fold=False).table.index.tolist() == ["1"]
    assert choose_fitted(labels, out_of_fold=True).table.index.tolist() == ["0", "1"]
    assert choose_fitted(make_told("train", "holdout"), out_of_fold=False).table.index.tolist() == ["0"]
    untold = Labels(labels.table, labels.sites)
    assert (
        choose_scored(untold) is choose_fitted(untold, out_of_fold=False) is choose_trained(untold) is untold
    )


def one_hot(*species: str) -> pd.DataFrame:
    """A clip for each name, in this order."""
    return pd.get_dummies(pd.Series(species, [f"{i}.mp4" for i in range(len(species))])).astype(np.float32)


def test_every_species_is_trained_on_also_those_of_a_single_clip() -> None:
    singles = [f"rare{i}" for i in range(7)]
    table = one_hot(*singles, *["gorilla"] * 6, *["chimpanzee"] * 4, *["baboon"] * 3, *["duiker"] * 2)
    train, val = split_labels(Labels(table))
    assert (train.sum() > 0).all()
    assert val.loc[:, val.sum() > 0].columns.tolist() == ["baboon", "chimpanzee", "duiker", "gorilla"]
    assert len(train) + len(val) == 22
    again = split_labels(Labels(table))
    assert [part.index.tolist() for part in again] == [train.index.tolist(), val.index.tolist()]


def test_where_no_clip_can_be_spared_none_validates() -> None:
    train, val = split_labels(Labels(one_hot("a", "b", "c")))
    assert (len(train), len(val), val.columns.tolist()) == (3, 0, ["a", "b", "c"])


def test_a_site_without_which_a_species_is_unknown_is_trained_on() -> None:
    table = one_hot(*["hog", "duiker"] * 10, "lion", "hog")
    sites = pd.Series([f"s{i // 4}" for i in range(20)] + ["far", "far"], index=table.index)
    train, val = split_labels(Labels(table, sites))
    assert (train.sum() > 0).all()
    assert len(val) >= 4
    assert set(sites[train.index]).isdisjoint(sites[val.index])
    assert "far" in set(sites[train.index])


def test_where_each_site_is_needed_clips_are_drawn_one_by_one() -> None:
    table = one_hot(*["hog"] * 10, *["lion"] * 10)
    sites = pd.Series(["n"] * 10 + ["s"] * 10, index=table.index)
    train, val = split_labels(Labels(table, sites))
    assert (len(train), len(val)) == (14, 6)
    assert (train.sum() > 0).all()
    assert describe_split(train, val, sites=sites) == [
        "training on 14 clips of 2 species at 2 sites, validating on 6 clips of 2 species at 2 sites",
        "clips of 2 sites are on both sides: at other sites the model will do worse than here",
    ]


def test_a_split_says_what_is_too_little() -> None:
    table = one_hot(*["hog"] * 12, "lion", "lion", "okapi")
    table["zebra"] = 0.0
    sites = pd.Series("n", index=table.index)
    assert describe_split(table.iloc[:13], table.iloc[13:], sites=sites[:14]) == [
        "training on 13 clips of 2 species at 1 site, validating on 2 clips of 2 species at 1 site",
        "fewer than 10 clips, too few to learn much of: zebra 0, okapi 1, lion 2",
        "not trained on, for all their clips validate: okapi",
        "clips of 1 site are on both sides: at other sites the model will do worse than here",
    ]
    assert describe_split(table.iloc[:12, :1], table.iloc[:0, :1]) == [
        "training on 12 clips of 1 species, validating on 0 clips of 0 species",
        "no clip validates, for each is needed to train on: nothing will tell how good the model is",
    ]
    many = pd.DataFrame(np.eye(14), columns=[f"x{i:02}" for i in range(14)])
    assert describe_split(many, many.iloc[:0])[1].endswith("x11 1 and 2 more")
