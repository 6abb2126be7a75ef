"""What the simulated animals look like and how they behave, one or more looks for each species.

Only proportions, gait, speed, group size, habits and coats with wide, overlapping spreads tell species apart;
no species owns a colour, a brightness or a place in the picture. Sizes are rough field-guide values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["LOOKS", "Form", "Look", "Pattern"]

Form = Literal["quadruped", "ape", "human", "bird", "crawler"]
Pattern = Literal["plain", "spots", "stripes", "quills"]


@dataclass(frozen=True, slots=True)
class Look:
    """One kind of animal.

    Lengths without a unit are shares of the shoulder height; angles are degrees above the horizontal,
    forwards for the neck and backwards for the tail. Coat: `shade` is mean brightness 0..1, `warmth` how red
    (positive) or blue it is, `belly` and `face` are their brightness as a share of the back's. `day` is the
    share of visits by daylight, `company` the mean group size, `reach_m` nearest and farthest distance that
    trip the sensor, `open_country` 0 for closed forest to 1 for savanna.
    """

    form: Form
    height_m: float
    spread: float = 0.13
    length: float = 1.15
    girth: float = 0.5
    rump: float = 1.0
    neck: float = 0.4
    neck_degrees: float = 40.0
    head: float = 0.34
    muzzle: float = 0.5
    ear: float = 0.14
    horn: float = 0.0
    trunk: bool = False
    tail: float = 0.35
    tail_degrees: float = -65.0
    tail_width: float = 0.05
    leg_width: float = 0.11
    speed_m_per_s: float = 0.8
    stride: float = 1.1
    rest: float = 0.3
    graze: float = 0.4
    hop: float = 0.0
    sit: float = 0.0
    climb: float = 0.0
    shade: float = 0.33
    warmth: float = 0.4
    belly: float = 1.15
    face: float = 1.0
    pattern: Pattern = "plain"
    company: float = 1.2
    day: float = 0.6
    reach_m: tuple[float, float] = (1.5, 8.0)
    open_country: float = 0.4


def cat(height_m: float, *, pattern: Pattern = "spots", tail: float = 0.9, shade: float = 0.38) -> Look:
    """A cat's long low body, small head and long hanging tail."""
    return Look(
        "quadruped", height_m, length=1.35, girth=0.42, neck=0.22, neck_degrees=25, head=0.26, muzzle=0.75,
        ear=0.1,
        tail=tail, tail_degrees=-35, tail_width=0.08, leg_width=0.15, speed_m_per_s=0.9, stride=1.3, rest=0.2,
        graze=0.1, sit=0.3, shade=shade, pattern=pattern, day=0.35, reach_m=(1.5, 9),
    )  # fmt: skip


def duiker(height_m: float, *, shade: float, warmth: float) -> Look:
    """A duiker's arched back, low head and thin legs."""
    return Look(
        "quadruped", height_m, length=1.2, girth=0.5, rump=1.1, neck=0.38, neck_degrees=22, head=0.34,
        muzzle=0.4,
        ear=0.17, horn=0.1, tail=0.18, leg_width=0.075, speed_m_per_s=0.6, stride=0.9, rest=0.4, graze=0.7,
        shade=shade, warmth=warmth, company=1.2, day=0.85, reach_m=(1.5, 8), open_country=0.2,
    )  # fmt: skip


def monkey(height_m: float, *, tail: float, tail_degrees: float, climb: float, company: float) -> Look:
    """A monkey's long tail, level back and round head."""
    return Look(
        "quadruped", height_m, length=1.05, girth=0.42, rump=1.05, neck=0.15, neck_degrees=45, head=0.3,
        muzzle=0.7,
        ear=0.0, tail=tail, tail_degrees=tail_degrees, tail_width=0.07, leg_width=0.12, speed_m_per_s=0.9,
        stride=1.2, rest=0.4, graze=0.4, hop=0.5, sit=0.5, climb=climb, shade=0.32, warmth=0.15, face=0.8,
        company=company,
        day=0.97, reach_m=(1.3, 9),
    )  # fmt: skip


