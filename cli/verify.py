"""`./sov verify`: the audit of the books."""

from __future__ import annotations

import json
import sys

import click

from cli.books import with_books
from ledger.audit import Finding, audit


@click.command("verify")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
def command(as_json: bool) -> None:
    """Check every rule of the books in one snapshot, beside live traffic."""
    findings = with_books(audit)
    holds = all(finding.holds for finding in findings)
    if as_json:
        rules = [
            {"rule": f.rule, "holds": f.holds, "offenders": list(f.offenders)} for f in findings
        ]
        click.echo(json.dumps({"holds": holds, "rules": rules}))
    else:
        for finding in findings:
            click.echo(_line(finding))
        click.echo("the books hold" if holds else "THE BOOKS DO NOT HOLD")
    sys.exit(0 if holds else 1)


def _line(finding: Finding) -> str:
    if finding.holds:
        return f"  ok      {finding.rule}"
    return f"  BROKEN  {finding.rule}: {', '.join(finding.offenders)}"
