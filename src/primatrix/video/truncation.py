"""How much of a video file is missing, by what its container says of its own length; no codec needed.

MPEG-TS and MPEG-PS declare no length. An MPEG-TS cut in the middle of one of its packets is found out, since they
are all of one size; one cut between two, and any MPEG-PS, looks whole.
"""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

__all__ = ["find_loss"]

MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
MATROSKA_HEADER_BYTES = 4096  # the first level before the segment is some 40 bytes long
ASF_HEADER_BYTES = 64 << 10
ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
MOST_BOXES = 100_000
TS_SYNC = 0x47  # ISO/IEC 13818-1 section 2.4.3.2: every packet begins with it
TS_PACKET_BYTES = {
    0: 188,
    4: 192,
}  # by where the first sync byte lies: Blu-ray and AVCHD put a time of 4 bytes before
TS_PACKETS_LOOKED_AT = 5


def find_loss(path: Path, container_name: str, *, listed: int, there: int) -> str:
    """One line saying how much of the file is there, empty where nothing is known to be missing.

    `listed` is how many frames its index lists, `there` how many were found.

    >>> find_loss(Path("a.mp4"), "mov", listed=60, there=41)
    'cut short: 41 of 60 frames are there'
    """
    if container_name == "mov" and listed > there:
        return f"cut short: {there} of {listed} frames are there"
    measure = LENGTHS.get(container_name)
    if measure is None:
        return ""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        declared_bytes = measure(file, size_bytes)
    # A last chunk of odd length may lack the byte that fills it up.
    if declared_bytes <= size_bytes + 1:
        return ""
    least = "at least " if container_name == "mpegts" else ""
    return f"cut short: {size_bytes:,} of {least}{declared_bytes:,} bytes are there"


def _measure_avi(file: BinaryIO, size_bytes: int) -> int:
    """Where the last RIFF chunk ends: a file above 1 GB has several (OpenDML AVI extensions 1.02)."""
    end = 0
    while end < size_bytes:
        file.seek(end)
        head = file.read(8)
        if head[:4] != b"RIFF" or len(head) < 8:
            break
        length = int.from_bytes(head[4:], "little")
        end += 8 + length + length % 2
    return end


def _measure_mov(file: BinaryIO, size_bytes: int) -> int:
    """Where the last box of a fragmented file ends (ISO/IEC 14496-12); others list all their frames."""
    end, fragmented = 0, False
    for _ in range(MOST_BOXES):
        file.seek(end)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        fragmented |= kind == b"moof"
        if length < 8 or end + length > size_bytes:
            return end + length if fragmented and kind in (b"moof", b"mdat") else 0
        end += length
    return 0


def _measure_matroska(file: BinaryIO, _: int) -> int:
    """Where the segment ends (RFC 8794); 0 where its length was left open, as in a live recording."""
    head = file.read(MATROSKA_HEADER_BYTES)
    start = head.find(MATROSKA_SEGMENT) + 4
    if start < 4 or len(head) <= start or not head[start]:
        return 0
    width = 9 - head[start].bit_length()
    marked = int.from_bytes(head[start : start + width], "big")
    length = marked & ((1 << 7 * width) - 1)
    is_open = length == (1 << 7 * width) - 1
    return 0 if is_open else start + width + length


def _measure_asf(file: BinaryIO, _: int) -> int:
    """The file size in its properties (ASF specification 3.2); 0 for a broadcast, where it means nothing."""
    head = file.read(ASF_HEADER_BYTES)
    start = head.find(ASF_FILE_PROPERTIES)
    properties = head[start : start + 104]
    if start < 0 or len(properties) < 92 or properties[88] & 1:
        return 0
    return int.from_bytes(properties[40:48], "little")


def _measure_mpegts(file: BinaryIO, size_bytes: int) -> int:
    """Where the packet that the file ends in would end; 0 where it is unclear how long its packets are."""
    head = file.read(max(TS_PACKET_BYTES.values()) * TS_PACKETS_LOOKED_AT)
    for start, length in TS_PACKET_BYTES.items():
        syncs = head[start::length]
        if len(syncs) >= TS_PACKETS_LOOKED_AT and set(syncs) == {TS_SYNC}:
            return -(-size_bytes // length) * length
    return 0


LENGTHS: dict[str, Callable[[BinaryIO, int], int]] = {
    "avi": _measure_avi,
    "mov": _measure_mov,
    "matroska": _measure_matroska,
    "asf": _measure_asf,
    "mpegts": _measure_mpegts,
}
