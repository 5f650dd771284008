"""The routes without servers: who may call what, which command comes of it, what is documented."""

from __future__ import annotations

import re

import pytest

from gateway.operations import Access
from gateway.problems import KINDS
from gateway.routing import Route, UndeclaredRoute, require_declared
from ledger.keys import Scope
from tests.tables import cases, rows
from tests.unit.gateway_calls import Bench, wallet_id

#: CONTRACT, "Scopes": who may call which route.
SCOPES = """
    method | path                                                 | scopes
    POST   | /v1/wallets                                          | eclipse operator
    GET    | /v1/wallets                                          | any
    GET    | /v1/wallets/{walletId}                               | any
    PATCH  | /v1/wallets/{walletId}                               | eclipse operator
    GET    | /v1/wallets/{walletId}/balance                       | any
    GET    | /v1/wallets/{walletId}/transactions                  | any
    POST   | /v1/transfers                                        | eclipse operator
    GET    | /v1/transfers                                        | any
    GET    | /v1/transfers/{transferId}                           | any
    POST   | /v1/transfers/{transferId}/reversals                 | eclipse operator
    POST   | /v1/transfer-groups                                  | eclipse operator
    POST   | /v1/wallets/{walletId}/reservations                  | eclipse operator
    GET    | /v1/wallets/{walletId}/reservations                  | any
    DELETE | /v1/wallets/{walletId}/reservations                  | eclipse operator
    GET    | /v1/wallets/{walletId}/reservations/{reservationId}  | any
    DELETE | /v1/wallets/{walletId}/reservations/{reservationId}  | eclipse operator
    GET    | /v1/commands/{commandId}                             | any
    POST   | /v1/batches                                          | batch operator
    GET    | /v1/batches                                          | any
    PATCH  | /v1/batches/{batchId}                                | batch operator
    GET    | /v1/batches/{batchId}                                | any
    GET    | /v1/batches/{batchId}/results                        | any
    POST   | /v1/batches/{batchId}/pause                          | batch operator
    POST   | /v1/batches/{batchId}/resume                         | batch operator
    POST   | /v1/batches/{batchId}/cancel                         | batch operator
    GET    | /v1/dead-letters                                     | operator
    GET    | /v1/dead-letters/reasons                             | operator
    GET    | /v1/dead-letters/{deadLetterId}                      | operator
    POST   | /v1/dead-letters/{deadLetterId}/replays              | operator
    POST   | /v1/dead-letters/{deadLetterId}/discards             | operator
    POST   | /v1/reconciliations                                  | bank operator
    GET    | /v1/reconciliations                                  | any
    GET    | /v1/reconciliations/{reconciliationId}               | any
    GET    | /v1/reconciliations/{reconciliationId}/differences   | any
    GET    | /v1/reconciliations/{reconciliationId}/report        | any
    POST   | /v1/payouts                                          | bank
    GET    | /v1/payouts                                          | any
    GET    | /v1/payouts/{payoutId}                               | any
    POST   | /v1/payouts/{payoutId}/approvals                     | approver
    POST   | /v1/payouts/{payoutId}/refusals                      | approver
    POST   | /v1/payouts/{payoutId}/cancellations                 | bank
    POST   | /v1/payouts/{payoutId}/resumptions                   | bank
    POST   | /v1/payouts/{payoutId}/rows                          | bank
    POST   | /v1/payouts/exports                                  | bank
    GET    | /v1/payouts/exports                                  | any
    GET    | /v1/payouts/exports/{exportId}/file                  | bank
    GET    | /v1/bank/accounts                                    | any
    GET    | /v1/bank/rows                                        | any
    POST   | /v1/bank/rows/{rowId}/actions                        | bank
    POST   | /v1/bank/fetches                                     | bank
    GET    | /v1/bank/fetches/{fetchId}                           | any
    POST   | /v1/bank/statements                                  | bank
    GET    | /v1/bank/statements                                  | any
    GET    | /v1/bank/statements/{statementId}                    | any
    GET    | /v1/bank/statements/{statementId}/file               | any
    GET    | /v1/suspense                                         | any
    POST   | /v1/suspense/{rowId}/actions                         | bank
    GET    | /v1/bank/actions                                     | any
    GET    | /v1/bank/actions/{actionId}                          | any
    POST   | /v1/bank/actions/{actionId}/approvals                | approver
    POST   | /v1/bank/actions/{actionId}/refusals                 | approver bank
    POST   | /v1/bank/statements/{statementId}/approvals          | approver
    POST   | /v1/bank/statements/{statementId}/refusals           | approver bank
    GET    | /v1/bank/exceptions                                  | any
    POST   | /v1/bank/exceptions/{exceptionId}/resolutions        | bank
    POST   | /v1/bank/aliases                                     | bank
    GET    | /v1/bank/aliases                                     | any
    POST   | /v1/bank/aliases/{aliasId}/approvals                 | approver
    DELETE | /v1/bank/aliases/{aliasId}                           | bank
    POST   | /v1/bank/expected-payments                           | bank
    GET    | /v1/bank/expected-payments                           | any
    DELETE | /v1/bank/expected-payments/{expectedId}              | bank
    GET    | /metrics                                             | any
    GET    | /healthz                                             |
    GET    | /readyz                                              |
"""
W1 = str(wallet_id(1))


@pytest.fixture(scope="module")
def application() -> Bench:
    return Bench()


@pytest.fixture
def bench(application: Bench) -> Bench:
    application.connect()
    return application


def declared(bench: Bench) -> dict[tuple[str, str], str]:
    found = {}
    for route in bench.application.routes:
        if isinstance(route, Route):
            access = route.operation.access
            scopes = "" if access is Access.ANYBODY else " ".join(sorted(access))
            found[route.operation.method, route.operation.path] = scopes
    return found


