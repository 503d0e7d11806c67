"""Faults: what a seed does to the cluster, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .network import SimulatedNetwork, Weather
from .node import SimulatedNode
from .world import World

FAMILIES = ("partition", "kill", "pause", "clock", "delay", "disk", "corrupt", "election")
HOP_S = 0.004
"""About how long a message, its sync and the answer take in good weather."""

Pairs = set[tuple[str, str]]


class Faults:
    """Injects faults of the chosen families, one after the other, until stopped."""

    def __init__(
        self,
        world: World,
        network: SimulatedNetwork,
        nodes: Sequence[SimulatedNode],
        families: Sequence[str],
        interval_s: float,
    ) -> None:
        self.log: list[str] = []
        self._world = world
        self._rng = world.rng
        self._network = network
        self._nodes = nodes
        self._interval_s = interval_s
        self._stopped = False
        kinds: dict[str, list[Callable[[], str]]] = {
            "partition": [self._partition, self._partition, self._heal_network],
            "kill": [self._kill, self._start_all],
            "pause": [self._pause, self._freeze],
            "clock": [self._jump, self._drift, self._leader_in_the_past],
            "delay": [self._weather],
            "disk": [self._slow_disk, self._failing_disk],
            "corrupt": [self._corrupt],
            "election": [self._stand, self._duel],
        }
        self._cuts = "partition" in families
        self._late = "delay" in families
        self._kinds = [kind for family in families for kind in kinds[family]]
        self._corrupted = False

    def start(self) -> None:
        if self._kinds:
            self._world.after(self._world.around(self._interval_s), self._strike)

    def heal(self) -> None:
        """Undo everything; no more faults."""
        self._stopped = True
        self._heal_network()
        self._network.weather = Weather()
        for node in self._nodes:
            node.resume()
            node.start()
            node.disk.power_on()
            node.sync_s = 0.001
            node.clock.set_rate(1.0)
        self._note("heal")

    def _strike(self) -> None:
        if self._stopped:
            return
        self._note(self._rng.choice(self._kinds)())
        # Now and then two faults together: most bugs need more than one.
        mean_s = self._interval_s / 8 if self._rng.random() < 0.4 else self._interval_s
        self._world.after(self._world.around(mean_s), self._strike)

    def _note(self, text: str) -> None:
        self.log.append(f"{self._world.now_s:9.4f} {text}")

    # --- choosing ---

    def _some(self) -> list[SimulatedNode]:
        """One node, the leader, a minority, a majority or all of them."""
        rng, nodes = self._rng, list(self._nodes)
        n = len(nodes)
        match rng.randrange(8):
            case 0 | 1 | 2:
                leaders = [node for node in nodes if node.leading]
                return [rng.choice(leaders)] if leaders else [rng.choice(nodes)]
            case 3 | 4:
                return [rng.choice(nodes)]
            case 5:
                return rng.sample(nodes, (n - 1) // 2)
            case 6:
                return rng.sample(nodes, n // 2 + 1)
            case _:
                return nodes

    def _names(self, nodes: Sequence[SimulatedNode]) -> str:
        return ",".join(sorted(node.name for node in nodes))

    # --- kinds ---

    def _kill(self) -> str:
        victims = self._some()
        down_s = self._world.around(0.15)
        for node in victims:
            node.kill()
            self._world.after(down_s, self._restart, node)
        return f"kill {self._names(victims)}"

    def _restart(self, node: SimulatedNode) -> None:
        if not node.alive:
            node.start()
            self._note(f"start {node.name}" + (" refused: corrupt log" if node.corrupt else ""))

    def _start_all(self) -> str:
        for node in self._nodes:
            node.start()
        return "start all"

    def _pause(self) -> str:
        victims = self._some()
        for_s = self._world.around(0.25)
        for node in victims:
            node.pause()
            self._world.after(for_s, node.resume)
        return f"pause {self._names(victims)}"

    def _freeze(self) -> str:
        """Stop the leader, cut it off when the last answers have arrived, and wake it when the
        others have gone on: what it believes is then as old as can be."""
        leaders = [node for node in self._nodes if node.leading]
        if not leaders or not self._cuts:
            return self._pause()
        leader = self._rng.choice(leaders)
        leader.pause()
        for_s = 0.1 + self._world.around(0.2)
        self._world.after(HOP_S, self._isolate, [leader.name])
        self._world.after(for_s, leader.resume)
        return f"freeze {leader.name} for {for_s:.4f} s, and cut it off"

    def _partition(self) -> str:
        rng = self._rng
        names = [node.name for node in self._nodes]
        leaders = [node.name for node in self._nodes if node.leading]
        rng.shuffle(names)
        kind = rng.randrange(7)
        half = len(names) // 2
        if kind <= 1:
            one = [rng.choice(leaders)] if leaders and kind == 0 else names[:1]
            cut, what = _between(one, [n for n in names if n not in one]), "isolate"
        elif kind == 2:
            cut, what = _between(names[:half], names[half:]), "halves"
        elif kind == 3:
            one = [rng.choice(leaders or names)]
            rest = [n for n in names if n not in one]
            cut, what = _between(one, rest), "one-way"
            outwards = rng.random() < 0.5
            cut = {(a, b) for a, b in cut if (a in one) == outwards}
        elif kind == 4:
            cut, what = _between(names[:half], names[half + 1 :]), "bridge"
        elif kind == 5:
            n = len(names)
            near = {(a, b) for a in range(n) for b in range(n) if min((a - b) % n, (b - a) % n) > 1}
            cut, what = {(names[a], names[b]) for a, b in near}, "ring"
        else:
            pairs = [(a, b) for a in names for b in names if a != b]
            cut, what = set(rng.sample(pairs, len(pairs) // 3)), "random links"
        self._network.cut = frozenset(cut)
        return f"partition {what} {sorted(cut)}"

    def _heal_network(self) -> str:
        self._network.cut = frozenset()
        return "heal network"

    def _jump(self) -> str:
        node = self._rng.choice(self._some()[:2])
        offset_s = (self._rng.random() * 2 - 1) * 10
        node.clock.wall_offset_s += offset_s
        return f"clock of {node.name} jumps by {offset_s:.3f} s"

    def _leader_in_the_past(self) -> str:
        """Isolate the leader and turn its clock back."""
        leaders = [node for node in self._nodes if node.leading]
        if not leaders:
            return self._jump()
        leader = self._rng.choice(leaders)
        others = [node.name for node in self._nodes if node is not leader]
        self._network.cut = frozenset(_between([leader.name], others))
        back_s = 1 + self._world.around(5)
        leader.clock.wall_offset_s -= back_s
        return f"isolate {leader.name}, its clock back by {back_s:.3f} s"

    def _drift(self) -> str:
        node = self._rng.choice(self._nodes)
        rate = 0.98 + 0.04 * self._rng.random()
        node.clock.set_rate(rate)
        return f"clock of {node.name} runs at {rate:.4f}"

    def _weather(self) -> str:
        rng = self._rng
        weather = Weather(
            loss=rng.choice((0.0, 0.02, 0.1)),
            duplication=rng.choice((0.0, 0.02, 0.1)),
            slow=rng.choice((0.0, 0.02, 0.2)),
            slow_delay_s=rng.choice((0.01, 0.1, 0.4)),
        )
        self._network.weather = weather
        return f"weather {weather}"

    def _slow_disk(self) -> str:
        node = self._rng.choice(self._nodes)
        node.sync_s = self._rng.choice((0.001, 0.01, 0.05))
        return f"disk of {node.name} syncs in {node.sync_s} s"

    def _failing_disk(self) -> str:
        """The next sync of some nodes fails; they end, and start again after a while."""
        victims = self._some()
        down_s = self._world.around(0.15)
        for node in victims:
            node.disk.fail()
            self._world.after(down_s, self._restart, node)
        return f"disk of {self._names(victims)} fails once"

    def _stand(self) -> str:
        node = self._rng.choice(self._nodes)
        node.stand()
        return f"{node.name} stands for election"

    def _duel(self) -> str:
        """For a while leader follows leader: the schedule of the proof's worst case. One leader
        is cut off when it has proposed and hardly anybody has accepted; the next, elected without
        it, when its proposal is chosen and hardly anybody knows; the third hears from both."""
        until_s = self._world.now_s + 0.1 + self._world.around(0.5)
        if self._late and self._rng.random() < 0.5:
            self._network.weather = Weather(duplication=0.1, slow=0.3, slow_delay_s=0.01)
        self._campaign("", self._rng.choice((1.0, 1.0, 2.0)), until_s)
        return f"duel until {until_s:.4f}"

    def _campaign(self, former: str, pace: float, until_s: float) -> None:
        """Some node wins an election in which a minority has no part: the former leader most of
        the time, who alone may know what was chosen last."""
        if self._stopped:
            return
        rng, nodes = self._rng, self._nodes
        if self._world.now_s >= until_s:
            self._heal_network()
            return
        candidate = rng.choice([node for node in nodes if node.name != former])
        others = [node.name for node in nodes if node is not candidate]
        absent = rng.sample(others, rng.randrange((len(nodes) - 1) // 2 + 1))
        if former and rng.random() < 0.8:
            absent = [former]
        self._isolate(absent)
        candidate.stand()
        if rng.random() < 0.5:  # elected, but not heard: about one round trip and a sync
            delay_s, reached = HOP_S * (0.75 + 0.75 * rng.random()), rng.randrange(2)
        else:  # heard, but not by all: about two
            delay_s, reached = HOP_S * (1.5 + 1.5 * rng.random()), rng.randrange(len(nodes))
        near = rng.sample(others, min(reached, len(others)))
        self._world.after(pace * delay_s, self._strand, candidate.name, near, pace, until_s)

    def _strand(self, leader: str, near: list[str], pace: float, until_s: float) -> None:
        if self._stopped:
            return
        self._isolate([leader, *near])
        delay_s = pace * HOP_S * (0.5 + self._rng.random())
        self._world.after(delay_s, self._campaign, leader, pace, until_s)

    def _isolate(self, few: Sequence[str]) -> None:
        if self._cuts:
            rest = [node.name for node in self._nodes if node.name not in few]
            self._network.cut = frozenset(_between(few, rest))

    def _corrupt(self) -> str:
        """Flip a bit on one node's disk while it is down; one node in a whole run, so that the
        others remain a majority of intact ones."""
        if self._corrupted:
            return "heal network"
        self._corrupted = True
        node = self._rng.choice(self._nodes)
        node.kill()
        name = node.disk.flip_bit(self._rng)
        node.start()
        return f"flip a bit of {name} on {node.name}" + (": refused" if node.corrupt else "")


def _between(left: Sequence[str], right: Sequence[str]) -> Pairs:
    return {(a, b) for a in left for b in right} | {(b, a) for a in left for b in right}
