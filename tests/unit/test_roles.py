"""The SQL of the roles, as an administrator is shown it."""

from __future__ import annotations

from ledger import migrate


def test_every_role_is_made_and_has_rights_of_its_own() -> None:
    created, grants = migrate.roles_sql().split("\n\n", 1)
    parts = grants.split("\n\n")
    assert len(parts) == len(migrate.ROLES)
    for role, part in zip(migrate.ROLES, parts, strict=True):
        assert f"CREATE ROLE {role} LOGIN" in created
        assert f"GRANT USAGE ON SCHEMA sov TO {role};" in part
        # Where another role was never made, a statement that names it would fail for this one too.
        assert not any(other in part for other in migrate.ROLES if other != role)
