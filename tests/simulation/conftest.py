"""The same books as the integration tests use."""

from tests.integration.conftest import database, template

__all__ = ["database", "template"]
