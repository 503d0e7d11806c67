"""Runs in the simulator: many seeds of one bug."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Iterable
from dataclasses import replace

from paxtest.cluster.paxos_server.simulator.simulation import Options
from paxtest.simulated import Judgement, judgements
from paxtest.verdict import Verdict
from paxtest.zoo.row import CONTROL, Mode, Row


def rows(
    bug: str, seeds: Iterable[int], label: str, families: tuple[str, ...], jobs: int
) -> Generator[Row]:
    """Judge the seeds; `families` empty: all that the simulator has. All else each seed draws."""
    options = Options(bugs=() if bug == CONTROL else (bug,))
    if families:
        options = replace(options, families=families)
    for judgement in judgements(seeds, options, jobs):
        yield _row(bug, label, families, judgement)


def _row(bug: str, label: str, families: tuple[str, ...], judgement: Judgement) -> Row:
    words = ["paxtest", "simulate", "--seed", str(judgement.seed)]
    words += [] if bug == CONTROL else ["--bug", bug]
    for family in families:
        words += ["--fault", family]
    unknown = judgement.verdict not in (Verdict.VALID, Verdict.INVALID)
    first_s = judgement.first_violation_s
    return Row(
        mode=Mode.SIMULATE,
        nemeses=label,
        bug=bug,
        seed=judgement.seed,
        found=judgement.verdict is Verdict.INVALID,
        by=judgement.by,
        operations=judgement.ok + judgement.fail + judgement.info,
        seconds=round(judgement.virtual_s if first_s is None else first_s, 3),
        counterexample=judgement.counterexample,
        lemma=judgement.lemma,
        command=shlex.join(words),
        error=f"verdict {judgement.verdict}: {judgement.problems[0]}" if unknown else "",
    )
