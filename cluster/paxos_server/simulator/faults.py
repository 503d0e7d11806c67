"""Faults: what a seed does to the cluster, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .duel import HOP_S, Duel
from .network import Links, SimulatedNetwork, Weather, between
from .node import SimulatedNode
from .world import World

FAMILIES = (
    "partition", "kill", "pause", "clock", "delay", "disk", "corrupt", "election", "member", "wipe",
)  # fmt: skip


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
        self._cuts = "partition" in families
        self._duel = Duel(world, network, nodes, families)
        kinds: dict[str, list[Callable[[], str]]] = {
            "partition": [self._partition, self._partition, self._heal_network],
            "kill": [self._kill, self._start_all],
            "pause": [self._pause, self._freeze],
            "clock": [self._jump, self._drift, self._leader_in_the_past],
            "delay": [self._weather],
            "disk": [self._slow_disk, self._failing_disk],
            "corrupt": [self._corrupt],
            "member": [self._add_member, self._remove_member],
            "wipe": [self._wipe],
            "election": [self._stand, self._duel.start, self._duel.start],
        }
        self._kinds = [kind for family in families for kind in kinds[family]]
        self._corrupted = False
        # The disks of one minority, the same one throughout, may be lost or damaged: so a majority
        # remembers everything, whatever the members are called by then.
        self._frail: list[SimulatedNode] = []
        if "wipe" in families:
            self._frail = world.rng.sample(list(nodes), (len(nodes) - 1) // 2)

    def start(self) -> None:
        if self._kinds:
            self._world.after(self._world.around(self._interval_s), self._strike)

    def heal(self) -> None:
        """Undo everything; no more faults."""
        self._stopped = True
        self._duel.stop()
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
        others = [node.name for node in self._nodes if node is not leader]
        leader.pause()
        for_s = 0.1 + self._world.around(0.2)
        self._world.after(HOP_S, self._part, between([leader.name], others))
        self._world.after(for_s, leader.resume)
        return f"freeze {leader.name} for {for_s:.4f} s, and cut it off"

    def _part(self, cut: Links) -> None:
        """Cut these links, but for when everything has healed meanwhile."""
        if not self._stopped:
            self._network.part(cut)

    def _partition(self) -> str:
        rng = self._rng
        names = [node.name for node in self._nodes]
        leaders = [node.name for node in self._nodes if node.leading]
        rng.shuffle(names)
        kind = rng.randrange(7)
        half = len(names) // 2
        if kind <= 1:
            one = [rng.choice(leaders)] if leaders and kind == 0 else names[:1]
            cut, what = between(one, [n for n in names if n not in one]), "isolate"
        elif kind == 2:
            cut, what = between(names[:half], names[half:]), "halves"
        elif kind == 3:
            one = [rng.choice(leaders or names)]
            rest = [n for n in names if n not in one]
            cut, what = between(one, rest), "one-way"
            outwards = rng.random() < 0.5
            cut = frozenset((a, b) for a, b in cut if (a in one) == outwards)
        elif kind == 4:
            cut, what = between(names[:half], names[half + 1 :]), "bridge"
        elif kind == 5:
            n = len(names)
            near = {(a, b) for a in range(n) for b in range(n) if min((a - b) % n, (b - a) % n) > 1}
            cut, what = frozenset((names[a], names[b]) for a, b in near), "ring"
        else:
            pairs = [(a, b) for a in names for b in names if a != b]
            cut, what = frozenset(rng.sample(pairs, len(pairs) // 3)), "random links"
        hold = rng.random() < 0.5
        self._network.part(cut, hold)
        return f"partition {what}{' (held)' if hold else ''} {sorted(cut)}"

    def _heal_network(self) -> str:
        self._network.part(frozenset())
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
        self._network.part(between([leader.name], others))
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

    def _add_member(self) -> str:
        """Ask to add a node that is none of the members."""
        leader, members = self._members()
        others = [node.name for node in self._nodes if node.name not in members]
        if leader is None or not others:
            return "nobody to add"
        return self._change(leader, "ADD", self._rng.choice(others), "none:0")

    def _remove_member(self) -> str:
        leader, members = self._members()
        if leader is None or len(members) <= 2:
            return "nobody to remove"
        return self._change(leader, "REMOVE", self._rng.choice(members))

    def _members(self) -> tuple[SimulatedNode | None, list[str]]:
        leader = next((node for node in self._nodes if node.leading), None)
        if leader is None or leader.replica is None:
            return None, []
        return leader, [name for name, _, role in leader.replica.members() if role != "leaving"]

    def _change(self, leader: SimulatedNode, *words: str) -> str:
        text = f"{' '.join(words[:2])} by {leader.name}"
        leader.request(
            [b"MEMBERS", *(word.encode() for word in words)],
            lambda reply: self._note(f"{text}: {reply!r}"),
        )
        return text

    def _wipe(self) -> str:
        """A new, empty disk for one node."""
        if not self._frail:
            return "nobody to wipe"
        node = self._rng.choice(self._frail)
        node.wipe()
        self._world.after(self._world.around(0.1), self._restart, node)
        return f"wipe {node.name}"

    def _corrupt(self) -> str:
        """Flip a bit on one node's disk while it is down; one node in a whole run, so that the
        others remain a majority of intact ones."""
        if self._corrupted:
            return "heal network"
        self._corrupted = True
        node = self._rng.choice(self._frail or self._nodes)
        if not node.disk.names():
            return f"{node.name} has nothing to damage"
        node.kill()
        name = node.disk.flip_bit(self._rng)
        node.start()
        return f"flip a bit of {name} on {node.name}" + (": refused" if node.corrupt else "")
