import pytest

from primatrix.report.words import (
    format_clock,
    format_count,
    format_length,
    format_number,
    format_probability,
    format_share,
)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.96, "1"), (0.0001, "<0.1"), (0.049, "<0.1"), (0.05, "0.1"), (9.96, "10"), (1234567.8, "1,234,568")],
)
def test_an_expected_count_has_a_tenth_at_most_and_is_never_none_where_some_are_expected(
    value: float, words: str
) -> None:
    assert format_count(value) == words


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0.0, "0 s"), (1 / 60, "60 s"), (1 / 30, "2 min"), (0.999, "60 min"), (1.0, "1 h"), (9.97, "10 h")],
)
def test_a_length_is_in_the_unit_that_suits_it(hours: float, words: str) -> None:
    assert format_length(hours) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0 %"),
        (0.994, "99 %"),
        (0.995, "99.5 %"),
        (0.9994, "99.9 %"),
        (0.9995, ">99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_only_all_of_it_is_100_per_cent(share: float, words: str) -> None:
    assert format_share(share) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "0"), (0.004, "0.004"), (0.0999, "0.100"), (0.1, "0.10"), (0.99, "0.99"), (0.9912, "0.991")],
)
def test_a_probability_has_a_digit_more_near_0_and_1(value: float, words: str) -> None:
    assert format_probability(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(-0.25, "-0.25"), (0.001234, "0.0012"), (9.94, "9.9"), (9.95, "10"), (100.4, "100"), (1e6, "1,000,000")],
)
def test_a_number_has_two_digits_or_all_before_the_point(value: float, words: str) -> None:
    assert format_number(value) == words


def test_a_moment_never_has_60_seconds() -> None:
    assert [format_clock(seconds) for seconds in (0, 59.94, 59.96, 119.99)] == [
        "0:00.0",
        "0:59.9",
        "1:00.0",
        "2:00.0",
    ]
