"""The benchmark's 24 species in its column order, and how often each was labelled."""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = [
    "BENCHMARK_SPECIES",
    "BLANK",
    "MULTI_SPECIES_CLIPS",
    "TEST_CLIPS",
    "TRAIN_CLIPS",
    "TRAIN_POSITIVES",
]

BLANK = "blank"
"""The label of a clip without an animal; it excludes every other."""

BENCHMARK_SPECIES: tuple[str, ...] = (
    "bird",
    "blank",
    "cattle",
    "chimpanzee",
    "elephant",
    "forest buffalo",
    "gorilla",
    "hippopotamus",
    "human",
    "hyena",
    "large ungulate",
    "leopard",
    "lion",
    "other (non-primate)",
    "other (primate)",
    "pangolin",
    "porcupine",
    "reptile",
    "rodent",
    "small antelope",
    "small cat",
    "wild dog",
    "duiker",
    "hog",
)
"""Column order of train_labels.csv and submission_format.csv; it is not alphabetical."""

TRAIN_POSITIVES: Mapping[str, int] = MappingProxyType(
    {
        "bird": 2386,
        "blank": 122270,
        "cattle": 372,
        "chimpanzee": 5045,
        "elephant": 1085,
        "forest buffalo": 9,
        "gorilla": 174,
        "hippopotamus": 175,
        "human": 20034,
        "hyena": 10,
        "large ungulate": 224,
        "leopard": 209,
        "lion": 2,
        "other (non-primate)": 1883,
        "other (primate)": 20453,
        "pangolin": 63,
        "porcupine": 569,
        "reptile": 8,
        "rodent": 2911,
        "small antelope": 273,
        "small cat": 79,
        "wild dog": 21,
        "duiker": 21601,
        "hog": 4650,
    }
)
"""Training clips per species in the full benchmark, in column order."""

TRAIN_CLIPS = 204_130
TEST_CLIPS = 87_485
MULTI_SPECIES_CLIPS = 374
"""Training clips of the full benchmark that hold two species or more."""
