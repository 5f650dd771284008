"""What `./sov up` tells at the end: where everything is, without any secret."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from cli.access import stored
from cli.home import Home
from cli.supervision import state
from cli.supervision.state import Snapshot


def summary(here: Home, snapshot: Snapshot) -> str:
    """Several lines for a person."""
    ways = stored(here.access_file)
    lines = [
        "Store of Value is up",
        f"  HTTP      {snapshot.url}  (documentation: {snapshot.url}/docs)",
    ]
    if ways is not None:
        lines += [
            f"  database  {masked(ways.owner)}",
            f"  broker    {masked(ways.administrator)}",
        ]
    lines += [f"  logs      {here.log_folder}", '  keys      eval "$(./sov env)"']
    return "\n".join(lines)


def already_running(here: Home) -> str:
    """For a second `up`: what runs, and where."""
    snapshot = state.read(here.state_file)
    if snapshot is None or not snapshot.is_alive():
        return "already starting; see ./sov status"
    first = f"already running (process {snapshot.pid}, {snapshot.phase}): nothing was changed"
    return f"{first}\n{summary(here, snapshot)}" if snapshot.phase == "running" else first


def masked(url: str) -> str:
    """``url`` with its password replaced."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.split(':')[0]}:***@{host}"))
