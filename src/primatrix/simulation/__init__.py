"""Camera-trap footage from a seed, so that anyone can run everything without data.

species, survey   who is filmed where and when: the benchmark's tables
sites, plants     what stands in front of a camera and moves in the wind
animals, bodies, actors   what animals look like and how they move
scenes, shapes, render    one clip as functions of time, drawn at any size
damage            files broken on purpose
footage           all of it, written as a benchmark folder
"""

from primatrix.simulation.footage import Simulation, simulate, write_tables
from primatrix.simulation.survey import SimulationSpec, draw_survey

__all__ = ["Simulation", "SimulationSpec", "draw_survey", "simulate", "write_tables"]
