"""The entry point of `./sov`: a table of commands, each imported only when it is called."""

from __future__ import annotations

import importlib
import sys

import click

# A command `some-name` is the click command called `command` in `cli/some_name.py`, and the text
# is its line in the help. Importing all of them would make every call pay for all libraries.
COMMANDS = {
    "up": "bring the whole system up and print its URLs",
    "down": "stop what up started; data is kept unless --wipe",
    "env": "print the URLs and keys for eval",
    "status": "processes, partitions, broker and database",
    "demo": "play the ATM race and show the books",
    "verify": "audit the books; exit 0 only if every rule holds",
    "keys": "create, list and revoke API keys",
    "bulk": "files of transfers: submit, status, results, pause, resume, cancel",
    "bank": "what the bank said: accounts, rows, fetch, statement, exceptions; a simulated one",
    "payouts": "money to any bank account: list, show, create, approve, refuse, cancel, export",
    "suspense": "deposits that nobody could attribute: list, allocate, return, approve",
    "reconcile": "compare the books with the bank, or with an extract of Eclipse's",
    "dead-letters": "what broke the consumer: list, show, replay, discard",
    "partitions": "pause and resume partitions",
    "topology": "change the number of partitions while the system runs",
    "migrate": "bring the database up to this version",
    "config": "every setting with its value and source",
    "run": "one process in the foreground, for production",
    "bench": "measure how fast it is, beside baselines, on servers of its own",
    "test": "lint, types and tests; with arguments pytest alone",
    "torture": "kill, freeze and cut a system of its own under load, then audit it",
}


class LazyGroup(click.Group):
    """Looks commands up in ``COMMANDS`` and imports the one that is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module("cli." + cmd_name.replace("-", "_"))
        found = module.command
        if not isinstance(found, click.Command):
            raise TypeError(f"{module.__name__}.command is not a click command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Store of Value: a wallet ledger that is moved by messages."""


if __name__ == "__main__":
    sys.exit(main(prog_name="sov"))
