"""An empty ledger."""

from pathlib import Path

import pytest

from grid.ledger.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "store")