def bird(height_m: float, *, hop: float, climb: float, company: float, day: float = 0.92) -> Look:
    """A bird on the ground, or in the air where `climb` says so."""
    return Look(
        "bird", height_m, spread=0.3, length=0.75, girth=0.5, neck=0.3, neck_degrees=65, head=0.2, muzzle=0.2,
        tail=0.5, tail_degrees=-10, leg_width=0.05, speed_m_per_s=0.45, stride=0.8, rest=0.35, graze=0.6,
        hop=hop,
        climb=climb, shade=0.35, warmth=0.1, company=company, day=day, reach_m=(0.9, 5),
    )  # fmt: skip


_LOOKS: dict[str, tuple[Look, ...]] = {
    "bird": (
        bird(0.32, hop=0.0, climb=0.0, company=2.2),
        bird(0.2, hop=0.7, climb=0.1, company=1.3),
        bird(0.35, hop=0.1, climb=0.75, company=1.2),
    ),
    "cattle": (
        Look(
            "quadruped", 1.3, length=1.15, girth=0.58, neck=0.4, neck_degrees=12, head=0.36, muzzle=0.65,
            horn=0.28,
            tail=0.6, tail_degrees=-85, leg_width=0.11, speed_m_per_s=0.7, rest=0.35, graze=0.6, shade=0.42,
            warmth=0.3, belly=1.25, company=3.0, day=0.85, reach_m=(2.5, 15), open_country=0.9,
        ),
    ),
    "chimpanzee": (
        Look(
            "ape", 0.8, length=0.75, girth=0.46, rump=0.75, neck=0.1, neck_degrees=35, head=0.3, muzzle=0.65,
            ear=0.08, tail=0.0, leg_width=0.17, speed_m_per_s=0.9, stride=1.0, rest=0.35, graze=0.2, sit=0.5,
            shade=0.2,
            warmth=0.1, belly=1.0, face=1.3, company=2.2, day=0.97, reach_m=(1.3, 10), open_country=0.2,
        ),
    ),
    "elephant": (
        Look(
            "quadruped", 2.3, spread=0.25, length=0.95, girth=0.62, rump=0.92, neck=0.12, neck_degrees=20,
            head=0.4,
            muzzle=0.6, ear=0.42, trunk=True, tail=0.45, tail_degrees=-80, leg_width=0.2, speed_m_per_s=0.9,
            stride=0.8, rest=0.3, graze=0.2, shade=0.36, warmth=0.2, belly=0.95, company=2.2, day=0.5,
            reach_m=(2.5, 18), open_country=0.5,
        ),
    ),
    "forest buffalo": (
        Look(
            "quadruped", 1.15, length=1.2, girth=0.62, neck=0.3, neck_degrees=5, head=0.36, muzzle=0.7,
            ear=0.2,
            horn=0.22, tail=0.5, tail_degrees=-85, leg_width=0.12, speed_m_per_s=0.7, rest=0.4, shade=0.28,
            warmth=0.5, company=2.4, day=0.5, reach_m=(2.5, 14), open_country=0.6,
        ),
    ),
    "gorilla": (
        Look(
            "ape", 1.15, spread=0.2, length=0.7, girth=0.6, rump=0.7, neck=0.06, neck_degrees=30, head=0.32,
            muzzle=0.7, ear=0.0, tail=0.0, leg_width=0.2, speed_m_per_s=0.7, stride=0.9, rest=0.45, graze=0.3,
            sit=0.5, shade=0.2, warmth=0.05, belly=1.2, company=2.0, day=0.97, reach_m=(1.8, 11),
            open_country=0.1,
        ),
    ),
    "hippopotamus": (
        Look(
            "quadruped", 1.4, length=1.45, girth=0.75, neck=0.2, neck_degrees=-5, head=0.5, muzzle=0.95,
            ear=0.06,
            tail=0.15, leg_width=0.18, speed_m_per_s=0.8, stride=0.7, graze=0.5, shade=0.33, warmth=0.3,
            belly=1.15, company=1.2, day=0.08, reach_m=(2.5, 14), open_country=0.7,
        ),
    ),
    "human": (
        Look(
            "human", 1.45, spread=0.12, sit=0.25, length=0.5, girth=0.25, neck=0.08, head=0.2, tail=0.0,
            leg_width=0.11,
            speed_m_per_s=1.1, stride=0.85, rest=0.3, shade=0.38, warmth=0.2, company=1.8, day=0.95,
            reach_m=(0.9, 12), open_country=0.5,
        ),
    ),
    "hyena": (
        Look(
            "quadruped", 0.8, length=1.05, girth=0.45, rump=0.8, neck=0.42, neck_degrees=30, head=0.32,
            muzzle=0.6,
            ear=0.14, tail=0.35, tail_width=0.09, leg_width=0.13, speed_m_per_s=1.2, rest=0.15, graze=0.2,
            shade=0.4, warmth=0.3, pattern="spots", company=1.3, day=0.1, reach_m=(1.8, 11), open_country=0.9,
        ),
    ),
    "large ungulate": (
        Look(
            "quadruped", 1.2, length=1.1, girth=0.5, neck=0.6, neck_degrees=50, head=0.33, muzzle=0.5,
            ear=0.18,
            horn=0.4, tail=0.35, leg_width=0.085, speed_m_per_s=0.8, graze=0.5, shade=0.36, warmth=0.5,
            pattern="stripes", company=1.5, day=0.5, reach_m=(2, 13), open_country=0.6,
        ),
        Look(
            "quadruped", 1.3, length=1.15, girth=0.55, neck=0.55, neck_degrees=40, head=0.33, ear=0.2,
            horn=0.3,
            leg_width=0.09, speed_m_per_s=0.8, graze=0.4, shade=0.38, company=1.8, day=0.6, reach_m=(2, 13),
            open_country=0.8,
        ),
    ),
    "leopard": (cat(0.62, shade=0.42),),
    "lion": (cat(0.95, pattern="plain", shade=0.44),),
    "other (non-primate)": (
        Look(
            "quadruped", 0.25, spread=0.3, length=1.7, girth=0.55, neck=0.25, neck_degrees=15, head=0.32,
            ear=0.06,
            tail=1.1, tail_degrees=-15, tail_width=0.12, leg_width=0.14, speed_m_per_s=0.8, stride=1.6,
            rest=0.2,
            shade=0.3, warmth=0.1, belly=0.85, day=0.5, reach_m=(1, 5),
        ),
        Look(
            "quadruped", 0.38, length=1.5, girth=0.5, neck=0.22, neck_degrees=20, head=0.3, tail=1.0,
            tail_degrees=-40, tail_width=0.11, shade=0.34, warmth=0.1, pattern="spots", day=0.08,
            reach_m=(1.2, 6),
        ),
        Look(
            "quadruped", 0.6, length=1.5, girth=0.62, rump=1.1, neck=0.25, neck_degrees=-15, head=0.5,
            muzzle=0.3,
            ear=0.3, tail=0.9, tail_degrees=-40, tail_width=0.14, leg_width=0.16, day=0.04, reach_m=(1.4, 7),
        ),
    ),
    "other (primate)": (
        monkey(0.6, tail=0.9, tail_degrees=25, climb=0.05, company=2.8),
        monkey(0.38, tail=1.6, tail_degrees=-25, climb=0.55, company=2.0),
        monkey(0.5, tail=1.3, tail_degrees=40, climb=0.25, company=2.4),
    ),
    "pangolin": (
        Look(
            "quadruped", 0.3, length=1.5, girth=0.75, rump=1.0, neck=0.2, neck_degrees=-20, head=0.35,
            muzzle=0.25,
            ear=0.0, tail=1.9, tail_degrees=-12, tail_width=0.3, leg_width=0.2, speed_m_per_s=0.3, stride=1.0,
            graze=0.3, shade=0.34, warmth=0.25, pattern="spots", day=0.03, reach_m=(1.1, 5), company=1.0,
        ),
    ),
    "porcupine": (
        Look(
            "quadruped", 0.36, length=1.15, girth=0.85, neck=0.15, neck_degrees=-5, head=0.34, muzzle=0.75,
            ear=0.05,
            tail=0.45, tail_degrees=10, tail_width=0.3, leg_width=0.16, speed_m_per_s=0.6, stride=0.8,
            graze=0.4,
            shade=0.32, warmth=0.0, pattern="quills", company=1.4, day=0.03, reach_m=(1.2, 6),
        ),
    ),
    "reptile": (
        Look(
            "crawler", 0.16, spread=0.3, length=3.4, girth=0.8, neck=0.9, neck_degrees=12, head=0.9,
            muzzle=0.45,
            ear=0.0, tail=5.0, tail_degrees=0, tail_width=0.45, leg_width=0.22, speed_m_per_s=0.3, stride=2.5,
            rest=0.5, graze=0.0, shade=0.32, warmth=0.1, pattern="spots", company=1.0, day=0.9, reach_m=(1,
            5),
        ),
    ),
    "rodent": (
        Look(
            "quadruped", 0.13, spread=0.3, length=1.5, girth=0.85, neck=0.1, neck_degrees=5, head=0.5,
            ear=0.16,
            tail=1.7, tail_degrees=-8, tail_width=0.06, leg_width=0.2, speed_m_per_s=0.6, stride=1.5,
            rest=0.45,
            hop=0.5, shade=0.34, warmth=0.25, company=1.1, day=0.06, reach_m=(0.8, 3.5),
        ),
        Look(
            "quadruped", 0.12, length=1.6, girth=0.7, neck=0.15, neck_degrees=20, head=0.45, tail=1.9,
            tail_degrees=30, tail_width=0.25, leg_width=0.2, speed_m_per_s=0.8, stride=2.0, rest=0.5, hop=1.0,
            climb=0.3, shade=0.36, warmth=0.4, company=1.1, day=0.95, reach_m=(0.8, 3.5),
        ),
    ),
    "small antelope": (
        Look(
            "quadruped", 0.72, length=1.1, girth=0.45, rump=1.05, neck=0.55, neck_degrees=55, head=0.32,
            ear=0.2,
            horn=0.25, tail=0.3, leg_width=0.07, speed_m_per_s=0.8, graze=0.5, shade=0.38, warmth=0.5,
            pattern="stripes", company=1.4, day=0.6, reach_m=(1.6, 10), open_country=0.6,
        ),
    ),
    "small cat": (cat(0.4, pattern="plain", tail=0.55), cat(0.52, tail=0.4)),
    "wild dog": (
        Look(
            "quadruped", 0.7, length=1.02, girth=0.42, neck=0.35, neck_degrees=35, head=0.32, ear=0.26,
            tail=0.5,
            tail_degrees=-45, tail_width=0.12, leg_width=0.09, speed_m_per_s=1.5, stride=1.3, rest=0.15,
            graze=0.1,
            shade=0.36, pattern="spots", company=3.0, day=0.7, reach_m=(1.8, 10), open_country=0.9,
        ),
    ),
    "duiker": (
        duiker(0.42, shade=0.36, warmth=0.7),
        duiker(0.36, shade=0.32, warmth=0.1),
        duiker(0.62, shade=0.26, warmth=0.2),
    ),
    "hog": (
        Look(
            "quadruped", 0.62, length=1.15, girth=0.62, rump=0.95, neck=0.2, neck_degrees=-8, head=0.48,
            muzzle=0.4,
            ear=0.2, tail=0.4, tail_degrees=-70, tail_width=0.03, leg_width=0.1, speed_m_per_s=0.9, rest=0.25,
            graze=0.7, shade=0.34, warmth=0.6, company=2.3, day=0.4, reach_m=(1.5, 9), open_country=0.4,
        ),
    ),
}  # fmt: skip

LOOKS: Mapping[str, tuple[Look, ...]] = MappingProxyType(_LOOKS)
"""Looks of each species but blank; classes that hold several kinds of animal have several."""
