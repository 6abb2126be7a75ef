"""Times one way of reading clips, in whatever environment it is run in; without primatrix unless it is the one.

    python time_readers.py READER FRAMES SIDE SECONDS SMALL_FILE FILE...

Reads the small file once to warm up, then the files over and over for SECONDS, at least once, on one core; prints
clips per second of that core's time as JSON, or {"absent": reason} where the reader does not load. What is asked of
every reader: FRAMES grey frames, the middle ones of equal segments, resized to SIDE x SIDE. One that cannot choose
frames reads them all.
"""

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Read = Callable[[str, int, int], np.ndarray]  # path, frames, side


def choose(count: int, frames: int) -> list[int]:
    return [(2 * i + 1) * count // (2 * frames) for i in range(frames)]


def shrink(frame: np.ndarray, side: int) -> np.ndarray:
    """Grey and small, by OpenCV's area averaging: what a user of a library of frames would call."""
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA)


def make_primatrix() -> Read:
    """As a worker reads: its process settled first, its garbage collected after each clip."""
    from primatrix.records import ClipSpec
    from primatrix.video import decode_clip, settle_memory

    settle_memory()

    def read(path: str, frames: int, side: int) -> np.ndarray:
        clip = decode_clip(path, ClipSpec(frames, side, side))
        gc.collect()
        return clip.frames

    return read


def make_libav_all() -> Read:
    """libav's own rate: every frame decoded in one thread, nothing done with any."""
    import av

    def read(path: str, _frames: int, _side: int) -> np.ndarray:
        with av.open(path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            stream.codec_context.thread_count = 1
            count = sum(1 for _ in container.decode(stream))
        return np.zeros((count, 1))

    return read


def make_libav_needed() -> Read:
    """The limit: only the pictures that the wanted ones may lean on, from packets read beforehand."""
    from primatrix.video import PacketTable, VideoPacket, open_video, order_frames, read_data

    kept: dict[str, list[tuple[list[VideoPacket], set[int]]]] = {}

    def find_groups(path: str, frames: int) -> list[tuple[list[VideoPacket], set[int]]]:
        with open_video(path) as source:
            packets = list(read_data(source))  # all of them, however large the file
            times, keyframes = [p.pts for p in packets], [p.is_keyframe for p in packets]
            table = PacketTable(times, keyframes, [not p.is_discard for p in packets], packets=packets)
            order = order_frames(source, table)
            wanted: dict[int, set[int]] = {}
            for frame in choose(len(order.packet), frames):
                wanted.setdefault(order.start_of(frame), set()).add(order.packet[frame])
        return [
            (table.packets[start : max(places) + 1], {place - start for place in places})
            for start, places in wanted.items()
        ]

    def read(path: str, frames: int, _side: int) -> np.ndarray:
        if path not in kept:
            kept[path] = find_groups(path, frames)
        with open_video(path) as source:
            context = source.stream.codec_context
            for group, wanted in kept[path]:
                for index, packet in enumerate(group):
                    context.skip_frame = "DEFAULT" if index in wanted else "NONREF"
                    context.decode(packet)
                context.decode(None)
                context.flush_buffers()
        return np.zeros((frames, 1))

    return read


def make_scikit_video() -> Read:
    """As the benchmark's walk-through: the whole clip in grey, then the frames; no resizing."""
    import skvideo.io

    def read(path: str, frames: int, _side: int) -> np.ndarray:
        clip = skvideo.io.vread(path, as_grey=True)
        return clip[choose(len(clip), frames)]

    return read


def make_ffmpeg_pipe() -> Read:
    """As zamba: one ffmpeg program per clip, fps filter, full-size RGB through a pipe, then resized."""
    import cv2  # noqa: F401

    def read(path: str, frames: int, side: int) -> np.ndarray:
        probe = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries",
                 "stream=width,height,duration", "-of", "csv=p=0", path]  # fmt: skip
        width, height, seconds = subprocess.run(probe, capture_output=True, text=True).stdout.split(",")[:3]
        rate = frames / float(seconds)
        command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", path, "-vf", f"fps={rate}", "-f", "rawvideo",
                   "-pix_fmt", "rgb24", "pipe:"]  # fmt: skip
        raw = subprocess.run(command, capture_output=True, check=True).stdout
        pictures = np.frombuffer(raw, np.uint8).reshape(-1, int(height), int(width), 3)
        return np.stack([shrink(picture, side) for picture in pictures[:frames]])

    return read


