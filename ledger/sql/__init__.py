"""The ledger's SQL, one ``.sql`` file per subject and one field per statement.

In the files a statement starts with ``-- name: <field>``; a field without a statement, or a
statement without a field, fails at import.
"""

from __future__ import annotations

import dataclasses

from ledger.sql.statements import Statements


@dataclasses.dataclass(frozen=True, slots=True)
class Execute(Statements):
    lock: str
    find_wallets: str
    wallets: str
    reservations: str
    facts: str
    reversed: str
    letters: str
    create_wallets: str
    change_wallets: str
    place_reservations: str
    release_reservations: str
    create_groups: str
    refuse_keys: str
    resolve_letters: str
    post: str


@dataclasses.dataclass(frozen=True, slots=True)
class Lookup(Statements):
    wallets: str
    transfers: str
    releases: str
    reservations: str
    groups: str
    outcomes: str
    outcome_range: str


@dataclasses.dataclass(frozen=True, slots=True)
class Heads(Statements):
    take_over: str
    end_owner: str
    reown: str
    turn: str
    tick: str
    sweep: str
    times: str
    announce: str
    neighbours: str
    state: str


@dataclasses.dataclass(frozen=True, slots=True)
class Deployment(Statements):
    read: str


@dataclasses.dataclass(frozen=True, slots=True)
class Reads(Statements):
    clock: str
    complete_until: str
    wallet_ids: str
    wallet: str
    wallet_of_reference: str
    wallets: str
    balance_at: str
    first_sequence: str
    entries_ascending: str
    entries_descending: str
    transfer_of_key: str
    live_reservations: str
    command: str


@dataclasses.dataclass(frozen=True, slots=True)
class Batches(Statements):
    create: str
    get: str
    page: str
    progress: str
    amounts: str
    append: str
    staged: str
    arrived: str
    piece: str
    wish: str
    claim: str
    renew: str
    release: str
    begin: str
    pause: str
    finish: str
    defect: str
    fail_upload: str
    add_lots: str
    prepared: str
    drop_uploads: str
    drop_lots: str
    open_lots: str
    bodies: str
    send_lots: str
    finish_lot: str
    done_until: str
    parked: str
    amend: str
    results: str
    currencies: str
    stale_uploads: str
    leftovers: str
    outdated: str
    forget: str


@dataclasses.dataclass(frozen=True, slots=True)
class Keys(Statements):
    create: str
    all: str
    revoke: str


@dataclasses.dataclass(frozen=True, slots=True)
class DeadLetters(Statements):
    park: str
    resolved_by: str
    list: str
    show: str
    reasons: str


@dataclasses.dataclass(frozen=True, slots=True)
class Interventions(Statements):
    record: str
    in_force: str


@dataclasses.dataclass(frozen=True, slots=True)
class Layouts(Statements):
    lock: str
    add: str
    move_heads: str
    add_heads: str
    add_relay_cursors: str
    before: str


@dataclasses.dataclass(frozen=True, slots=True)
class Relay(Statements):
    claim: str
    marks: str
    advance: str
    oldest: str


@dataclasses.dataclass(frozen=True, slots=True)
class Audit(Statements):
    transfers_have_both_entries: str
    entries_have_their_transfer: str
    currencies_sum_to_zero: str
    transfers_stay_in_their_currency: str
    balances_are_the_sum_of_entries: str
    entries_follow_each_other: str
    available_balances_hold: str
    closed_wallets_are_empty: str
    reversals_stay_within_their_original: str
    keys_are_used_once: str
    commands_have_one_outcome: str
    movements_have_their_outcome: str
    outcomes_have_their_movement: str
    releases_have_their_cause: str
    wallets_are_as_last_recorded: str
    resolutions_have_their_outcome: str
    outcomes_are_numbered: str
    heads_stand_at_the_end: str


@dataclasses.dataclass(frozen=True, slots=True)
class Chains(Statements):
    partitions: str
    links: str


AUDIT = Audit.load(__name__, "audit")
BATCHES = Batches.load(__name__, "batches")
CHAINS = Chains.load(__name__, "chains")
DEAD_LETTERS = DeadLetters.load(__name__, "dead_letters")
DEPLOYMENT = Deployment.load(__name__, "deployment")
EXECUTE = Execute.load(__name__, "execute")
HEADS = Heads.load(__name__, "heads")
INTERVENTIONS = Interventions.load(__name__, "interventions")
KEYS = Keys.load(__name__, "keys")
LAYOUTS = Layouts.load(__name__, "layouts")
LOOKUP = Lookup.load(__name__, "lookup")
READS = Reads.load(__name__, "reads")
RELAY = Relay.load(__name__, "relay")
