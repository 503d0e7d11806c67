"""Plan: what a YAML file, `--set` and flags become; everything a run needs to know."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from paxtest import presets
from paxtest.errors import PlanError, did_you_mean

MAX_NODES = 99
MAX_WORKERS = 10_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SystemPlan(_Strict):
    """The system under test: a name from `paxtest list systems` or `path.py:Name`."""

    name: str = "paxos"
    options: dict[str, Any] = {}


class ClusterPlan(_Strict):
    """Where nodes come from. `auto` is docker where an engine answers, else local.

    ssh and existing clusters name every host in `options.hosts`.
    """

    kind: Literal["auto", "docker", "local", "ssh", "existing"] = "auto"
    nodes: int = Field(5, ge=1, le=MAX_NODES)
    options: dict[str, Any] = {}


class WorkloadPlan(BaseModel):
    """A name from `paxtest list workloads`, and that workload's own options beside it."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str = "register"

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class NemesisPlan(_Strict):
    """Which families of faults strike (none: []; all that can: ["all"]), how often, and the quiet
    tail without any. `weights`: of single faults, over their families' own; 0 leaves one out.
    """

    kinds: list[str] = []
    weights: dict[str, float] = {}
    interval_s: float | None = Field(None, gt=0)
    quiet_tail_s: float | None = Field(None, ge=0)

    @field_validator("kinds", mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return [kind for kind in (part.strip() for part in value.split(",")) if kind]
        return value


class CheckerPlan(_Strict):
    """Budgets of each checker; `stop_on_invalid` ends the load at the first violation."""

    algorithm: str = "auto"
    time_budget_s: float = Field(120.0, gt=0)
    memory_budget_mb: int = Field(2048, ge=16)
    stop_on_invalid: bool = False


class Plan(_Strict):
    """A whole test. Field names are those of the YAML file; docs/reference/plan.md explains."""

    name: str = ""
    preset: str = ""
    seed: int = Field(default_factory=lambda: secrets.randbelow(2**31), ge=0, lt=2**63)
    system: SystemPlan = SystemPlan()
    cluster: ClusterPlan = ClusterPlan()
    workload: WorkloadPlan = WorkloadPlan()
    nemesis: NemesisPlan = NemesisPlan()
    checker: CheckerPlan = CheckerPlan()
    concurrency: str = "4n"
    rate: float | None = Field(None, gt=0)
    time_limit_s: float = Field(60.0, gt=0, le=7 * 24 * 3600)
    ops: int | None = Field(None, ge=1)
    client_timeout_s: float = Field(2.0, gt=0)
    ready_timeout_s: float = Field(30.0, gt=0)
    load_processes: int = Field(1, ge=1, le=64)

    @field_validator("concurrency", mode="before")
    @classmethod
    def _concurrency(cls, value: Any) -> Any:
        text = str(value)
        if not re.fullmatch(r"[1-9][0-9]*n?", text):
            raise ValueError("expected a count of clients such as 20, or per node such as 4n")
        return text

    @property
    def workers(self) -> int:
        """How many clients run at once."""
        if self.concurrency.endswith("n"):
            return int(self.concurrency[:-1]) * self.cluster.nodes
        return int(self.concurrency)

    @property
    def title(self) -> str:
        """The test's name: the directory under store/."""
        return self.name or f"{Path(self.system.name).stem}-{Path(self.workload.name).stem}"


def load(path: Path | None, settings: list[str], flags: dict[str, Any]) -> Plan:
    """The plan of a YAML file, changed by `--set a.b=value` texts, changed by flags. A preset that
    one of them names gives what they leave open.

    `flags` maps dotted names to values; None means "not given". Raises PlanError.
    """
    data = _read(path) if path is not None else {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise PlanError(
                f"--set {setting!r} is not NAME=VALUE", "write e.g. --set workload.keys=20"
            )
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        _assign(data, name.strip(), value)
    for name, value in flags.items():
        if value is not None:
            _assign(data, name, value)
    _add_preset(data)
    try:
        plan = Plan.model_validate(data)
    except ValidationError as error:
        raise PlanError(*_explain(error, path)) from None
    if plan.workers > MAX_WORKERS:
        raise PlanError(
            f"concurrency {plan.concurrency!r} means {plan.workers} clients; "
            f"at most {MAX_WORKERS} are possible",
            "lower --concurrency, or use --load-processes with fewer clients each",
        )
    if plan.load_processes > plan.workers:
        raise PlanError(
            f"load_processes {plan.load_processes} exceeds the {plan.workers} clients",
            "raise --concurrency or lower --load-processes",
        )
    if plan.load_processes > 1 and plan.checker.stop_on_invalid:
        raise PlanError(
            f"checker.stop_on_invalid needs one load process, not {plan.load_processes}",
            "drop --load-processes or --stop-on-invalid",
        )
    return plan


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise PlanError(
            f"cannot read the plan {path}: {error.strerror}", "give the path of a YAML file"
        ) from None
    except UnicodeDecodeError:
        raise PlanError(f"the plan {path} is not UTF-8 text", "save it as UTF-8") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where is not None else ""
        raise PlanError(
            f"the plan {path}{line} is not YAML: {getattr(error, 'problem', error)}",
            "docs/reference/plan.md shows a whole plan",
        ) from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise PlanError(
            f"the plan {path} holds a {type(data).__name__}, expected a mapping",
            "docs/reference/plan.md shows a whole plan",
        )
    # A stored plan.yaml carries what the run resolved; it is recorded, never read back.
    return {k: v for k, v in data.items() if k not in ("repeat", "versions", "resolved")}


def _add_preset(data: dict[str, Any]) -> None:
    """Set what the preset says and nobody else has said. Other nonsense is found afterwards."""
    preset = data.get("preset")
    if not isinstance(preset, str) or not preset:
        return
    names = []
    for part, default in (("system", SystemPlan().name), ("workload", WorkloadPlan().name)):
        given = data.get(part)
        if isinstance(given, dict):
            given = given.get("name")
        names.append(given if isinstance(given, str) else default)
    for name, value in presets.values(preset, *names).items():
        if not _given(data, name):
            _assign(data, name, value)


def _given(data: dict[str, Any], dotted: str) -> bool:
    here: Any = data
    for part in dotted.split("."):
        if here is None or isinstance(here, str):  # `workload: register` says the name alone
            return False
        if not isinstance(here, dict):  # nonsense, which is not to be covered up
            return True
        if part not in here:
            return False
        here = here[part]
    return True


def _assign(data: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    here = data
    for parent in parents:
        inner = here.get(parent)
        if isinstance(inner, str) and parent in ("workload", "system"):
            inner = {"name": inner}
        if inner is None:
            inner = {}
        if not isinstance(inner, dict):
            raise PlanError(
                f"{dotted!r} cannot be set: {parent!r} is {inner!r}, not a mapping",
                "docs/reference/plan.md lists the names",
            )
        here[parent] = inner
        here = inner
    here[last] = value


def _explain(error: ValidationError, path: Path | None) -> tuple[str, str]:
    """The first complaint, in words: where, what was given, what was expected."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    source = f" in {path}" if path is not None else ""
    if first["type"] == "extra_forbidden":
        model: type[BaseModel] = Plan
        for part in first["loc"][:-1]:
            annotation = model.model_fields[str(part)].annotation
            assert isinstance(annotation, type) and issubclass(annotation, BaseModel)
            model = annotation
        known = sorted(model.model_fields)
        hint = did_you_mean(str(first["loc"][-1]), known)
        return f"unknown name {where!r}{source}", f"{hint}known here: {', '.join(known)}"
    message = first["msg"].removeprefix("Value error, ")
    return (
        f"{where}{source}: {first['input']!r} will not do: {message}",
        "docs/reference/plan.md lists every name with its type and limits",
    )
