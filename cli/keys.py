"""`./sov keys`: API keys, each shown once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.books import with_books
from ledger import keys
from ledger.keys import ApiKey, Scope
from ledger.owners import UnusableOwner


@click.group("keys")
def command() -> None:
    """Create, list and revoke API keys."""


@command.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice([s.value for s in Scope])
)
@click.option(
    "--owner",
    help="Who stands behind it; the name where not given. Case and blanks make no other person of"
    " somebody.",
)
@click.option("--expires", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="In UTC.")
@click.option(
    "--rate",
    type=click.IntRange(1),
    help="Requests per second, of all gateways together (SOV_GATEWAYS of them, each its part);"
    " no limit where not given.",
)
def create(
    name: str,
    scopes: tuple[str, ...],
    owner: str | None,
    expires: datetime | None,
    rate: int | None,
) -> None:
    """Make the key NAME and print it. It cannot be shown again."""
    wanted = {Scope(s) for s in scopes}
    if owner is None and wanted & {Scope.BANK, Scope.APPROVER}:
        raise click.ClickException(
            "a key with the scope bank or approver needs --owner: two people have to agree, and one"
            " person may have several keys"
        )
    until = None if expires is None else expires.replace(tzinfo=UTC)
    try:
        key = with_books(
            lambda connection: keys.create(
                connection,
                name,
                [Scope(s) for s in scopes],
                owner=owner,
                expires=until,
                rate=rate,
            )
        )
    except UnusableOwner as problem:
        raise click.BadParameter(str(problem), param_hint="--owner") from None
    except keys.KeyNameTaken:
        raise click.ClickException(
            f"there is a key called {name!r} already: revoke it first, or choose another name"
        ) from None
    click.echo(key)


@command.command("list")
def list_keys() -> None:
    """Show every key there has been, never its secret."""
    Console().print(render(with_books(keys.load_all)))


def render(known: Sequence[ApiKey]) -> Table:
    """The table a person sees."""
    table = Table("id", "name", "owner", "scopes", "rate", "created", "expires", "state")
    for key in known:
        cells = (
            key.key_id,
            key.name,
            key.owner,
            ", ".join(sorted(key.scopes)),
            str(key.rate or "-"),
            _day(key.created),
            _day(key.expires),
            _state(key),
        )
        table.add_row(*map(Text, cells))  # a name is anybody's text, and "[" is markup in a str
    return table


@command.command("revoke")
@click.argument("id_or_name")
def revoke(id_or_name: str) -> None:
    """End a key, by its id or its name. Gateways refuse it within 5 seconds."""
    ended = with_books(lambda connection: keys.revoke(connection, id_or_name))
    if not ended:
        raise click.ClickException(f"no live key is called {id_or_name!r}")
    click.echo(f"revoked {', '.join(ended)}")


def _state(key: ApiKey) -> str:
    if key.revoked is not None:
        return f"revoked {_day(key.revoked)}"
    return "valid" if key.is_valid_at(datetime.now(UTC)) else "expired"


def _day(moment: datetime | None) -> str:
    return "-" if moment is None else moment.strftime("%Y-%m-%d %H:%M")
