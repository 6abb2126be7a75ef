"""The words that options and settings choose from, apart from the heavy modules that act on them."""

from typing import Literal

__all__ = ["ContainerClock", "Device", "Format", "PredictedBy", "Stage", "TestSites", "Unit"]

ContainerClock = Literal["local", "utc"]  # what a time means that a video calls UTC
Device = Literal["auto", "cpu", "cuda", "mps"]  # where a model runs
Format = Literal[
    "csv", "long-csv", "camtrap-dp", "megadetector", "speciesnet"
]  # of answers for other programs
PredictedBy = Literal[
    "out-of-fold", "validation"
]  # how predictions came about that a calibration is fitted to
# Where a video's way to a clip may end. "write" is of small clips and simulated ones; the last three are of the process
# that decodes, not of the file.
Stage = Literal[
    "find", "read", "open", "probe", "decode", "convert", "write", "memory", "time limit", "worker"
]
TestSites = Literal["shared", "new"]  # cameras of simulated test clips
Unit = Literal["clips", "sites", "sites in the mean"]  # over what a promise is made
