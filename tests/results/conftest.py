"""The smallest results there are."""

import pytest

from primatrix.results.results import Results, make_example


@pytest.fixture
def example() -> Results:
    """Two clips at one site: a duiker in one, the other broken."""
    return make_example()
