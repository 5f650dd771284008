"""Imports run one way only; the sources are walked to prove it."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: What each package may import of ours, itself aside (DESIGN.md, "The picture").
ALLOWED = {
    "ledger": set(),
    "topology": {"ledger"},
    "producers": {"topology", "ledger"},
    "consumers": {"producers", "topology", "ledger"},
    "bank": {"producers", "topology", "ledger"},
    "gateway": {"bank", "producers", "topology", "ledger"},
    "cli": {"producers", "topology", "ledger"},
}

#: Libraries that belong to one layer: the books know no broker, the rules know no database.
FOREIGN = {
    "ledger": {"aio_pika", "aiormq", "fastapi", "starlette", "uvicorn", "httpx", "pydantic"},
    "consumers": {"fastapi", "starlette", "uvicorn", "httpx"},
    "bank": {"aio_pika", "aiormq", "fastapi"},
    "gateway": {"aio_pika", "aiormq"},
}

#: The functional core: decisions are made without I/O, without a clock and without a log.
PURE = (
    "books",
    "commands",
    "chain",
    "decide",
    "events",
    "money",
    "outcomes",
    "owners",
    "records",
    "rejections",
    "reservations",
    "reversals",
    "transfer_groups",
    "transfers",
    "wallets",
)
IMPURE = {"asyncio", "asyncpg", "os", "random", "secrets", "socket", "structlog", "time"}


def imports_of(path: Path) -> set[str]:
    """Top-level names of everything the file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_downwards_only(package: str) -> None:
    assert sources(package), f"{package} is empty"
    for path in sources(package):
        ours = imports_of(path) & ALLOWED.keys() - {package}
        assert ours <= ALLOWED[package], f"{path.relative_to(ROOT)} imports {ours}"


def test_no_module_imports_itself_in_a_circle() -> None:
    """Imports for type checkers count: they are how a reader understands a module."""
    graph = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in ALLOWED
        for path in sources(package)
    }
    ties = {name: modules_of(path) & graph.keys() - {name} for name, path in graph.items()}
    order = TopologicalSorter(ties)
    try:
        order.prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


def modules_of(path: Path) -> set[str]:
    """Full names of the modules that the file imports, or imports from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_only_its_own_command_imports_the_benchmark() -> None:
    """It changes parts of the product in its own processes: nothing of that may get into it."""
    allowed = {ROOT / "cli" / "bench.py"}
    importing = {p for package in ALLOWED for p in sources(package) if "bench" in imports_of(p)}
    assert importing == allowed
    assert not any("tests" in imports_of(path) for path in sources("bench"))


@pytest.mark.parametrize("package", FOREIGN)
def test_libraries_stay_in_their_layer(package: str) -> None:
    for path in sources(package):
        strangers = imports_of(path) & FOREIGN[package]
        assert not strangers, f"{path.relative_to(ROOT)} imports {strangers}"


@pytest.mark.parametrize("module", PURE)
def test_rules_are_pure(module: str) -> None:
    path = ROOT / "ledger" / f"{module}.py"
    assert not imports_of(path) & IMPURE, f"{path.name} reaches outside"


def test_the_simulated_bank_knows_nothing_of_us() -> None:
    """What it does must not be right because both sides share a mistake. Only its process, like all
    processes, beats for whoever watches."""
    simulator = ROOT / "bank" / "simulator"
    for path in sorted(simulator.glob("*.py")):
        named = {each for each in modules_of(path) if each.split(".")[0] in ALLOWED}
        strangers = {each for each in named if not each.startswith("bank.simulator")}
        if path.name == "__main__.py":
            strangers = {each for each in strangers if not each.startswith("topology")}
        assert strangers <= {"bank"}, f"{path.name} imports {strangers}"


def test_relative_imports_are_not_used() -> None:
    for package in ALLOWED:
        for path in sources(package):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom):
                    assert node.level == 0, f"{path.relative_to(ROOT)} imports relatively"


def test_only_entry_points_read_the_environment() -> None:
    """Settings are read once and passed down; ``cli`` is made of entry points."""
    for package in ("ledger", "topology", "producers", "bank", "consumers", "gateway"):
        for path in sources(package):
            if path.name in ("__main__.py", "settings.py"):
                continue
            names = {
                f"{node.value.id}.{node.attr}"
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            }
            assert not names & {"os.environ", "os.getenv"}, path.relative_to(ROOT)
