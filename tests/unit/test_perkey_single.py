"""One instance of Paxos: acceptor, proposer and learner, by hand."""

from __future__ import annotations

from collections.abc import Collection

from paxtest.cluster.paxos_server.ballot import ZERO, Ballot
from paxtest.cluster.paxos_server.bugs import NONE, Bugs
from paxtest.cluster.paxos_server.perkey.learner import Learner
from paxtest.cluster.paxos_server.perkey.messages import Entry, Stamp
from paxtest.cluster.paxos_server.perkey.single import Acceptor, Phase, Proposer

LOW, HIGH = Ballot(2, "a", 1), Ballot(3, "b", 1)


def two(nodes: Collection[str]) -> bool:
    return len(nodes) >= 2


def entry(name: str) -> Entry:
    return Entry(1, Stamp(name, 1, 1), ("s", [name.encode()]), [Stamp(name, 1, 1)])


def test_an_acceptor_keeps_its_promise() -> None:
    acceptor: Acceptor[str] = Acceptor()
    assert acceptor.prepare(HIGH)
    assert not acceptor.prepare(LOW) and not acceptor.accept(LOW, "x")
    assert acceptor.accept(HIGH, "y") and acceptor.accepted == (HIGH, "y")


def test_accepting_raises_the_promise() -> None:
    acceptor: Acceptor[str] = Acceptor()
    assert acceptor.accept(HIGH, "y")
    assert acceptor.promised == HIGH and not acceptor.accept(LOW, "x")


def test_a_free_proposer_proposes_its_own_value() -> None:
    proposer: Proposer[str] = Proposer(two)
    proposer.prepare(LOW)
    assert not proposer.on_promise("n1", LOW, None)
    assert not proposer.on_promise("n1", LOW, None)  # the same acceptor again is no quorum
    assert proposer.on_promise("n2", LOW, None) and proposer.value is None
    proposer.propose("mine")
    proposer.on_accepted("n3", LOW)
    assert proposer.value == "mine" and set(proposer.answered) == {"n3"}


def test_a_proposer_adopts_the_value_of_the_highest_ballot() -> None:
    proposer: Proposer[str] = Proposer(two)
    top = Ballot(9, "c", 1)
    proposer.prepare(top)
    proposer.on_promise("n1", top, (HIGH, "later"))
    assert proposer.on_promise("n2", top, (LOW, "earlier"))
    assert proposer.value == "later"


def test_answers_to_an_older_ballot_do_not_count() -> None:
    proposer: Proposer[str] = Proposer(two)
    proposer.prepare(LOW)
    assert proposer.on_refused(LOW) and proposer.phase is Phase.IDLE
    proposer.prepare(Ballot(4, "a", 1))
    assert not proposer.on_promise("n1", LOW, None) and not proposer.on_promise("n2", LOW, None)
    assert not proposer.on_refused(LOW) and proposer.phase is Phase.PREPARING


def test_an_own_value_that_left_once_is_kept_under_later_ballots() -> None:
    proposer: Proposer[str] = Proposer(two)
    proposer.skip_prepare(Ballot(1, "a", 1))
    proposer.propose("mine")
    proposer.on_refused(Ballot(1, "a", 1))
    proposer.prepare(HIGH)
    proposer.on_promise("n1", HIGH, None)
    assert proposer.on_promise("n2", HIGH, None) and proposer.value == "mine"


def test_a_learner_counts_acceptors_of_one_proposal() -> None:
    learner, x = Learner(two, NONE), entry("x")
    assert not learner.accepted("n1", LOW, x) and not learner.accepted("n1", LOW, x)
    assert learner.accepted("n2", LOW, x)


def test_a_learner_does_not_count_equal_values_of_different_ballots() -> None:
    """n1 accepted x at LOW, n2 took y between, n3 had x adopted at HIGH: y may yet be chosen."""
    learner, mistaken = Learner(two, NONE), Learner(two, Bugs(["learn-by-value"]))
    assert not learner.accepted("n1", LOW, entry("x"))
    assert not learner.accepted("n3", HIGH, entry("x"))
    mistaken.accepted("n1", LOW, entry("x"))
    assert mistaken.accepted("n3", HIGH, entry("x"))


def test_ballots_of_the_fast_round_are_above_nothing_only() -> None:
    acceptor: Acceptor[str] = Acceptor()
    assert Ballot(1, "a", 1) > ZERO and acceptor.accept(Ballot(1, "a", 1), "x")
    assert acceptor.prepare(LOW) and not acceptor.accept(Ballot(1, "z", 9), "y")
