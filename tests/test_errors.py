import copy
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from primatrix import errors
from primatrix.choices import Stage
from primatrix.errors import DecodeError, InputError, ModelError, PrimatrixError, StoreError
from primatrix.records import Failure


def test_one_except_catches_every_error_and_no_other_kind_is_caught_with_one() -> None:
    kinds = (DecodeError, InputError, ModelError, StoreError)
    assert {getattr(errors, name) for name in errors.__all__} == {PrimatrixError, *kinds}
    for kind in kinds:
        assert kind.__mro__[1:3] == (PrimatrixError, Exception)


def test_the_tree_in_the_docstring_names_every_error() -> None:
    assert errors.__doc__
    assert sorted(re.findall(r"^(?:[├└]── )?(\w+Error)\b", errors.__doc__, re.MULTILINE)) == errors.__all__


def test_a_decode_error_reads_as_its_message_and_knows_how_far_it_came() -> None:
    error = DecodeError("a.mp4: no frame at 3.00 s", stage="open")
    assert (str(error), error.stage) == ("a.mp4: no frame at 3.00 s", "open")
    assert DecodeError("a.mp4: damaged").stage == "decode"


@pytest.mark.parametrize("send", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_decode_error_comes_whole_from_another_process(send: Callable[[DecodeError], DecodeError]) -> None:
    error = send(DecodeError("a.mp4: damaged", stage="convert"))
    assert (type(error), str(error), error.stage) == (DecodeError, "a.mp4: damaged", "convert")


def test_docs_tell_every_stage_and_no_other() -> None:
    docs = (Path(__file__).parents[1] / "docs" / "decoding.md").read_text(encoding="utf-8")
    table = docs.partition("| stage |")[2].partition("\n\n")[0]
    told = [stage for row in table.splitlines()[2:] for stage in row.split("|")[1].strip().split(", ")]
    assert told == list(get_args(Stage))
    for stage in told:
        assert f'"{stage}"' in (Failure.__doc__ or ""), stage
