from dataclasses import FrozenInstanceError
from typing import get_args

import pytest

from primatrix.labels import BENCHMARK_SPECIES, BLANK
from primatrix.simulation.animals import LOOKS, Form, Look, Pattern

KINDS = [
    pytest.param(look, id=f"{name}-{i}") for name, looks in LOOKS.items() for i, look in enumerate(looks)
]


def test_every_species_of_the_benchmark_but_blank_has_a_look() -> None:
    assert set(LOOKS) == set(BENCHMARK_SPECIES) - {BLANK}
    assert all(looks for looks in LOOKS.values())


@pytest.mark.parametrize("look", KINDS)
def test_a_look_is_an_animal_that_could_be(look: Look) -> None:
    assert look.form in get_args(Form)
    assert look.pattern in get_args(Pattern)
    assert 0.1 <= look.height_m <= 3
    assert 0 < look.reach_m[0] < look.reach_m[1] <= 20
    assert look.company >= 1
    for share in ("rest", "graze", "hop", "sit", "climb", "day", "shade", "open_country"):
        assert 0 <= getattr(look, share) <= 1, share
    for length in (
        "length",
        "girth",
        "head",
        "leg_width",
        "speed_m_per_s",
        "stride",
        "spread",
        "belly",
        "face",
    ):
        assert getattr(look, length) > 0, length


def test_no_species_owns_a_brightness() -> None:
    shades = sorted((look.shade, name) for name, looks in LOOKS.items() for look in looks)
    for shade, name in shades:  # from one animal to another a coat varies by 30 %
        others = {other for near, other in shades if 1 / 1.3 < near / shade < 1.3}
        assert others - {name}, name


def test_animals_are_large_or_small_by_day_or_by_night_as_they_are_known_to_be() -> None:
    height = {name: max(look.height_m for look in looks) for name, looks in LOOKS.items()}
    assert height["elephant"] == max(height.values())
    assert height["duiker"] < height["large ungulate"]
    by_day = {name: max(look.day for look in looks) for name, looks in LOOKS.items()}
    assert by_day["chimpanzee"] > 0.9
    assert by_day["porcupine"] < 0.2
    assert by_day["pangolin"] < 0.2


def test_looks_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        LOOKS["hog"] = ()
    with pytest.raises(FrozenInstanceError):
        LOOKS["hog"][0].height_m = 2.0
