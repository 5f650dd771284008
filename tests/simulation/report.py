"""What a run came to: for people, and as one JSON object."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from tests.simulation.findings import Finding, Wrong
from tests.simulation.history import History

_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault, or two at once, and what it did to the service. Times are monotonic seconds."""

    faults: tuple[str, ...]
    begun_s: float
    healed_s: float
    back_s: float | None
    gap_s: float
    promised_s: float

    @property
    def name(self) -> str:
        return " + ".join(self.faults)

    @property
    def recovery_s(self) -> float | None:
        return None if self.back_s is None else self.back_s - self.healed_s

    @property
    def late(self) -> bool:
        return self.recovery_s is None or self.recovery_s > self.promised_s


@dataclass(frozen=True, slots=True)
class Report:
    seed: int
    lasted_s: float
    history: History
    struck: Sequence[Struck]
    longest_gap_s: float
    settled_after_s: Sequence[float]
    never_settled: int
    findings: Sequence[Finding]
    broken_rules: Sequence[str]
    """What ``./sov verify`` found."""

    def count(self, wrong: Wrong) -> int:
        return sum(finding.wrong is wrong for finding in self.findings)

    @property
    def holds(self) -> bool:
        """Nothing lost, nothing twice, no wrong answer, sound books, and back each time."""
        back = all(struck.back_s is not None for struck in self.struck)
        return not self.findings and not self.never_settled and not self.broken_rules and back

    def as_json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "seconds": round(self.lasted_s, 1),
            "holds": self.holds,
            **{wrong.value.replace(" ", "_"): self.count(wrong) for wrong in Wrong},
            "verify": list(self.broken_rules),
            "operations": {
                kind: dict(sorted(heard.items())) for kind, heard in self._operations().items()
            },
            "unknown": {
                "settled": len(self.settled_after_s),
                "never_settled": self.never_settled,
                "median_s": _rounded(_median(self.settled_after_s)),
                "max_s": _rounded(max(self.settled_after_s, default=None)),
            },
            "longest_unavailability_s": round(self.longest_gap_s, 2),
            "faults": {
                name: {
                    "times": len(struck),
                    "promised_s": max(each.promised_s for each in struck),
                    "late": sum(each.late for each in struck),
                    "not_back": sum(each.back_s is None for each in struck),
                    "recovery_median_s": _rounded(_median(_recoveries(struck))),
                    "recovery_max_s": _rounded(max(_recoveries(struck), default=None)),
                    "unavailable_max_s": round(max(each.gap_s for each in struck), 2),
                }
                for name, struck in sorted(self._by_kind().items())
            },
            "struck": [
                {
                    "faults": list(each.faults),
                    "lasted_s": round(each.healed_s - each.begun_s, 2),
                    "recovery_s": _rounded(each.recovery_s),
                    "unavailable_s": round(each.gap_s, 2),
                }
                for each in self.struck
            ],
            "findings": [
                {"wrong": f.wrong, "rule": f.rule, "detail": f.detail} for f in self.findings
            ],
        }

    def lines(self) -> Iterator[str]:
        """The same for people."""
        yield f"seed {self.seed}, {self.lasted_s:.0f} s"
        yield ""
        yield f"{'calls':22}{'ok':>8}{'fail':>8}{'unknown':>9}"
        for kind, heard in self._operations().items():
            yield f"  {kind:20}{heard['ok']:8}{heard['fail']:8}{heard['unknown']:9}"
        statuses = Counter(str(op.status or "none") for op in self.history.operations)
        yield "by status: " + ", ".join(f"{s} {n}" for s, n in sorted(statuses.items()))
        slowest = max(self.settled_after_s, default=0.0)
        yield f"unknown calls settled: {len(self.settled_after_s)}, the last after {slowest:.1f} s"
        yield ""
        yield (
            f"{'faults':22}{'times':>6}{'back after, median':>20}{'max':>8}{'promised':>10}"
            f"{'late':>6}{'longest gap':>13}"
        )
        for name, struck in sorted(self._by_kind().items()):
            back = _recoveries(struck)
            shown = f"{_seconds(_median(back)):>20}{_seconds(max(back, default=None)):>8}"
            gap = max(each.gap_s for each in struck)
            promised = _seconds(max(each.promised_s for each in struck))
            late = sum(each.late for each in struck)
            yield f"  {name:20}{len(struck):6}{shown}{promised:>10}{late:6}{_seconds(gap):>13}"
            if any(each.back_s is None for each in struck):
                yield f"  {name}: NOT BACK"
        yield f"longest unavailability: {self.longest_gap_s:.1f} s"
        yield ""
        yield from self._verdict()

    def _verdict(self) -> Iterator[str]:
        for finding in self.findings[:_SHOWN]:
            yield f"{finding.wrong}: {finding.rule}: {finding.detail}"
        if len(self.findings) > _SHOWN:
            yield f"… and {len(self.findings) - _SHOWN} more"
        if self.never_settled:
            yield f"{self.never_settled} unknown calls were never settled"
        counts = ", ".join(f"{wrong} {self.count(wrong)}" for wrong in Wrong)
        for rule in self.broken_rules:
            yield f"./sov verify: {rule}"
        yield f"{counts}; ./sov verify {'FAILS' if self.broken_rules else 'passes'}"
        yield "it holds" if self.holds else "IT DOES NOT HOLD"

    def _operations(self) -> dict[str, Counter[str]]:
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for operation in self.history.operations:
            found[operation.kind.value][operation.heard.value] += 1
        return dict(sorted(found.items()))

    def _by_kind(self) -> dict[str, list[Struck]]:
        """Pairs together: each of them is too rare to say anything."""
        found: dict[str, list[Struck]] = defaultdict(list)
        for each in self.struck:
            found[each.name if len(each.faults) == 1 else "two at once"].append(each)
        return found


def _recoveries(struck: Sequence[Struck]) -> list[float]:
    return [each.recovery_s for each in struck if each.recovery_s is not None]


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