def make_opencv(*, seek: bool) -> Read:
    import cv2

    cv2.setNumThreads(1)

    def read(path: str, frames: int, side: int) -> np.ndarray:
        capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        wanted = choose(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), frames)
        pictures = []
        if seek:
            for index in wanted:
                capture.set(cv2.CAP_PROP_POS_FRAMES, index)
                pictures.append(shrink(capture.read()[1], side))
        else:
            index = 0
            for target in wanted:
                while index < target and capture.grab():
                    index += 1
                pictures.append(shrink(capture.read()[1], side))
                index += 1
        return np.stack(pictures)

    return read


def make_decord() -> Read:
    import decord

    def read(path: str, frames: int, side: int) -> np.ndarray:
        reader = decord.VideoReader(path, num_threads=1)
        clip = reader.get_batch(choose(len(reader), frames)).asnumpy()
        return np.stack([shrink(picture, side) for picture in clip])

    return read


def make_torchcodec() -> Read:
    import torch
    from torchcodec.decoders import VideoDecoder

    torch.set_num_threads(1)

    def read(path: str, frames: int, side: int) -> np.ndarray:
        reader = VideoDecoder(path, num_ffmpeg_threads=1, dimension_order="NHWC", seek_mode="exact")
        clip = reader.get_frames_at(choose(len(reader), frames)).data.numpy()
        return np.stack([shrink(picture, side) for picture in clip])

    return read


READERS: dict[str, Callable[[], Read]] = {
    "primatrix": make_primatrix,
    "libav, every frame": make_libav_all,
    "libav, needed pictures": make_libav_needed,
    "scikit-video": make_scikit_video,
    "ffmpeg pipe": make_ffmpeg_pipe,
    "OpenCV, in order": lambda: make_opencv(seek=False),
    "OpenCV, seeking": lambda: make_opencv(seek=True),
    "decord2": make_decord,
    "torchcodec": make_torchcodec,
}


def time_reader(
    read: Read, paths: list[str], *, warm: str, frames: int, side: int, seconds: float
) -> dict[str, object]:
    read(warm, frames, side)  # imports, caches
    if read.__qualname__.startswith("make_libav_needed"):
        read(paths[0], frames, side)  # its packets
    count, began, cpu_began = 0, time.perf_counter(), cpu_seconds()
    while count < 1 or cpu_seconds() - cpu_began < seconds:
        clip = read(paths[count % len(paths)], frames, side)
        count += 1
    return {
        "clips_per_s": count / (cpu_seconds() - cpu_began),
        "clips_per_elapsed_s": count / (time.perf_counter() - began),
        "clips": count,
        "frames": len(clip),
    }


def cpu_seconds() -> float:
    """What this process and the programs it has run took of a core; what others took of a shared one is left out."""
    return sum(os.times()[:4])


def main() -> None:
    name, frames, side, seconds, warm, *paths = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):  # one core, also for the programs it starts
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    try:
        read = READERS[name]()
    except (ImportError, OSError, RuntimeError) as raised:
        error: BaseException = raised
        while deeper := error.__cause__ or error.__context__:
            error = deeper
        print(json.dumps({"absent": " ".join(str(error).split())[:300]}))
        return
    result = time_reader(read, paths, warm=warm, frames=int(frames), side=int(side), seconds=float(seconds))
    print(json.dumps(result))


if __name__ == "__main__":
    assert all(Path(path).exists() for path in sys.argv[6:])
    main()
