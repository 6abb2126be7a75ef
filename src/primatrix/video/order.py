"""The frames of a video from its packets: where the container's times can be trusted.

Packets sorted by time are then the frames, and any frame can be decoded from the keyframe before it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from primatrix.video.packets import (
    INTRA_IN_ANY_ORDER,
    UNORDERED_CODECS,
    PacketTable,
    Source,
    time_packets,
)

__all__ = ["FrameOrder", "Passage", "cut_passage", "order_frames"]

TRUSTED_CONTAINERS = {"mov", "matroska", "mpegts", "asf", "flv"}
PROGRESSIVE_FIELD_ORDERS = {0, 1}  # AV_FIELD_UNKNOWN, AV_FIELD_PROGRESSIVE


@dataclass(frozen=True, slots=True)
class FrameOrder:
    """The frames of a video whose times can be trusted, in the order they are shown.

    `packet[i]` is the packet that holds frame i, `pts[i]` its time; `keyframe_packet` and `keyframe_pts` are
    the places where decoding can start, in the file's order, which is also the order of time.
    """

    packet: list[int]
    pts: list[int]
    keyframe_packet: list[int]
    keyframe_pts: list[int]

    def start_of(self, frame: int) -> int:
        """The packet to start decoding at: the latest keyframe shown no later than the frame.

        Not the latest in the file: pictures after an open group's keyframe may be shown before it and
        lean on the group before.
        """
        return self.keyframe_packet[bisect_right(self.keyframe_pts, self.pts[frame]) - 1]


def order_frames(source: Source, table: PacketTable) -> FrameOrder | None:
    """The frames in the order they are shown, or None where the container's times cannot be trusted."""
    if not _may_be_trusted(source, table) or None in table.pts:
        return None
    pts = cast(list[int], table.pts)
    if len(set(pts)) != len(pts):
        return None
    shown = [i for i, is_shown in enumerate(table.shown) if is_shown]
    shown.sort(key=pts.__getitem__)
    starts = [i for i, is_keyframe in enumerate(table.keyframe) if is_keyframe]
    start_pts = [pts[i] for i in starts]
    if not shown or pts[shown[0]] < start_pts[0] or start_pts != sorted(start_pts):
        return None
    if time_packets(source, table).note:  # a wrong time would show a frame at a wrong place
        return None
    return FrameOrder(shown, [pts[i] for i in shown], starts, start_pts)


def _may_be_trusted(source: Source, table: PacketTable) -> bool:
    context = source.stream.codec_context
    if table.damaged or not table.keyframe[0]:
        return False
    if source.container_name == "avi":
        return context.name in UNORDERED_CODECS
    if source.container_name == "asf" and context.has_b_frames:
        return False  # some writers put the order of coding where the time belongs
    # Two fields of one picture may come as two packets.
    by_field = context.field_order not in PROGRESSIVE_FIELD_ORDERS and context.name not in INTRA_IN_ANY_ORDER
    return source.container_name in TRUSTED_CONTAINERS and not by_field


@dataclass(frozen=True, slots=True)
class Passage:
    """Some frames of a video and what it takes to find them again without reading the file through.

    `chosen` are indices into `order`, which counts from the first of them; `table` has the packets from the keyframe
    before it to the last that is needed.
    """

    table: PacketTable
    order: FrameOrder
    chosen: list[int]


def cut_passage(table: PacketTable, order: FrameOrder, chosen: Sequence[int]) -> Passage:
    """What is needed of a video's packets and frames to decode those with these indices.

    >>> table = PacketTable(pts=[0, 10, 20, 30, 40], keyframe=[True, False, True, False, False])
    >>> order = FrameOrder([0, 1, 2, 3, 4], [0, 10, 20, 30, 40], [0, 2], [0, 20])
    >>> passage = cut_passage(table, order, [3])
    >>> passage.table.pts, passage.order.packet, passage.chosen
    ([20, 30], [1], [0])
    """
    low, high = min(chosen), max(chosen)
    start = min(order.start_of(frame) for frame in set(chosen))
    stop = max(order.packet[frame] for frame in set(chosen)) + 1
    rows = slice(start, stop)
    near = PacketTable(table.pts[rows], table.dts[rows], table.keyframe[rows], places=table.places[rows])
    first, last = bisect_left(order.keyframe_packet, start), bisect_left(order.keyframe_packet, stop)
    return Passage(
        near,
        FrameOrder(
            [packet - start for packet in order.packet[low : high + 1]],
            order.pts[low : high + 1],
            [packet - start for packet in order.keyframe_packet[first:last]],
            order.keyframe_pts[first:last],
        ),
        [frame - low for frame in chosen],
    )