def scopes_of(row: dict[str, str]) -> frozenset[str]:
    return frozenset(Scope) if row["scopes"] == "any" else frozenset(row["scopes"].split())


def test_every_route_has_the_contracts_scopes(bench: Bench) -> None:
    expected = {(r["method"], r["path"]): " ".join(sorted(scopes_of(r))) for r in rows(SCOPES)}
    assert declared(bench) == expected


def test_a_route_that_says_not_who_may_call_it_stops_the_start() -> None:
    async def forgotten() -> None: ...

    bench = Bench()
    bench.application.add_api_route("/v1/forgotten", forgotten)
    with pytest.raises(UndeclaredRoute, match="/v1/forgotten"):
        require_declared(bench.application.routes)


@cases(SCOPES)
async def test_keys_without_the_scope_are_forbidden(bench: Bench, row: dict[str, str]) -> None:
    path = re.sub(r"{\w+}", W1, row["path"])
    for scope in Scope:
        async with bench.client(scope) as client:
            answer = await client.request(row["method"], path)
            assert (answer.status_code == 403) == bool(
                scopes_of(row) and scope not in scopes_of(row)
            )
    async with bench.client("") as client:
        answer = await client.request(row["method"], path)
        assert (answer.status_code == 401) == bool(row["scopes"])


async def test_paths_and_methods_that_are_not_there(bench: Bench) -> None:
    async with bench.client() as client:
        for path in ("/", "/v1", "/v1/transfers/", "/v2/transfers", "/v1/wallets//balance"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
            assert answer.json()["instance"] == path
        answer = await client.put(f"/v1/wallets/{W1}")
        assert answer.json()["code"] == "method-not-allowed"
        assert answer.headers["allow"] == "GET, HEAD, PATCH"
        answer = await client.options("/v1/transfer-groups")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        answer = await client.head("/v1/transfer-groups")
        assert answer.status_code == 405
        answer = await client.head("/healthz")
        assert answer.status_code == 200


async def test_every_answer_says_how_long_it_took(bench: Bench) -> None:
    async with bench.client() as client:
        for path in ("/healthz", "/nothing", "/v1/wallets", "/openapi.json"):
            assert "total;dur=" in (await client.get(path)).headers["server-timing"]


async def test_ids_in_paths_that_are_none_are_not_found(bench: Bench) -> None:
    async with bench.client() as client:
        for path, code in {
            "/v1/wallets/x": "wallet-not-found",
            "/v1/wallets/x/balance": "wallet-not-found",
            "/v1/wallets/x/transactions": "wallet-not-found",
            "/v1/wallets/x/reservations": "wallet-not-found",
            f"/v1/wallets/x/reservations/{W1}": "wallet-not-found",
            f"/v1/wallets/{W1}/reservations/x": "reservation-not-found",
            f"/v1/wallets/{W1}": "wallet-not-found",
            "/v1/transfers/x": "transfer-not-found",
            f"/v1/transfers/{W1}": "transfer-not-found",
            "/v1/commands/x": "command-not-found",
            f"/v1/commands/{'a' * 36}": "command-not-found",
            "/v1/commands/%00": "command-not-found",
        }.items():
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, code), path


async def test_every_list_has_a_limit_and_a_cursor(bench: Bench) -> None:
    lists = ["/v1/wallets", "/v1/transfers?externalUniqueId=key-0001"]
    async with bench.client() as client:
        for path in lists:
            joined = path + ("&" if "?" in path else "?")
            answer = await client.get(f"{joined}limit=10")
            assert answer.json() == {"items": [], "nextCursor": None}
            for wrong in ("limit=0", "limit=1001", "cursor=x", "cursor=bm90LW91cnM="):
                answer = await client.get(joined + wrong)
                assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


async def test_readiness_shows_what_is_missing(bench: Bench) -> None:
    async with bench.client("") as client:
        assert (await client.get("/readyz")).json() == {
            "status": "ready",
            "checks": {"database": "ok"},
        }
        bench.checks = {"database": "", "broker": "blocked"}
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["checks"] == {"database": "ok", "broker": "blocked"}
        assert (await client.get("/healthz")).status_code == 200


class TestDocumentation:
    def test_every_operation_is_described(self, bench: Bench) -> None:
        document = bench.application.openapi()
        for method, path in declared(bench):
            operation = document["paths"][path][method.lower()]
            assert operation["summary"]
            # What only changes rows beside the books is done when it is answered.
            stops = (
                path.startswith(("/v1/batches/", "/v1/payouts/"))
                or "/bank/actions/" in path
                or "/bank/statements/" in path
                or path.endswith("/resolutions")
                or "/aliases" in path
                or "/expected-payments" in path
            ) and method in ("POST", "DELETE")
            assert ("202" in operation["responses"]) == (method != "GET" and not stops)
            for status, answer in operation["responses"].items():
                assert answer["description"]
                if status.startswith(("4", "5")):
                    (media,) = answer["content"].values()
                    assert media["schema"] == {"$ref": "#/components/schemas/Problem"}
                    assert media["examples"]

    def test_every_problem_is_described_somewhere(self, bench: Bench) -> None:
        described = {
            code
            for path in bench.application.openapi()["paths"].values()
            for operation in path.values()
            for status, answer in operation["responses"].items()
            if status.startswith(("4", "5"))
            for code in answer["content"]["application/problem+json"]["examples"]
        }
        # What no route matches has no operation to stand in.
        assert {str(c) for c in KINDS} - described == {"not-found", "method-not-allowed"}

    def test_references_lead_somewhere(self, bench: Bench) -> None:
        document = bench.application.openapi()
        found = set(re.findall(r"#/components/schemas/(\w+)", repr(document)))
        assert found <= document["components"]["schemas"].keys()
