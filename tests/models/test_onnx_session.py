"""Sessions follow torch's threads, and copies of them run."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from primatrix.errors import ModelError
from primatrix.models.efficientnet_lite import EfficientNetLite
from primatrix.models.efficientnet_onnx import write_onnx
from primatrix.models.onnx_session import OnnxSession

PICTURES = np.random.default_rng(0).uniform(-1, 1, (2, 3, 32, 32)).astype(np.float32)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def make_session() -> OnnxSession:
    torch.manual_seed(0)
    return OnnxSession(write_onnx(EfficientNetLite("lite0")), path="lite0")


@pytest.mark.usefixtures("threads")
def test_a_session_has_as_many_threads_as_torch_has_now() -> None:
    session = make_session()
    seen = []
    for count in (2, 1):
        torch.set_num_threads(count)
        seen.append(session.run(PICTURES))
        assert session.open().get_session_options().intra_op_num_threads == count
        assert session.open() is session.open()
    np.testing.assert_allclose(seen[0], seen[1], rtol=1e-5, atol=1e-6)


def test_the_same_pictures_give_the_same_numbers_to_the_last_bit() -> None:
    session = make_session()
    assert np.array_equal(session.run(PICTURES), session.run(PICTURES))
    assert np.array_equal(session.run(PICTURES), make_session().run(PICTURES))


def test_copies_and_pickles_run_like_what_they_were_made_of() -> None:
    session = make_session()
    expected = session.run(PICTURES)
    for twin in (copy.deepcopy(session), pickle.loads(pickle.dumps(session))):
        assert twin.made is None
        assert np.array_equal(twin.run(PICTURES), expected)


def test_waiting_threads_leave_the_processor_to_others() -> None:
    options = make_session().open().get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_what_is_no_network_is_refused_in_one_line() -> None:
    with pytest.raises(ModelError, match=r"^a.onnx: onnxruntime cannot run it"):
        OnnxSession(b"no network", path="a.onnx").open()


def test_a_session_is_imported_without_onnxruntime() -> None:
    code = "import sys, primatrix.models.encoders; assert 'onnxruntime' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
