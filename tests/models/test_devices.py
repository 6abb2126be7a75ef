import logging

import pytest
import torch
from torch import nn

from primatrix import InputError
from primatrix.models.devices import (
    Processor,
    choose_processor,
    compile_network,
    describe_device,
    has_fast_bf16,
    seeded,
)


def test_auto_takes_what_is_there_and_says_so() -> None:
    processor = choose_processor()
    assert torch.zeros(1, device=processor.torch_device).device.type == processor.kind
    assert processor.kind in describe_device()
    assert processor.precision in processor.short


def test_words_and_processors_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="device: got 'tpu', wanted one of auto, cpu, cuda, mps"):
        choose_processor("tpu")
    with pytest.raises(InputError, match="precision: got 'int8', wanted one of auto, bf16, fp32"):
        choose_processor(precision="int8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="got 'cuda', which torch does not find here"):
        choose_processor("cuda")


def test_bf16_is_chosen_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert choose_processor("cpu").precision == "fp32"
    assert not has_fast_bf16("mps")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert choose_processor("cpu").precision == "bf16"
    assert choose_processor("cpu", precision="fp32").precision == "fp32"


def test_autocast_runs_products_in_the_processors_precision() -> None:
    layer, x = nn.Linear(4, 4), torch.ones(1, 4)
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        with Processor("cpu", precision).autocast():
            assert layer(x).dtype == dtype


def test_seeded_scope_is_reproducible_and_puts_the_state_back() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    drawn = []
    for seed in (1, 1, 2):
        with seeded(seed):
            drawn.append(torch.rand(1).item())
    assert torch.equal(torch.rand(2), expected)
    assert drawn[0] == drawn[1] != drawn[2]


def test_compiling_is_left_out_where_it_does_not_pay() -> None:
    network = nn.Linear(2, 1)
    assert compile_network(network, choice="off", clips=10**9) is network
    assert compile_network(network, choice="auto", clips=1000) is network
    assert compile_network(network, choice="auto", clips=10**6) is not network
    with pytest.raises(InputError, match="compile: got 'yes', wanted one of auto, on, off"):
        compile_network(network, choice="yes", clips=0)


def test_a_network_that_cannot_be_compiled_runs_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_compiler(_: nn.Module) -> object:
        def call(x: torch.Tensor) -> torch.Tensor:
            raise torch._dynamo.exc.BackendCompilerFailed(call, RuntimeError("no C++ compiler"), None)

        return call

    monkeypatch.setattr(torch, "compile", no_compiler)
    network = nn.Linear(2, 1)
    call = compile_network(network, choice="on", clips=0)
    with caplog.at_level(logging.INFO):
        assert torch.equal(call(torch.ones(3, 2)), network(torch.ones(3, 2)))
        call(torch.ones(3, 2))
    assert len(caplog.records) == 1
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        call(torch.ones(3, 5))


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning:torch")
def test_compiled_network_gives_the_same_numbers() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    x = torch.randn(5, 3)
    with torch.inference_mode():
        torch.testing.assert_close(compile_network(network, choice="on", clips=0)(x), network(x))
