"""Two deployments that many tests look at."""

from __future__ import annotations

import pytest

from tests.infra.deployment import Deployment, deploy
from tests.infra.given import ALL


@pytest.fixture(scope="session")
def plain() -> Deployment:
    """With no parameters at all."""
    return deploy()


@pytest.fixture(scope="session")
def full() -> Deployment:
    """With everything that can be asked for."""
    return deploy(ALL)
