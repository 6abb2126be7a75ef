"""Classes by any usual name are animals, people or vehicles; the rest is left out."""

from primatrix.video.categories import categorise

# The names of COCO's 2017 detection classes 0 to 23, in their order.
COCO = [
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack",
]  # fmt: skip


def test_of_coco_animals_people_and_vehicles_are_kept() -> None:
    categories = categorise(dict(enumerate(COCO)))
    assert [number for number, one in categories.items() if one == "person"] == [0]
    assert [number for number, one in categories.items() if one == "vehicle"] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [number for number, one in categories.items() if one == "animal"] == list(range(14, 24))


def test_names_are_known_in_any_case_and_beside_spaces() -> None:
    names = {0: "Animal", 3: " HUMAN ", 4: "people", 7: "Vehicle", 8: "duiker"}
    assert categorise(names) == {0: "animal", 3: "person", 4: "person", 7: "vehicle"}
