"""An operator for the tests of this folder."""

import pytest

from gateway.storage.tables import Tables
from tests.management.operator import OLD, Operator


@pytest.fixture
def operator(tables: Tables) -> Operator:
    """An operator of an empty catalog."""
    return Operator(tables, OLD)
