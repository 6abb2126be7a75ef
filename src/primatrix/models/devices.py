"""Where a model runs and in which precision: words that users write, and the processor they come to."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import nn

from primatrix.choices import Device
from primatrix.errors import InputError

__all__ = [
    "Compile",
    "Precision",
    "Processor",
    "choose_processor",
    "compile_network",
    "describe_device",
    "seeded",
]

Precision = Literal["auto", "bf16", "fp32"]
Compile = Literal["auto", "on", "off"]
# Compiling LRCN for prediction costs 8 s and wins 7 % (722 -> 778 clips/s on 2 cores), so it pays from about
# 80,000 clips; for training it is slower than not compiling (133 against 159 clips/s).
CLIPS_WORTH_COMPILING = 200_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor and the precision its arithmetic runs in, as `choose_processor` finds them.

    >>> processor = choose_processor("cpu", precision="fp32")
    >>> (processor.kind, processor.precision)
    ('cpu', 'fp32')
    """

    kind: Literal["cpu", "cuda", "mps"]
    precision: Literal["bf16", "fp32"]

    @property
    def torch_device(self) -> torch.device:
        """The processor as torch names it."""
        return torch.device(self.kind)

    @property
    def short(self) -> str:
        """A few characters for a progress line: `bf16 cpu`."""
        return f"{self.precision} {self.kind}"

    @property
    def description(self) -> str:
        """One line saying which processor runs: `cpu, 2 threads, bf16`."""
        if self.kind == "cuda":
            return f"cuda, {torch.cuda.get_device_name()}, {self.precision}"
        if self.kind == "mps":
            return f"mps, Apple GPU, {self.precision}"
        return f"cpu, {torch.get_num_threads()} threads, {self.precision}"

    def autocast(self) -> AbstractContextManager[object]:
        """A scope in which convolutions and matrix products run in this processor's precision."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.kind, torch.bfloat16)


def choose_processor(device: Device = "auto", *, precision: Precision = "auto") -> Processor:
    """The processor that two words mean (`auto`: cuda, else mps, else cpu; bf16 where it has it in hardware).

    Raises InputError for an unknown word or a processor that this machine or build of torch does not have.

    >>> choose_processor("cpu").kind
    'cpu'
    """
    for label, value, words in (
        ("device", device, get_args(Device)),
        ("precision", precision, get_args(Precision)),
    ):
        if value not in words:
            raise InputError(f"{label}: got {value!r}, wanted one of {', '.join(words)}")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    kind = next(k for k in there if there[k]) if device == "auto" else device
    if not there[kind]:
        found = ", ".join(k for k in there if there[k])
        raise InputError(
            f"device: got {kind!r}, which torch does not find here (it finds {found}); use 'auto'"
        )
    if precision == "auto":
        precision = "bf16" if has_fast_bf16(kind) else "fp32"
    return Processor(kind, precision)  # type: ignore[arg-type]  # narrowed to the words above


def describe_device(device: Device = "auto", *, precision: Precision = "auto") -> str:
    """One line saying which processor would run and in which precision.

    >>> describe_device("cpu", precision="fp32").startswith("cpu, ")
    True
    """
    return choose_processor(device, precision=precision).description


def has_fast_bf16(kind: str) -> bool:
    """Whether bf16 products run in hardware; emulated bf16 is slower than fp32.

    >>> isinstance(has_fast_bf16("cpu"), bool)
    True
    """
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind == "cpu":
        # Named in torch.cpu since 2.6, still with an underscore; without them fp32 is the safe answer.
        checks = [getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile")]
        return any(check is not None and check() for check in checks)
    return False


@contextmanager
def seeded(seed: int, *, processor: Processor | None = None) -> Iterator[None]:
    """A scope whose torch randomness follows from `seed` alone; the state around it is put back after.

    >>> with seeded(1):
    ...     a = torch.rand(1)
    >>> with seeded(1):
    ...     b = torch.rand(1)
    >>> bool(a == b)
    True
    """
    kind = processor.kind if processor is not None else "cpu"
    before = torch.mps.get_rng_state() if kind == "mps" else None
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if kind == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if kind == "cuda":
            torch.cuda.manual_seed(seed)
        if kind == "mps":
            torch.mps.manual_seed(seed)
        yield
    if before is not None:
        torch.mps.set_rng_state(before)


def compile_network(network: nn.Module, *, choice: Compile, clips: int) -> Callable[..., torch.Tensor]:
    """The network, compiled where `choice` is "on", or "auto" and the job is long enough for it to pay.

    Where compiling fails (no C++ compiler, a platform torch cannot compile for) the network runs as it is.

    >>> layer = nn.Linear(2, 1)
    >>> compile_network(layer, choice="auto", clips=10) is layer
    True
    """
    if choice not in get_args(Compile):
        raise InputError(f"compile: got {choice!r}, wanted one of {', '.join(get_args(Compile))}")
    if choice == "off" or (choice == "auto" and clips < CLIPS_WORTH_COMPILING):
        return network
    return FallingBack(network)


class FallingBack:
    """Compiles the network at the first call, and runs the plain one from the first time that fails."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.call: Callable[..., torch.Tensor] | None = None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The network's answer."""
        try:
            if self.call is None:
                self.call = torch.compile(self.network)
            result: torch.Tensor = self.call(x)
        except (RuntimeError, ImportError, OSError) as error:
            if self.call is self.network:
                raise
            logger.info("runs without torch.compile, which failed: %s", str(error).partition("\n")[0])
            self.call = self.network
            result = self.call(x)
        return result
