"""What `./sov up` tells at the end: where everything is, without any secret."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus, urlsplit

from cli import simulated_bank
from cli.access import stored
from cli.home import Home
from cli.simulated_bank import SimulatedBank
from cli.supervision import state
from cli.supervision.state import Snapshot

HIDDEN = "***"
# As libpq and asyncpg take them after the "?"; the file of passwords is nobody's business either.
_SECRET_OPTIONS = frozenset({"password", "sslpassword", "passfile"})
_HOST = r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\]@,]*)(:[0-9]*)?"
_HOSTS = re.compile(rf"{_HOST}(,{_HOST})*")


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
    if any(view.name == simulated_bank.NAME for view in snapshot.processes):
        bank = SimulatedBank(here, here.kept.port(simulated_bank.NAME) or 0)
        lines.append(f"  bank      {bank.url}  (a simulator: no money is real)")
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
    """``url`` with its passwords replaced, or as a whole where it is not certain what they are.

    A password with an unescaped ``/``, ``?`` or ``#`` spills into parts where no password is looked
    for: they are recognised by what no such part may hold, and then nothing is shown.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    login, has_login, hosts = parts.netloc.rpartition("@")
    if not (
        parts.scheme
        and url.startswith(f"{parts.scheme}://")
        and _HOSTS.fullmatch(hosts)
        and not parts.fragment
        and "@" not in parts.path + parts.query
    ):
        return HIDDEN
    query = [_masked_option(option) for option in parts.query.split("&")] if parts.query else []
    if HIDDEN in query:
        return HIDDEN
    user, has_password, _ = login.partition(":")
    shown = f"{user}:{HIDDEN}" if has_password else user
    rest = f"{parts.path}?{'&'.join(query)}" if query else parts.path
    return f"{parts.scheme}://{shown}{has_login}{hosts}{rest}"


def _masked_option(option: str) -> str:
    name, is_option, _ = option.partition("=")
    if not is_option:
        return HIDDEN
    return f"{name}={HIDDEN}" if unquote_plus(name).lower() in _SECRET_OPTIONS else option
