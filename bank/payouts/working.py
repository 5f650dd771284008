"""What the bank process does for payouts."""

from __future__ import annotations

from collections.abc import Sequence

from bank.payouts import names
from bank.payouts.following import Following, Releasing
from bank.payouts.placing import Placing
from bank.payouts.settling import Settling
from bank.payouts.submitting import Submitting
from bank.services import Services
from bank.steps import Step


def steps(services: Services) -> Sequence[Step]:
    return [
        Step(names.PLACE, 5.0, Placing(services).run),
        Step(names.SUBMIT, 10.0, Submitting(services).run),
        Step(names.FOLLOW, 5.0, Following(services).run),
        Step(names.SETTLE, 5.0, Settling(services).run),
        Step(names.RELEASE, 30.0, Releasing(services).run),
    ]
