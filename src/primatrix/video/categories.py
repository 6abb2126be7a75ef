"""What a detector's classes mean: animal, person or vehicle, whatever they are called."""

from collections.abc import Mapping
from typing import Literal, get_args

__all__ = ["CATEGORIES", "Category", "categorise"]

Category = Literal["animal", "person", "vehicle"]
CATEGORIES: tuple[Category, ...] = get_args(Category)  # in MegaDetector's order

WORDS: Mapping[Category, str] = {
    "animal": "animal animals bird cat dog horse sheep cow elephant bear zebra giraffe",
    "person": "person persons people human humans pedestrian",
    "vehicle": "vehicle vehicles bicycle car motorcycle motorbike airplane aeroplane bus train truck boat",
}
"""The three words, their usual synonyms, and the 80 names of COCO (Lin et al., ECCV 2014) that belong to them."""
CATEGORY_OF: Mapping[str, Category] = {
    word: category for category, words in WORDS.items() for word in words.split()
}


def categorise(names: Mapping[int, str]) -> dict[int, Category]:
    """The category of each class that has one; other classes (chairs, kites) are left out.

    >>> categorise({0: "Human", 1: "zebra", 2: "kite"})
    {0: 'person', 1: 'animal'}
    """
    known = {number: CATEGORY_OF.get(name.strip().lower()) for number, name in names.items()}
    return {number: category for number, category in known.items() if category}
