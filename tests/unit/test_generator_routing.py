"""What the combinators mean that rewrite, choose and route, driven by the simulator."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from paxtest import generator as gen
from paxtest.errors import GeneratorError
from paxtest.generator import Context, simulator
from paxtest.operation import NEMESIS, Op, Type

A, B, C = {"f": "a"}, {"f": "b"}, {"f": "c"}
SECOND = 1_000_000_000


def run(generator: Any, **options: Any) -> list[Op]:
    """All of the history; every answer is validated on the way."""
    return simulator.run(gen.validate(generator), **options)


def ops(generator: Any, **options: Any) -> list[Op]:
    return simulator.invocations(run(generator, **options))


def fs(generator: Any, **options: Any) -> str:
    return "".join(op.f for op in ops(generator, **options))


# -- transform ---------------------------------------------------------------------------------


def test_map_rewrites_operations_and_passes_events() -> None:
    def double(op: gen.Invocation) -> gen.Invocation:
        return msgspec.structs.replace(op, value=op.value * 2)

    mapped = gen.map(double, gen.until_ok([{"f": "a", "value": n} for n in range(1, 9)]))
    assert [op.value for op in ops(mapped, concurrency=1, nemesis=False)] == [2]


def test_f_map_renames_what_it_knows() -> None:
    assert fs(gen.f_map({"a": "x", "b": "y"}, [A, B, C])) == "xyc"


def test_filter_drops_without_dispatching() -> None:
    numbers = [{"f": "a", "value": n} for n in range(6)]
    kept = gen.filter(lambda op: op.value % 2 == 0, numbers)
    assert [op.value for op in ops(kept)] == [0, 2, 4]


def test_filter_looks_further_into_a_random_generator() -> None:
    mixed = gen.mix([gen.repeat(A), gen.repeat(B)])
    assert fs(gen.limit(20, gen.filter(lambda op: op.f == "b", mixed))) == "b" * 20


def test_filter_that_keeps_nothing_is_an_error_not_a_hang() -> None:
    with pytest.raises(GeneratorError, match="dropped"):
        run(gen.filter(lambda op: False, gen.repeat(A)))


def test_on_update_sees_dispatches_and_completions_and_may_replace() -> None:
    seen = []

    def react(this: gen.OnUpdate, ctx: Context, event: gen.Event) -> Any:
        seen.append((event.f, str(event.type)))
        return B if event.type == Type.OK and event.f == "a" else this

    assert fs(gen.on_update(react, gen.repeat(A)), concurrency=1, nemesis=False) == "ab"
    assert seen == [("a", "invoke"), ("a", "ok")]


def test_concat_has_no_barrier() -> None:
    history = ops(gen.concat([A], B, None, [C]), concurrency=3, nemesis=False)
    assert [(op.f, op.time_ns) for op in history] == [("a", 0), ("b", 0), ("c", 0)]


# -- choose ------------------------------------------------------------------------------------


def test_mix_is_uniform_and_ends_when_all_are_exhausted() -> None:
    count = Counter(fs(gen.limit(3000, gen.mix([gen.repeat(A), gen.repeat(B), gen.repeat(C)]))))
    assert all(900 < count[f] < 1100 for f in "abc"), count
    assert Counter(fs(gen.mix([gen.limit(5, gen.repeat(A)), B, None]))) == Counter("aaaaab")


def test_mix_weighs_what_is_listed_twice() -> None:
    count = Counter(fs(gen.limit(3000, gen.mix([gen.repeat(A), gen.repeat(A), gen.repeat(B)]))))
    assert 1900 < count["a"] < 2100, count


def test_nested_mixes_are_independent() -> None:
    pairs = [gen.mix([gen.repeat({"f": f}) for f in pair]) for pair in ("ab", "cd")]
    count = Counter(fs(gen.limit(4000, gen.mix(pairs))))
    assert all(870 < count[f] < 1130 for f in "abcd"), count


def test_any_takes_the_soonest() -> None:
    slow = gen.delay(0.003, gen.repeat(A))
    quick = gen.delay(0.001, gen.repeat(B))
    count = Counter(fs(gen.time_limit(0.3, gen.any(slow, quick)), concurrency=4))
    assert count == {"a": 100, "b": 300}


def test_any_prefers_an_operation_to_a_pending_generator() -> None:
    assert fs(gen.limit(3, gen.any(gen.Promise(), gen.repeat(A)))) == "aaa"


def test_any_breaks_ties_at_random_and_runs_all_to_their_end() -> None:
    both = gen.any(gen.limit(500, gen.repeat(A)), gen.limit(500, gen.repeat(B)))
    said = fs(both)
    assert Counter(said) == {"a": 500, "b": 500}
    assert 150 < said[:400].count("a") < 250


def test_shortest_any_ends_with_the_first_exhausted() -> None:
    said = fs(gen.shortest_any(gen.limit(3, gen.repeat(A)), gen.repeat(B)))
    assert said.count("a") == 3
    assert fs(gen.shortest_any(None, A)) == ""


def test_flip_flop_alternates_until_one_is_exhausted() -> None:
    assert fs(gen.flip_flop(gen.repeat(A), [B, C])) == "abaca"


def test_cycle_times_rotates_and_keeps_state_over_pauses() -> None:
    numbered = [{"f": "a", "value": n} for n in range(1000)]
    schedule = gen.cycle_times(0.005, gen.delay(0.001, numbered), 0.01, gen.delay(0.002, [B] * 99))
    history = ops(gen.time_limit(0.03, schedule), concurrency=1, nemesis=False)
    in_a_window = [op.time_ns % 15_000_000 < 5_000_000 for op in history]
    assert [op.f == "a" for op in history] == in_a_window
    assert [op.value for op in history if op.f == "a"] == list(range(10))
    assert sum(op.f == "b" for op in history) == 10


def test_cycle_times_ends_with_an_exhausted_generator() -> None:
    assert fs(gen.cycle_times(1, [A, A], 1, [B])) == "aa"


@pytest.mark.parametrize("bad", [(), (1,), (0, A), (1, A, 2)])
def test_cycle_times_refuses_what_is_no_schedule(bad: tuple[Any, ...]) -> None:
    with pytest.raises(GeneratorError, match="pairs"):
        gen.cycle_times(*bad)


def test_reserve_gives_each_range_its_generator() -> None:
    reserved = gen.reserve(2, gen.repeat(A), 3, gen.repeat(B), gen.repeat(C))
    history = ops(gen.limit(600, reserved), concurrency=7)
    threads = {f: {op.process for op in history if op.f == f} for f in "abc"}
    assert threads == {"a": {0, 1}, "b": {2, 3, 4}, "c": {5, 6, NEMESIS}}


def test_reserve_goes_on_while_one_range_is_exhausted() -> None:
    said = fs(gen.clients(gen.reserve(1, [A], [B] * 5)), concurrency=2)
    assert Counter(said) == {"a": 1, "b": 5}


def test_reserve_needs_its_threads() -> None:
    with pytest.raises(GeneratorError, match="reserve wants 5 threads"):
        run(gen.clients(gen.reserve(5, A, B)), concurrency=3)
    with pytest.raises(GeneratorError, match="pairs"):
        gen.reserve(5, A)


# -- threads -----------------------------------------------------------------------------------


def test_on_threads_routes_by_predicate_or_collection() -> None:
    odd = gen.on_threads(lambda t: t in (1, 3), gen.repeat(A))
    assert {op.process for op in ops(gen.limit(40, odd), concurrency=4)} == {1, 3}
    assert {op.process for op in ops(gen.limit(9, gen.on({2}, gen.repeat(A))), concurrency=4)} == {
        2
    }


def test_on_threads_follows_the_thread_through_crashes() -> None:
    only = gen.limit(3, gen.on({1}, gen.repeat(A)))
    history = ops(only, concurrency=3, latency=simulator.perfect_info())
    assert [op.process for op in history] == [1, 4, 7]


def test_on_threads_hears_of_its_own_threads_only() -> None:
    heard = []

    def react(this: gen.OnUpdate, ctx: Context, event: gen.Event) -> Any:
        heard.append(event.process)
        return this

    deaf = gen.on({0}, gen.on_update(react, gen.limit(2, gen.repeat(A))))
    run(gen.any(deaf, gen.on({1}, [B, B])), concurrency=2, nemesis=False)
    assert set(heard) == {0}


def test_on_threads_without_any_thread_is_exhausted() -> None:
    assert fs([gen.on({9}, A), B]) == "b"


def test_clients_and_nemesis() -> None:
    history = ops(gen.clients([A, A, A], [B, B]), concurrency=2)
    assert {(op.f, op.process == NEMESIS) for op in history} == {("a", False), ("b", True)}
    history = ops(gen.nemesis([B], [A, A]), concurrency=2)
    assert Counter((op.f, op.process == NEMESIS) for op in history) == {
        ("a", False): 2,
        ("b", True): 1,
    }


def test_nemesis_is_exhausted_where_there_is_none() -> None:
    assert fs([gen.nemesis(A), B], nemesis=False) == "b"


def test_each_thread_runs_a_copy_on_every_thread() -> None:
    history = ops(gen.each_thread([A, B]), concurrency=3)
    for process in (0, 1, 2, NEMESIS):
        assert [op.f for op in history if op.process == process] == ["a", "b"]


def test_each_thread_tells_each_copy_of_its_own_events() -> None:
    history = ops(gen.clients(gen.each_thread(gen.until_ok(gen.repeat(A)))), concurrency=3)
    assert Counter(op.process for op in history) == {0: 1, 1: 1, 2: 1}


def test_each_thread_survives_crashes_each_process_starts_anew() -> None:
    crash = {"concurrency": 2, "nemesis": False, "latency": simulator.perfect_info()}
    assert [op.process % 2 for op in ops(gen.each_thread([A, B]), **crash)].count(0) == 2
    history = ops(gen.limit(9, gen.each_process([A, B])), **crash)
    assert {op.f for op in history} == {"a"}  # nobody lives to see its second
    assert len({op.process for op in history}) == 9


def test_each_thread_ends_only_when_the_slow_copy_has() -> None:
    def slow_zero(op: gen.Invocation, random: int) -> simulator.Outcome:
        return simulator.Outcome(SECOND if op.process == 0 else 10)

    history = run([gen.each_thread([A, B]), C], concurrency=2, nemesis=False, latency=slow_zero)
    by_zero = [op for op in history if op.process == 0 and op.type is Type.INVOKE]
    assert [op.f for op in by_zero][:2] == ["a", "b"]
