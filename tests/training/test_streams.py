import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from primatrix.training.streams import open_stream, prepare_ahead


class Plain:
    num_batches = num_val_batches = 5

    def batches(self) -> Iterator[int]:
        return itertools.count()

    val_batches = batches


class Seeking(Plain):
    place, drawn = 0, 0

    def seek(self, steps: int) -> None:
        self.place = steps

    def batches(self) -> Iterator[int]:
        while True:
            self.place += 1
            self.drawn += 1
            yield self.place - 1


@pytest.mark.parametrize("data", [Plain(), Seeking()])
def test_a_stream_starts_anywhere_and_is_dealt_to_a_team(data: Any) -> None:
    assert list(itertools.islice(open_stream(data, "batches", start=7), 3)) == [7, 8, 9]
    dealt = [
        list(itertools.islice(open_stream(data, "batches", start=6, rank=rank, size=2), 3)) for rank in (0, 1)
    ]
    assert dealt == [[6, 8, 10], [7, 9, 11]]


def test_batches_between_are_not_read_where_data_can_seek() -> None:
    data = Seeking()
    assert list(itertools.islice(open_stream(data, "batches", start=1000, rank=1, size=100), 3)) == [
        1001,
        1101,
        1201,
    ]  # type: ignore[arg-type]
    assert data.drawn == 3


def test_what_is_made_ready_ahead_comes_in_order_and_no_further_ahead() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for number in itertools.count():
            drawn.append(threading.get_ident())
            yield number

    def prepare(number: int) -> tuple[int, int]:
        time.sleep(0.02 * (number % 3 == 0))  # the first is done last
        return number, threading.get_ident()

    ready = prepare_ahead(items(), prepare, ahead=3, threads=3)
    made = list(itertools.islice(ready, 9))
    assert [number for number, _ in made] == list(range(9))
    assert len(drawn) == 9 + 3
    assert set(drawn) == {threading.get_ident()}
    assert threading.get_ident() not in {thread for _, thread in made}
    ready.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prepare")]


@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_an_error_comes_where_its_item_would_have_come(ahead: int) -> None:
    ready = prepare_ahead([1, 2, 0, 4], lambda n: 4 // n, ahead=ahead, threads=2)
    assert [next(ready), next(ready)] == [4, 2]
    with pytest.raises(ZeroDivisionError):
        next(ready)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prepare")]
