"""FileCheck: one history file, from bytes to a certified, explained verdict."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paxtest import _core, explain, formats
from paxtest.checkers import verify
from paxtest.errors import HistoryError, InternalError, PaxtestError, UsageError
from paxtest.formats import guess
from paxtest.verdict import Operation, Verdict

SCHEMA = 1


@dataclass(frozen=True)
class Request:
    """How to check. `model` "auto": from the run's plan, else guessed from the content."""

    model: str = "auto"
    format: str = "auto"
    independent: bool | None = None
    algorithm: str = "auto"
    initial: Any = None
    time_budget_s: float = 60.0
    memory_budget_mb: int = 2048
    verify: bool = True


@dataclass
class FileCheck:
    """What was found in one file; docs/reference/check-json.md documents the JSON of it."""

    path: Path
    verdict: Verdict | None = None  # None: the file could not be checked
    error: PaxtestError | None = None
    history: _core.History | None = None
    report: _core.CheckReport | None = None
    model: str = ""
    model_source: str = ""  # flag, plan, guess
    certified: bool = False
    explanation: str = ""
    counterexample: list[Operation] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # the counterexample, for people
    notes: list[str] = field(default_factory=list)
    parse_s: float = 0.0
    check_s: float = 0.0
    certify_s: float = 0.0

    @property
    def crashed(self) -> bool:
        return self.error is not None and not isinstance(self.error, UsageError)

    @property
    def minimal(self) -> bool:
        """Whether no operation of the counterexample can be spared."""
        bad = explain.first_invalid(self.report) if self.report else None
        return bad is not None and bad.get("minimal", False)

    def first_violation(self) -> dict[str, Any] | None:
        """Event, time and key at which the history first became impossible."""
        bad = explain.first_invalid(self.report) if self.report else None
        if bad is None or self.history is None:
            return None
        at = bad.get("at")
        for number in bad.get("counterexample", ()):
            op = self.history.operation(number)
            if at is not None and op["ret"] == at:
                return {
                    "index": op["completed_index"],
                    "time_ns": op["completed_ns"] if self.history.timed else None,
                    "key": bad["key"],
                }
        return None

    def as_json(self) -> dict[str, Any]:
        """One object of `paxtest check --json`."""
        if self.error is not None:
            said = {"message": self.error.message, "hint": self.error.hint}
            return {"schema": SCHEMA, "file": str(self.path), "verdict": None, "error": said}
        assert self.history is not None and self.report is not None
        bad = explain.first_invalid(self.report)
        ok, fail, info = self.history.outcomes()
        return {
            "schema": SCHEMA,
            "file": str(self.path),
            "verdict": str(self.verdict),
            "format": self.history.format,
            "model": {"name": self.model, "from": self.model_source},
            "operations": len(self.history),
            "outcomes": {"ok": ok, "fail": fail, "info": info},
            "keys": len(self.report["partitions"]),
            "algorithm": self.report["algorithms"],
            "certified": self.certified,
            "explanation": self.explanation,
            "counterexample": self.counterexample,
            "minimal": bad.get("minimal", False) if bad else None,
            "reason": bad["reason"]["tag"] if bad and "reason" in bad else None,
            "first_violation": self.first_violation(),
            "invalid_keys": [
                p["key"] for p in self.report["partitions"] if p["verdict"] == "invalid"
            ],
            "unknown": [
                {"key": p["key"], "limit": p.get("limit"), "verified_events": p.get("verified")}
                for p in self.report["partitions"]
                if p["verdict"] == "unknown"
            ],
            "notes": self.notes,
            "seconds": {
                "parse": round(self.parse_s, 6),
                "check": round(self.check_s, 6),
                "certify": round(self.certify_s, 6),
            },
        }


def check(path: Path, request: Request) -> FileCheck:
    """Check one file or run directory. Errors stand in the answer, so that those of one file do
    not cost the others."""
    result = FileCheck(path)
    try:
        _check(result, request)
    except PaxtestError as error:
        result.error = error
    except Exception as error:
        traceback.print_exc()
        result.error = InternalError(
            f"checking {path} crashed: {type(error).__name__}: {error}",
            "the lines above are what paxtest's developers need; no verdict was reached",
        )
    return result


def _check(result: FileCheck, request: Request) -> None:
    began = time.perf_counter()
    source, planned = locate(result.path)
    history = formats.read(source, request.format, independent=request.independent)
    result.parse_s = time.perf_counter() - began
    result.history = history
    result.notes = list(history.notes)
    if request.model != "auto":
        result.model, result.model_source = request.model, "flag"
    elif planned:
        result.model, result.model_source = planned, "plan"
    else:
        result.model, result.model_source = guess.model(history), "guess"
    model, options = _resolve(result.model)
    began = time.perf_counter()
    try:
        report = _core.check(
            history,
            model,
            algorithm=request.algorithm,
            initial=request.initial,
            time_budget_s=request.time_budget_s,
            memory_budget_mb=request.memory_budget_mb,
        )
    except ValueError as error:
        raise HistoryError(
            f"{result.path}: {error}", "`paxtest list models` shows each model with its functions"
        ) from None
    except PaxtestError:
        raise
    except Exception as error:
        if isinstance(model, str):
            raise
        raise UsageError(
            f"the model {result.model} failed: {type(error).__name__}: {error}",
            "its `step` has to answer for every operation of the history",
        ) from None
    result.report = report
    result.check_s = time.perf_counter() - began
    began = time.perf_counter()
    if request.verify:
        result.certified = verify.certify(history, report, initial=request.initial, **options)
    result.certify_s = time.perf_counter() - began
    result.verdict = Verdict(report["verdict"])
    result.explanation = explain.explain(history, report, request.initial)
    bad = explain.first_invalid(report)
    if bad is not None:
        numbers = bad.get("counterexample", [])
        result.counterexample = explain.operations(history, numbers)
        result.lines = explain.lines(history, numbers)


def _resolve(name: str) -> tuple[str | _core.PythonModel, dict[str, Any]]:
    """A model for the core, and what the verifier has to know of one written in Python."""
    if ":" not in name:
        return name, {}
    from paxtest.models.base import Model, native
    from paxtest.models.semantics import partition, semantics
    from paxtest.plugins import Registry

    registry: Registry[type[Model]] = Registry("model", "paxtest.models", {})
    model = registry.load(name)()
    return native(model), {"semantics": semantics(model), "partition": partition(model)}


def locate(path: Path) -> tuple[Path, str]:
    """The history file that `path` means, and the model that its run's plan names ("": none)."""
    if not path.is_dir():
        return path, ""
    from paxtest import store, workloads

    run = store.find(path)
    run.merge_history()
    model = ""
    if run.plan.exists():
        name = (run.load_plan().get("workload") or {}).get("name", "")
        model = getattr(workloads.load(name), "model", "") if name else ""
    return run.history, model
