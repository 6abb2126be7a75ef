from pathlib import Path

import pytest

from primatrix.errors import InputError
from primatrix.interchange.taxonomy import copy_taxonomy, read_taxonomy
from primatrix.labels import BENCHMARK_SPECIES

RANKS = ["kingdom", "phylum", "class", "order", "family", "subfamily", "genus", "species", "subspecies"]


def test_every_species_of_the_benchmark_has_a_taxon() -> None:
    taxonomy = read_taxonomy()
    assert [taxon.species for taxon in taxonomy.taxa] == list(BENCHMARK_SPECIES)
    assert taxonomy.find_unknown(BENCHMARK_SPECIES) == ()
    assert [t.species for t in taxonomy.taxa if not t.scientific_name] == ["blank"]
    assert [t.species for t in taxonomy.taxa if t.category == "person"] == ["human"]


@pytest.mark.parametrize("name", ["Blank", "EMPTY", "nothing", "no_animal"])
def test_a_blank_clip_is_no_animal_whatever_a_model_calls_it(name: str) -> None:
    taxon = read_taxonomy()[name]
    assert (taxon.species, taxon.category, taxon.observation_type) == (name, "none", "blank")


def test_names_and_ranks_agree() -> None:
    for taxon in read_taxonomy().taxa:
        if taxon.species == "blank":
            assert (taxon.category, taxon.observation_type) == ("none", "blank")
            continue
        words = taxon.scientific_name.split()
        wanted_words = {"species": 2, "subspecies": 3}.get(taxon.taxon_rank, 1)
        assert len(words) == wanted_words, taxon
        if wanted_words > 1:
            assert (taxon.genus, taxon.epithet) == (words[0], " ".join(words[1:]))
        at_rank = {"class": taxon.class_, "order": taxon.order, "family": taxon.family, "genus": taxon.genus}
        assert at_rank.get(taxon.taxon_rank, taxon.scientific_name) in (taxon.scientific_name, taxon.genus)
        below = RANKS[RANKS.index(taxon.taxon_rank) + 1 :]
        assert not any(at_rank[rank] for rank in below if rank in at_rank), taxon


def test_groups_have_the_rank_that_holds_them_all() -> None:
    taxonomy = read_taxonomy()
    names = [
        "other (primate)",
        "other (non-primate)",
        "duiker",
        "hog",
        "reptile",
        "small cat",
        "forest buffalo",
    ]
    got = {name: (taxonomy[name].scientific_name, taxonomy[name].taxon_rank) for name in names}
    assert got == {
        "other (primate)": ("Primates", "order"),
        "other (non-primate)": ("Animalia", "kingdom"),
        "duiker": ("Cephalophinae", "subfamily"),
        "hog": ("Suidae", "family"),
        "reptile": ("Reptilia", "class"),
        "small cat": ("Felinae", "subfamily"),
        "forest buffalo": ("Syncerus caffer nanus", "subspecies"),
    }


def test_an_edited_table_wins_and_adds(tmp_path: Path) -> None:
    path = copy_taxonomy(tmp_path / "mine.csv")
    with pytest.raises(InputError, match="exists, and may have been edited"):
        copy_taxonomy(path)
    path.write_text(
        "species,scientific_name,taxon_rank,category\nElephant,Loxodonta cyclotis,species,\nvan,,,vehicle\n"
    )
    taxonomy = read_taxonomy(path)
    assert taxonomy["elephant"].scientific_name == "Loxodonta cyclotis"
    assert taxonomy["elephant"].species == "elephant"
    assert taxonomy["van"].observation_type == "vehicle"
    assert taxonomy["lion"].gbif_id == "5219404"
    assert taxonomy["zebra"].scientific_name == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("species\nhog\n", "no column `scientific_name`"),
        ("species,scientific_name,colour\nhog,Suidae,pink\n", "column `colour` is not known"),
        ("species,scientific_name\nwild dog,A\nWild_Dog,B\n", "'Wild_Dog' stands there twice"),
        ("species,scientific_name\n,A\n", "a row has no species"),
        (
            "species,scientific_name,category\nhog,Suidae,pig\n",
            "category 'pig' of hog; wanted one of animal, person",
        ),
        (
            "species,scientific_name,taxon_rank\nhog,Suidae,clan\n",
            "taxon_rank 'clan' of hog; wanted one of kingdom",
        ),
        ("", "not a CSV table"),
    ],
)
def test_wrong_tables_get_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "taxonomy.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_taxonomy(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
