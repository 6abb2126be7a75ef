"""What every test file shares: where the real clips lie, when they are there."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path

import av
import hypothesis
import numpy as np
import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch loads, as the command line does
os.environ.setdefault("KERAS_BACKEND", "torch")  # before anything imports keras
hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no fault
hypothesis.settings.load_profile("untimed")

collect_ignore = ["windows"]  # what Python itself loads in processes of tests/test_systems.py


def find_shared_data() -> Path | None:
    named = os.environ.get("PRIMATRIX_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real clips beside the checkout; tests that ask for it are skipped without it."""
    folder = find_shared_data()
    if folder is None:
        pytest.skip("real clips not found beside the checkout (set PRIMATRIX_SHARED_DATA)")
    return folder


def write_video(
    path: Path,
    *,
    frames: int = 30,
    size: tuple[int, int] = (64, 48),
    rate: int = 25,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    times_ms: list[int] | None = None,
    rotation: int = 0,
) -> Path:
    """A real video of blocks that wander, each frame unlike the others; `size` is (width, height)."""
    width, height = size
    blocks = np.random.default_rng(frames).integers(0, 255, (height // 4 + 2, width // 4 + 2, 3), np.uint8)
    picture = blocks.repeat(4, 0).repeat(4, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        if times_ms:
            stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for i in range(frames):
            pixels = np.ascontiguousarray(np.roll(picture, (i, 2 * i), (0, 1))[:height, :width])
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pixel_format)
            if times_ms:
                frame.pts, frame.time_base = times_ms[i], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def make_video() -> Callable[..., Path]:
    """`make_video(path, frames=…, codec=…, …)` writes a small real video and returns its path."""
    return write_video


PLACE_PX = (96, 128)
COLOURS = {"blank": None, "fox": (220, 90, 20), "tit": (30, 80, 220)}


def write_patch(path: Path, *, species: str, seed: int = 0, seconds: float = 5.0, start: float = 1.0) -> Path:
    """Two pictures a second of a noisy place; from `start` on, a patch of the species' colour crosses it in 3 s."""
    rng, (height, width) = np.random.default_rng(seed), PLACE_PX
    place = rng.integers(60, 120, (height // 8, width // 8, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    colour, first = COLOURS[species], round(2 * start)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=2, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i in range(round(2 * seconds)):
            picture, left = place.copy(), 16 * (i - first)
            if colour and 0 <= i - first < 6:
                picture[40:64, left : left + 24] = colour
                if species == "tit":
                    picture[44:60:6, left : left + 24] = 240
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def make_patch() -> Callable[..., Path]:
    """`make_patch(path, species=..., seed=..., seconds=..., start=...)` writes a small video and returns its path."""
    return write_patch


def write_times(source: Path, target: Path, pts_seconds: list[float], *, rate: int = 25) -> Path:
    """A copy whose packets have these times, whatever they are; those of decoding rise, evenly if need be."""
    is_rising, lead = pts_seconds == sorted(set(pts_seconds)), len(pts_seconds) / rate
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        stream = write.add_stream_from_template(read.streams.video[0])
        packets = [packet for packet in read.demux(video=0) if packet.size]
        for number, (packet, seconds) in enumerate(zip(packets, pts_seconds, strict=True)):
            decoded_seconds = seconds if is_rising else min(pts_seconds) - lead + number / rate
            packet.pts, packet.dts = (round(s / packet.time_base) for s in (seconds, decoded_seconds))
            packet.stream = stream
            write.mux(packet)
    return target


@pytest.fixture(scope="session")
def change_times() -> Callable[..., Path]:
    """`change_times(source, target, pts_seconds)` writes a copy whose packets have these times."""
    return write_times


def copy_unlike(path: Path, target: Path, *, number: int) -> Path:
    """A copy of an AVI that shows the same and is another file: a chunk with this number stands at its end."""
    target.write_bytes(path.read_bytes() + b"JUNK" + (4).to_bytes(4, "little") + number.to_bytes(4, "little"))
    return target


@pytest.fixture(scope="session")
def copy_avi() -> Callable[..., Path]:
    """`copy_avi(path, target, number=…)` makes another file of the same pictures: equal ones would be decoded once."""
    return copy_unlike


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def as_anyone() -> Callable[[], AbstractContextManager[None]]:
    """`with as_anyone():` runs without root's right to read everything; real permissions hold then."""
    if os.name != "posix":
        pytest.skip("permissions of POSIX systems")

    @contextmanager
    def drop() -> Iterator[None]:
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)  # nobody
        try:
            yield
        finally:
            os.seteuid(user)

    return drop


@pytest.fixture
def browse(tmp_path: Path) -> Callable[[Path], tuple[Path, set[str]]]:
    """`browse(page)` opens a page as a phone does: a screenshot, and what the page (not the browser itself) asked for.

    Tests that ask for it are skipped where there is no chromium; installing one takes longer than they do.
    """
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium or google-chrome here to open pages in")

    def open_page(page: Path) -> tuple[Path, set[str]]:
        log, picture = tmp_path / f"{page.stem}.net.json", tmp_path / f"{page.stem}.png"
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}",
            "--window-size=390,844", f"--screenshot={picture}", page.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        lines = [line for line in log.read_text().splitlines() if '"initiator":"null"' in line]
        return picture, {url for line in lines for url in re.findall(r'"url":"([^"]{0,200})', line)}

    return open_page
