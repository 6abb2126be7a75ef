"""Bodies: from a look and a moment of its gait to capsules in metres, seen from the side of a camera."""

from dataclasses import dataclass

import numpy as np

from primatrix.simulation.animals import Look
from primatrix.simulation.shapes import Floats, Values

__all__ = ["Body", "Pose", "build_body"]

GRAZING_DEGREES = -58.0
# Order of the feet in a walk: left hind, left fore, right hind, right fore, a quarter of a stride apart.
FOOTFALL = (0.25, 0.75, 0.0, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """How an animal holds itself at T moments; every field is float32 (T,).

    `phase` counts strides, `moving` is 1 at its usual pace and 0 at rest, `grazing`, `sitting` and `flying`
    are 0..1, `sway` -1..1 moves head and tail from side to side.
    """

    phase: Floats
    moving: Floats
    grazing: Floats
    sitting: Floats
    flying: Floats
    sway: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Capsules of one animal: ends (P, T, 3) in shoulder heights (forward, left, up), radii (P, 2), tones
    (P,)."""

    start: Floats
    end: Floats
    radius: Floats
    tone: Floats
    textured: np.ndarray[tuple[int], np.dtype[np.bool_]]
    limb: np.ndarray[tuple[int], np.dtype[np.bool_]]


Point = tuple[Values | float, Values | float, Values | float]


class Builder:
    """Collects capsules part by part and stacks them at the end."""

    def __init__(self, moments: int) -> None:
        self.moments = moments
        self.ends = np.zeros((24, 2, moments, 3), np.float32)
        self.rows: list[tuple[float, float, float, bool, bool]] = []

    def add(
        self, start: Point, end: Point, radii: tuple[float, float], *, tone: float = 1.0, kind: str = "body"
    ) -> None:
        """One capsule; `kind` "coat" carries the pattern, "limb" is a leg or an arm."""
        ends = self.ends[len(self.rows)]
        for axis in range(3):
            ends[0, :, axis] = start[axis]
            ends[1, :, axis] = end[axis]
        self.rows.append((*radii, tone, kind == "coat", kind == "limb"))

    def build(self) -> Body:
        """All capsules so far."""
        count = len(self.rows)
        values = np.array(self.rows, np.float32)
        return Body(
            start=self.ends[:count, 0],
            end=self.ends[:count, 1],
            radius=values[:, :2],
            tone=values[:, 2],
            textured=values[:, 3] > 0,
            limb=values[:, 4] > 0,
        )


def build_body(look: Look, pose: Pose) -> Body:
    """The capsules of one animal at the moments of `pose`.

    >>> from primatrix.simulation.animals import LOOKS
    >>> still = np.zeros(5, np.float32)
    >>> build_body(LOOKS["hog"][0], Pose(still, still, still, still, still, still)).start.shape
    (14, 5, 3)
    """
    builder = Builder(len(pose.phase))
    {
        "quadruped": add_quadruped,
        "ape": add_quadruped,
        "human": add_human,
        "bird": add_bird,
        "crawler": add_crawler,
    }[look.form](builder, look, pose)
    return builder.build()


def add_quadruped(builder: Builder, look: Look, pose: Pose) -> None:
    """Four legs, trunk, neck, head, tail; sitting lifts the chest over the rump."""
    chest, rump = look.girth / 2, look.girth * 0.46
    bounce = look.hop * 0.35 * np.abs(np.sin(np.pi * pose.phase)) * pose.moving
    bounce = bounce + 0.02 * np.sin(4 * np.pi * pose.phase) * pose.moving
    upright = 1 - pose.sitting
    shoulder: Point = (
        look.length / 2 * upright + 0.08 * pose.sitting,
        0.0,
        (1 - chest) + 0.12 * pose.sitting + bounce,
    )
    hip: Point = (
        -look.length / 2 * upright - 0.12 * pose.sitting,
        0.0,
        (look.rump - rump) * upright + 0.36 * pose.sitting + bounce,
    )
    for side, tone in ((1, 0.85), (-1, 1.0)):
        for joint, fall in ((hip, 0), (shoulder, 1)):
            fraction = FOOTFALL[fall + (side + 1)]
            add_leg(
                builder, look, pose, joint=(joint[0], side * chest * 0.55, joint[2]), fall=(fraction, tone)
            )
    builder.add(hip, shoulder, (rump, chest), kind="coat")
    add_tail(builder, look, pose, root=(hip[0] - rump * 0.8, 0.0, hip[2] + rump * 0.5))
    add_head(builder, look, pose, root=(shoulder[0] + chest * 0.45, 0.0, shoulder[2] + chest * 0.35))


def add_leg(builder: Builder, look: Look, pose: Pose, *, joint: Point, fall: tuple[float, float]) -> None:
    """Upper and lower leg; the foot swings forward lifted and back on the ground."""
    angle = 2 * np.pi * (pose.phase + fall[0])
    swing = look.stride * 0.25 * pose.moving
    foot_x = joint[0] + swing * np.sin(angle)
    foot_z = 0.14 * pose.moving * np.maximum(np.cos(angle), 0)
    knee: Point = (
        0.5 * (joint[0] + foot_x) + 0.05 * np.cos(angle) * pose.moving + 0.03,
        joint[1],
        0.45 * (joint[2] + foot_z),
    )
    width = look.leg_width
    tone = fall[1] * look.belly
    builder.add(joint, knee, (width * 0.85, width * 0.55), tone=tone, kind="limb")
    builder.add(
        knee, (foot_x, joint[1], foot_z + width * 0.3), (width * 0.5, width * 0.42), tone=tone, kind="limb"
    )


def add_tail(builder: Builder, look: Look, pose: Pose, *, root: Point) -> None:
    """A tail of one capsule, swinging."""
    if look.tail <= 0:
        return
    angle = np.radians(look.tail_degrees) + 0.12 * pose.sway
    length = look.tail * np.cos(0.4 * pose.sway)
    tip_z = np.maximum(root[2] + length * np.sin(angle), look.tail_width * 0.4)
    tip: Point = (root[0] - length * np.cos(angle), look.tail * 0.35 * pose.sway, tip_z)
    builder.add(root, tip, (look.tail_width, look.tail_width * 0.5), tone=0.95)


def add_head(builder: Builder, look: Look, pose: Pose, *, root: Point) -> None:
    """Neck, head with muzzle, ears, horns and trunk; down while grazing."""
    degrees = look.neck_degrees + (GRAZING_DEGREES - look.neck_degrees) * pose.grazing
    angle = np.radians(degrees)
    turn = 0.5 * pose.sway * (1 - pose.grazing)
    nape: Point = (
        root[0] + look.neck * np.cos(angle) * np.cos(turn),
        look.neck * np.sin(turn),
        np.maximum(root[2] + look.neck * np.sin(angle), look.head * 0.7),
    )
    thick = max(look.girth * 0.26, look.head * 0.28)
    builder.add(root, nape, (look.girth * 0.36, thick))
    nod = np.radians(-18 + 0.35 * degrees)
    skull = look.head * 0.34
    tip: Point = (
        nape[0] + look.head * np.cos(nod) * np.cos(turn),
        nape[1] + look.head * np.sin(turn),
        np.maximum(nape[2] + look.head * np.sin(nod), skull * look.muzzle * 0.5),
    )
    crown = skull + look.ear * 0.5
    for side in (1.0, -1.0):
        if look.ear > 0.02:
            base: Point = (nape[0], nape[1] + side * skull * 0.8, nape[2] + skull * 0.4)
            wide = look.ear * (0.45 if look.trunk else 0.25)
            top: Point = (
                nape[0] - look.ear * 0.5,
                nape[1] + side * crown,
                nape[2] + crown * (0.0 if look.trunk else 1.3),
            )
            builder.add(base, top, (wide, wide * 0.6), tone=0.85)
        if look.horn > 0:
            horn: Point = (
                nape[0] - look.horn * 0.3,
                nape[1] + side * (skull + look.horn * 0.3),
                nape[2] + skull + look.horn,
            )
            builder.add(
                (nape[0], nape[1] + side * skull * 0.4, nape[2] + skull * 0.5), horn, (0.03, 0.012), tone=0.7
            )
    builder.add(nape, tip, (skull, skull * look.muzzle), tone=look.face)
    if look.trunk:
        add_trunk(builder, pose, tip)


def add_trunk(builder: Builder, pose: Pose, tip: Point) -> None:
    """An elephant's trunk in two pieces, and its tusks."""
    bend: Point = (tip[0] + 0.06 + 0.05 * pose.sway, tip[1], tip[2] - 0.3)
    end: Point = (bend[0] + 0.12 * pose.sway, tip[1], np.maximum(bend[2] - 0.3 + 0.1 * pose.sway, 0.05))
    builder.add(tip, bend, (0.085, 0.06))
    builder.add(bend, end, (0.06, 0.035))
    for side in (0.07, -0.07):
        builder.add(
            (tip[0], tip[1] + side, tip[2]),
            (tip[0] + 0.25, tip[1] + side, tip[2] - 0.12),
            (0.02, 0.012),
            tone=1.9,
        )


def add_human(builder: Builder, look: Look, pose: Pose) -> None:
    """Upright, arms and legs swinging against each other, crouching at times."""
    low = 1 - 0.38 * pose.sitting
    lean = 0.06 * pose.moving + 0.12 * pose.sitting
    width = look.leg_width * 0.5
    for side, fall in ((1.0, 0.0), (-1.0, 0.5)):
        angle = 2 * np.pi * (pose.phase + fall)
        swing = 0.24 * pose.moving * np.sin(angle)
        lift = 0.08 * pose.moving * np.maximum(np.cos(angle), 0)
        knee: Point = (0.5 * swing + 0.05 * lift + 0.3 * pose.sitting, side * 0.07, 0.32 * low + lift)
        builder.add((0.0, side * 0.07, 0.62 * low), knee, (width * 1.35, width), kind="limb")
        builder.add(knee, (swing, side * 0.07, 0.03 + lift), (width, width * 0.75), kind="limb")
        arm = -0.2 * pose.moving * np.sin(angle)
        elbow: Point = (lean + 0.5 * arm, side * 0.16, 0.78 * low)
        builder.add((lean, side * 0.15, 0.96 * low), elbow, (width * 0.8, width * 0.65), tone=0.9)
        builder.add(elbow, (lean + arm + 0.05, side * 0.16, 0.6 * low), (width * 0.6, width * 0.5), tone=0.9)
    for side in (0.055, -0.055):
        builder.add(
            (0.0, side, 0.62 * low), (lean, side * 1.5, 0.95 * low), (look.girth * 0.42, look.girth * 0.5)
        )
    face: Point = (lean * 1.4 + 0.02, 0.05 * pose.sway, 1.12 * low)
    builder.add((lean * 1.3, 0.0, 1.06 * low), face, (0.07, 0.085), tone=0.75)


def add_bird(builder: Builder, look: Look, pose: Pose) -> None:
    """Two thin legs on the ground, beating wings in the air."""
    hop = 0.5 * look.hop * np.abs(np.sin(np.pi * pose.phase)) * pose.moving
    tilt = 0.12 * (1 - pose.flying)
    back, breast = look.girth * 0.36, look.girth * 0.44
    middle = 0.66 + hop
    tail_root: Point = (-look.length / 2, 0.0, middle - tilt)
    chest: Point = (look.length / 2 - breast * 0.4, 0.0, middle + tilt)
    for side, fall in ((1.0, 0.0), (-1.0, 0.5)):
        angle = 2 * np.pi * (pose.phase + fall)
        foot = 0.2 * pose.moving * np.sin(angle) * (1 - pose.flying)
        reach = 0.3 * pose.flying
        thin = (look.leg_width * 0.8, look.leg_width * 0.5)
        builder.add(
            (0.0, side * 0.1, middle - 0.1), (foot, side * 0.1, hop + reach), thin, tone=0.8, kind="limb"
        )
    builder.add(
        tail_root, (-look.length / 2 - look.tail, 0.0, middle - tilt * 1.6), (back * 0.7, 0.06), tone=0.9
    )
    builder.add(tail_root, chest, (back, breast), kind="coat")
    peck = look.neck * np.sin(np.radians(look.neck_degrees - 110 * pose.grazing) * (1 - 0.7 * pose.flying))
    head: Point = (chest[0] + look.neck * 0.7, 0.06 * pose.sway, np.maximum(chest[2] + 0.1 + peck, 0.12))
    builder.add((chest[0], 0.0, chest[2] + 0.1), head, (0.13, 0.1))
    builder.add(head, (head[0] + look.head, head[1], head[2] - 0.04), (0.13, 0.03), tone=look.face)
    beat = np.sin(2 * np.pi * 3.1 * pose.phase)
    span = (look.length * 1.1 + 0.5) * pose.flying
    for side in (1.0, -1.0):
        tip: Point = (-0.15, side * (0.1 + span * np.cos(beat)), middle + 0.1 + span * np.sin(beat))
        builder.add((0.05, side * 0.12, middle + 0.12), tip, (0.2, 0.09), tone=0.88)


def add_crawler(builder: Builder, look: Look, pose: Pose) -> None:
    """A low body between sprawled legs, winding from side to side."""
    wind = 0.5 * np.sin(2 * np.pi * pose.phase) * pose.moving
    half, radius = look.length / 2, look.girth / 2
    hip: Point = (-half, wind * 0.4, radius)
    shoulder: Point = (half, -wind * 0.3, radius * 1.1)
    for joint, sign in ((hip, 1.0), (shoulder, -1.0)):
        for side in (1.0, -1.0):
            step = 0.5 * sign * side * np.sin(2 * np.pi * pose.phase) * pose.moving
            foot: Point = (joint[0] + step + 0.2, joint[1] + side * 1.2, look.leg_width * 0.5)
            builder.add(joint, foot, (look.leg_width, look.leg_width * 0.6), tone=0.9, kind="limb")
    bend: Point = (-half - look.tail * 0.5, -wind, radius * 0.6)
    builder.add(bend, (-half - look.tail, wind * 1.4, radius * 0.2), (look.tail_width * 0.4, 0.05), tone=0.95)
    builder.add(hip, bend, (radius * 0.8, look.tail_width * 0.4), tone=0.95)
    builder.add(hip, shoulder, (radius * 0.9, radius), kind="coat")
    rise = look.neck * np.sin(np.radians(look.neck_degrees + 15 * pose.sway))
    nape: Point = (shoulder[0] + look.neck, shoulder[1] + 0.3 * pose.sway, shoulder[2] + rise)
    builder.add(shoulder, nape, (radius * 0.7, radius * 0.55))
    tip: Point = (nape[0] + look.head, nape[1] + 0.3 * pose.sway, nape[2] - 0.05)
    builder.add(nape, tip, (radius * 0.55, radius * 0.55 * look.muzzle), tone=look.face)
