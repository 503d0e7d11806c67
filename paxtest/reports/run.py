"""Run: what a run directory holds, read so that torn and missing parts only cost themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from paxtest.errors import StoreError
from paxtest.nemesis.record import FaultEvent
from paxtest.verdict import SCHEMA, CheckResult, RunResult, Verdict

RESULTS_BYTES_MAX = 64 << 20
PLAN_BYTES_MAX = 1 << 20
FAULT_EVENTS_MAX = 20_000
LOG_FILES_MAX = 200

T = TypeVar("T")


@dataclass
class Fault:
    """One fault, told from its events. Times are ns since the run began; None: never happened.

    It begins with `inject`: some strike for seconds until they are `injected`.
    """

    id: int
    kind: str
    name: str
    nodes: list[str]
    begin_ns: int
    end_ns: int | None = None
    effective: bool | None = None
    evidence: list[str] = field(default_factory=list)
    text: str = ""
    in_flight: int = 0
    failed: bool = False

    def add(self, event: FaultEvent) -> None:
        """Take in the next event of this fault."""
        self.in_flight = max(self.in_flight, event.in_flight)
        if event.nodes:
            self.nodes = event.nodes
        if event.event == "probe":
            # One probe that saw the fault hold is proof; a later one may come after its end.
            self.effective = bool(self.effective) or bool(event.effective)
            if event.evidence:
                self.evidence.append(event.evidence)
        elif event.event == "healed":
            self.end_ns = event.time_ns
        elif event.event == "failed":
            self.failed = True
        if event.text:
            self.text = event.text


@dataclass
class Run:
    """A run directory. `missing` has a sentence for every part that is absent or torn."""

    path: Path
    plan: dict[str, Any] = field(default_factory=dict)
    result: RunResult | None = None
    faults: list[Fault] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The plan's name, else that of the directory above."""
        return str(self.plan.get("name") or self.path.parent.name)

    @property
    def main_check(self) -> CheckResult | None:
        """The check on which the verdict rests: of the worst ones that which had an algorithm."""
        if self.result is None or not self.result.checks:
            return None
        rank = {Verdict.INVALID: 0, Verdict.UNKNOWN: 1, Verdict.VACUOUS: 2, Verdict.VALID: 3}
        return min(self.result.checks, key=lambda c: (rank[c.verdict], not c.algorithm))


def load(run_dir: Path) -> Run:
    """Read all of a run directory but its history. Raises StoreError where there is none."""
    if not run_dir.is_dir():
        raise StoreError(
            f"{run_dir} is not a run directory",
            "name a directory like store/<test>/<time>, or store/latest",
        )
    run = Run(run_dir.resolve())
    run.plan, problem = read_plan(run.path)
    if problem:
        run.missing.append(problem)
    run.result, problem = read_result(run.path)
    if problem:
        run.missing.append(problem)
    if not (run.path / "history.jsonl").is_file():
        segments = len(list(run.path.glob("history.[0-9]*.jsonl")))
        run.missing.append(
            f"history.jsonl is missing; the journals of {segments} load processes were not merged: "
            "paxtest check does that."
            if segments
            else "history.jsonl is missing: no operation was recorded."
        )
    _load_faults(run)
    _find_logs(run)
    return run


def read_plan(run_dir: Path) -> tuple[dict[str, Any], str]:
    """The plan, and a sentence saying what is wrong with it ("" when nothing is)."""
    data, problem = _read(run_dir / "plan.yaml", PLAN_BYTES_MAX)
    if data is None:
        return {}, problem
    try:
        plan = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return {}, f"plan.yaml is damaged: {_first_line(error)}."
    if not isinstance(plan, dict):
        return {}, "plan.yaml is damaged: it holds no mapping."
    return plan, ""


def read_result(run_dir: Path) -> tuple[RunResult | None, str]:
    """results.json, and a sentence saying what is wrong with it ("" when nothing is)."""
    return read_json(run_dir / "results.json", RunResult)


def read_json(path: Path, type_: type[T]) -> tuple[T | None, str]:
    """A JSON file as `type_` (which may ask for fewer fields), and what is wrong with it."""
    data, problem = _read(path, RESULTS_BYTES_MAX)
    if data is None:
        return None, problem
    try:
        found = msgspec.json.decode(data, type=type_)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return None, f"{path.name} is damaged: {_first_line(error)}."
    schema = getattr(found, "schema", SCHEMA)
    if schema > SCHEMA:
        return found, (
            f"{path.name} has schema {schema}, newer than {SCHEMA}: some of it may not be shown."
        )
    return found, ""


def label(part: Any) -> str:
    """The short name of a part of the plan: a name, a mapping with a name, or a list of them."""
    if part is None:
        return ""
    if isinstance(part, Mapping):
        for field_name in ("name", "kind", "kinds"):
            if part.get(field_name):
                return label(part[field_name])
        return ""
    if isinstance(part, list | tuple):
        return ", ".join(filter(None, map(label, part)))
    return str(part)


def _read(path: Path, bytes_max: int) -> tuple[bytes | None, str]:
    try:
        if path.stat().st_size > bytes_max:
            return None, f"{path.name} is larger than {bytes_max >> 20} MB and was not read."
        return path.read_bytes(), ""
    except FileNotFoundError:
        return None, f"{path.name} is missing."
    except OSError as error:
        return None, f"{path.name} cannot be read: {error.strerror}."


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _load_faults(run: Run) -> None:
    path = run.path / "faults.jsonl"
    if not path.is_file():
        if label(run.plan.get("nemesis")) not in ("", "none", "noop"):
            run.missing.append("faults.jsonl is missing: which faults were injected is not known.")
        return
    decoder = msgspec.json.Decoder(FaultEvent)
    by_id: dict[int, Fault] = {}
    torn = 0
    with path.open("rb") as lines:
        for count, line in enumerate(lines):
            if count >= FAULT_EVENTS_MAX:
                run.missing.append(f"faults.jsonl: only the first {count:,} events are shown.")
                break
            try:
                event = decoder.decode(line)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                torn += bool(line.strip())
                continue
            fault = by_id.get(event.id)
            if fault is None:
                fault = Fault(event.id, event.kind, event.name, event.nodes, event.time_ns)
                by_id[event.id] = fault
            fault.add(event)
    if torn:
        run.missing.append(f"faults.jsonl: {torn} damaged {'line' if torn == 1 else 'lines'}.")
    run.faults = sorted(by_id.values(), key=lambda fault: fault.begin_ns)


def _find_logs(run: Run) -> None:
    files = [run.path / "paxtest.log", *sorted((run.path / "nodes").rglob("*"))]
    found = [f.relative_to(run.path).as_posix() for f in files if f.is_file()]
    if len(found) > LOG_FILES_MAX:
        run.missing.append(f"Only {LOG_FILES_MAX} of {len(found)} log files are linked.")
    run.logs = found[:LOG_FILES_MAX]
