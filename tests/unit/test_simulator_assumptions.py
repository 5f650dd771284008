"""What nobody has published is an assumption that does something, and that a test turns round."""

from __future__ import annotations

from pathlib import Path

import pytest

from bank.simulator.assumptions import Assumptions

ROOT = Path(__file__).resolve().parents[2]
NAMES = Assumptions.__struct_fields__


def texts(folder: Path, pattern: str) -> str:
    return "".join(path.read_text() for path in sorted(folder.glob(pattern)))


@pytest.mark.parametrize("name", NAMES)
def test_it_changes_what_the_bank_does(name: str) -> None:
    simulator = ROOT / "bank" / "simulator"
    others = [path for path in simulator.glob("*.py") if path.name != "assumptions.py"]
    assert any(f".{name}" in path.read_text() for path in others)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_turned_round_by_a_test(name: str) -> None:
    # A test for several has the name in a list.
    tests = texts(ROOT / "tests" / "integration", "test_simulated_*.py")
    assert f"{name}=" in tests or f'"{name}"' in tests
