"""What every test file shares: where the real clips lie, when they are there."""

import os
from pathlib import Path

import pytest


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
