import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from primatrix.streams import open_stream


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
