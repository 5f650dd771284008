"""The fixtures of the integration tests: the same parts, on servers that fail."""

from tests.integration.conftest import broker, database, ledger, producer, template

__all__ = ["broker", "database", "ledger", "producer", "template"]
