from primatrix.labels.species import (
    BENCHMARK_SPECIES,
    BLANK,
    MULTI_SPECIES_CLIPS,
    TRAIN_CLIPS,
    TRAIN_POSITIVES,
)
from primatrix.simulation import LOOKS


def test_there_are_24_species_in_the_benchmarks_order() -> None:
    assert len(BENCHMARK_SPECIES) == len(set(BENCHMARK_SPECIES)) == 24
    assert BENCHMARK_SPECIES[:3] == ("bird", "blank", "cattle")
    assert BENCHMARK_SPECIES[-2:] == ("duiker", "hog")
    assert tuple(TRAIN_POSITIVES) == BENCHMARK_SPECIES


def test_positives_leave_room_for_the_clips_with_several_species() -> None:
    extra = sum(TRAIN_POSITIVES.values()) - TRAIN_CLIPS
    assert MULTI_SPECIES_CLIPS <= extra < 2 * MULTI_SPECIES_CLIPS


def test_every_animal_has_a_look_and_no_coat_is_its_own() -> None:
    assert set(LOOKS) == set(BENCHMARK_SPECIES) - {BLANK}
    shades = [look.shade for looks in LOOKS.values() for look in looks]
    assert min(shades) > 0.15
    assert max(shades) < 0.5  # individuals differ by a factor of 1.35 either way, so coats overlap
