"""Which packets show a picture: all of them, but for what some codecs put there instead. No codec is needed.

An MPEG-4 packet may hold two pictures ("packed", as DivX wrote AVI: the second is shown with the next packet) or none
(a picture that repeats the one before is not coded), a VP8 or VP9 packet a picture that is never shown, an H.264 or
HEVC packet parameters alone.
"""

import re
from collections.abc import Callable

__all__ = ["find_rule"]

VOP = b"\0\0\1\xb6"  # ISO/IEC 14496-2 section 6.2.1: a picture begins
VOL = re.compile(rb"\x00\x00\x01[\x20-\x2f]", re.DOTALL)
LONGEST_NOT_CODED = (
    16  # bytes of a packet whose VOP is not coded: 4, 4 of bits and one for every 8 whole seconds
)
LONGEST_PARAMETERS = 1024  # bytes, with what encoders write about themselves
SMALLEST_SLICE_BYTES = 256  # of H.264 and HEVC: a packet beyond that surely holds a slice
START_CODE = re.compile(rb"\x00\x00\x01(?=.)", re.DOTALL)
EXTENDED_SHAPE, EXTENDED_ASPECT = 3, 15

Rule = Callable[[memoryview], bool]


def find_rule(codec: str, extradata: bytes) -> Rule | None:
    r"""What tells whether each of a stream's packets, asked in their order, shows a picture; None where all do.

    `extradata` is what the container keeps beside the packets for their decoder.

    >>> find_rule("vp8", b"")(memoryview(b"\x00")), find_rule("mjpeg", b"")
    (False, None)
    """
    if codec == "mpeg4":
        return _Mpeg4Rule(extradata)
    if codec in ("vp8", "libvpx"):
        return _is_vp8_shown
    if codec in ("vp9", "libvpx-vp9"):
        return _is_vp9_shown
    place_of_size = {"h264": 4, "hevc": 21}.get(codec)
    if place_of_size is None:
        return None
    is_slice = _is_h264_slice if codec == "h264" else _is_hevc_slice
    # ISO/IEC 14496-15 sections 5.3.3.1 and 8.3.3.1: version 1, and later the bytes that a unit's length takes.
    counted = len(extradata) > place_of_size and extradata[0] == 1
    prefix = (extradata[place_of_size] & 3) + 1 if counted else 0
    return lambda content: len(content) > SMALLEST_SLICE_BYTES or _holds_slice(content, is_slice, prefix)


class _Mpeg4Rule:
    """Knows the pictures that packets owe; what is needed to read small ones stands before the first picture."""

    def __init__(self, extradata: bytes) -> None:
        self._time_bits = _find_time_bits(extradata)
        self._owed = 0  # pictures of packets before, shown one with each that follows

    def __call__(self, packet: memoryview) -> bool:
        content = bytes(packet)
        if not self._time_bits:
            self._time_bits = _find_time_bits(content[:LONGEST_PARAMETERS])
        if len(content) > LONGEST_NOT_CODED:
            self._owed = max(self._owed + content.count(VOP) - 1, 0)
            return True
        waiting = self._owed + self._is_coded(content)
        self._owed = max(waiting - 1, 0)
        return waiting > 0

    def _is_coded(self, content: bytes) -> bool:
        """Section 6.2.5: the type, 1s and a 0 for whole seconds, a marker, the time, a marker, and then this bit."""
        _, found, vop = content.partition(VOP)
        if not found or not self._time_bits:
            return bool(found)
        bits = int.from_bytes(vop[:8].ljust(8, b"\xff"), "big")
        place = 61  # after the type
        while place and bits >> place & 1:
            place -= 1
        place -= self._time_bits + 3
        return place < 0 or bool(bits >> place & 1)


def _find_time_bits(content: bytes) -> int:
    """How many bits a picture's time takes (section 6.2.3, vop_time_increment_resolution); 0 where it is not told."""
    found = VOL.search(content)
    if not found:
        return 0
    bits = _Bits(content[found.end() : found.end() + 64])
    bits.read(1 + 8)  # random access, type
    version = 1
    if bits.read(1):
        version = bits.read(4)
        bits.read(3)
    if bits.read(4) == EXTENDED_ASPECT:
        bits.read(16)
    if bits.read(1):  # control parameters
        bits.read(3)
        if bits.read(1):
            bits.read(79)  # of the buffer, with their markers
    shape = bits.read(2)
    if shape == EXTENDED_SHAPE and version != 1:
        bits.read(4)
    bits.read(1)
    resolution = bits.read(16)
    return max((resolution - 1).bit_length(), 1) if bits.left >= 0 and resolution else 0


class _Bits:
    """Bits from the front of some bytes; `left` falls below 0 where more was read than there is."""

    def __init__(self, content: bytes | memoryview) -> None:
        self._value = int.from_bytes(content, "big")
        self.left = 8 * len(content)

    def read(self, count: int) -> int:
        self.left -= count
        return self._value >> self.left & ((1 << count) - 1) if self.left >= 0 else 0


def _is_vp8_shown(content: memoryview) -> bool:
    """RFC 6386 section 9.1: bit 4 of the first byte."""
    return bool(content[0] >> 4 & 1)


def _is_vp9_shown(content: memoryview) -> bool:
    """VP9 bitstream specification, section 6.2 and annex B: show_frame, unless several frames share the packet."""
    if content[-1] >> 5 == 0b110:  # the index of a superframe, one frame of which is shown
        return True
    bits = _Bits(content[:2])
    bits.read(2)
    if bits.read(1) + 2 * bits.read(1) == 3:
        bits.read(1)
    if bits.read(1):  # one decoded before is shown
        return True
    bits.read(1)
    return bool(bits.read(1))


def _is_h264_slice(unit: int) -> bool:
    return unit & 31 in (1, 2, 5)  # ITU-T H.264 table 7-1: nal_unit_type


def _is_hevc_slice(unit: int) -> bool:
    return (unit >> 1 & 63) < 32  # ITU-T H.265 table 7-1: nal_unit_type


def _holds_slice(content: memoryview, is_slice: Callable[[int], bool], prefix: int) -> bool:
    """Whether one of the units is a slice; their length stands before them (`prefix` bytes), or else a start code."""
    if not prefix:
        return any(is_slice(content[match.end()]) for match in START_CODE.finditer(content))
    place = 0
    while place + prefix < len(content):
        if is_slice(content[place + prefix]):
            return True
        place += prefix + int.from_bytes(content[place : place + prefix], "big")
    return False
