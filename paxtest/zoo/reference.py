"""docs/reference/zoo.md, made from the zoo itself:

python -m paxtest.zoo.reference > docs/reference/zoo.md
"""

from __future__ import annotations

import re
from pathlib import Path

from paxtest.cluster import paxos_server
from paxtest.cluster.paxos_server.bugs import BUGS, Bug

SERVER = Path(paxos_server.__file__).parent

FAULTS = {
    "partition": "nodes do not hear each other, or only one way",
    "kill": "processes die, and lose what they had not synced",
    "pause": "processes stand still for a while, and go on as if nothing had been",
    "clock": "wall clocks jump, or run at another speed",
    "delay": "messages come late, twice or in another order",
    "disk": "bits flip in files, and syncs fail",
    "wipe": "a node starts again with an empty directory",
    "member": "nodes join and leave",
}

ANOMALIES = {
    "stale-read": "a read misses a write that was acknowledged before it began",
    "lost-update": "a write that was acknowledged is gone",
    "divergence": "nodes hold different states for the same log",
    "duplicate": "one command takes effect twice",
    "aborted-read": "a read shows a write that certainly did not happen",
    "value-flip": "a value is read, then its predecessor again",
    "liveness": "nothing wrong is ever seen, only waiting: a control, which must stay clean",
}

_INTRO = """\
# The zoo: bugs of the bundled Paxos

<!-- Made by `python -m paxtest.zoo.reference` from cluster/paxos_server/bugs.py. -->

The bundled Paxos has {count} bugs behind a switch, each a mistake that somebody made or easily
makes. A bug is a few lines, `bugs.active("name")`, in the module named last; without the switch
the server is correct. They are there to measure the tester, and to show what a mistake looks like
from outside:

```
paxtest run --bug local-read --nemesis partition,pause --stop-on-invalid
paxtest simulate --bug local-read --stop-on-invalid
paxtest zoo --simulate --seeds 100
```

*Faults* are those that should bring the bug out, *workload* the one that shows it best, *seen*
what a client then sees. Numbers are for reference only; names are what `--bug` takes.
"""


def page() -> str:
    """The whole page. Raises KeyError for a fault or an anomaly that the page does not explain,
    and for a bug that no module has."""
    rows = sorted(BUGS.items(), key=lambda item: item[1].number)
    places = modules()
    used = {fault for _, bug in rows for fault in bug.nemeses}
    seen = {anomaly for _, bug in rows for anomaly in bug.anomalies}
    lines = [
        _INTRO.format(count=len(rows)),
        "| # | Bug | What is wrong | Faults | Workload | Seen | Known from | Module |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(name, bug, places[name]) for name, bug in rows),
        "",
        "| Fault | What it is |",
        "|---|---|",
        *(f"| {fault} | {FAULTS[fault]} |" for fault in sorted(used, key=list(FAULTS).index)),
        "",
        "| Seen | What a client sees |",
        "|---|---|",
        *(f"| {what} | {ANOMALIES[what]} |" for what in sorted(seen, key=list(ANOMALIES).index)),
    ]
    return "\n".join(lines) + "\n"


def modules() -> dict[str, list[str]]:
    """Bug -> the modules of the server that ask for it."""
    places: dict[str, list[str]] = {}
    for path in sorted(SERVER.rglob("*.py")):
        where = path.relative_to(SERVER).as_posix()
        for name in dict.fromkeys(re.findall(r'active\(\s*"([^"]+)"', path.read_text("utf-8"))):
            if where != "bugs.py":
                places.setdefault(name, []).append(where)
    return places


def _row(name: str, bug: Bug, where: list[str]) -> str:
    switched = f" (switches the server to `--reads {bug.reads}`)" if bug.reads else ""
    cells = (
        str(bug.number),
        f"`{name}`",
        bug.mechanism + switched,
        ", ".join(bug.nemeses),
        bug.workload,
        ", ".join(bug.anomalies),
        bug.reference,
        ", ".join(f"`{module}`" for module in where),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print(page(), end="")
