"""What the combinators mean that bound, time, help and split by keys, driven by the simulator."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from typing import Any

import pytest

from paxtest import generator as gen
from paxtest.errors import GeneratorError, PlanError
from paxtest.generator import PENDING, Context, simulator
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


# -- bound -------------------------------------------------------------------------------------


def test_limit_once_repeat() -> None:
    assert fs(gen.limit(2, [A, B, C])) == "ab"
    assert fs(gen.limit(9, [A, B])) == "ab"
    assert fs(gen.limit(0, A)) == ""
    assert fs(gen.once([A, B])) == "a"
    assert fs(gen.repeat(3, [A, B])) == "aaa"
    assert fs(gen.limit(4, gen.repeat(A))) == "aaaa"
    assert fs(gen.repeat(None)) == ""


def test_repeat_passes_events_down() -> None:
    def react(this: gen.OnUpdate, ctx: Context, event: gen.Event) -> Any:
        return B if event.type == Type.OK else this

    repeated = gen.repeat(3, gen.on_update(react, A))
    assert fs(repeated, concurrency=1, nemesis=False) == "abb"


def test_cycle_starts_again() -> None:
    assert fs(gen.cycle(2, [A, B])) == "abab"
    assert fs(gen.limit(5, gen.cycle([A, B]))) == "ababa"
    assert fs(gen.cycle(0, A)) == ""
    assert fs(gen.cycle([None, []])) == ""


@pytest.mark.parametrize("args", [(), (-1, A), ("x", A), (1, A, B)])
def test_repeat_and_cycle_refuse_other_arguments(args: tuple[Any, ...]) -> None:
    for combinator in (gen.repeat, gen.cycle):
        with pytest.raises(GeneratorError, match="wants a generator"):
            combinator(*args)


def test_time_limit_counts_from_the_first_question() -> None:
    limited = [gen.delay(0.01, [B, B]), gen.time_limit(0.02, gen.delay(0.005, gen.repeat(A)))]
    history = ops(limited, concurrency=1, nemesis=False)
    times = [op.time_ns for op in history if op.f == "a"]
    assert len(times) == 4
    assert times[-1] - times[0] < 20_000_000


def test_time_limit_ends_a_pending_generator() -> None:
    assert fs([gen.time_limit(1, gen.Promise()), A]) == "a"


def test_process_limit_ends_when_processes_run_out() -> None:
    crash = {"concurrency": 2, "nemesis": False, "latency": simulator.perfect_info()}
    history = ops(gen.process_limit(5, gen.repeat(A)), **crash)
    assert {op.process for op in history} <= set(range(6))
    assert 4 <= len(history) <= 5
    assert (
        len(ops(gen.limit(50, gen.process_limit(2, gen.repeat(A))), concurrency=2, nemesis=False))
        == 50
    )


def test_concurrency_limit_bounds_what_is_in_flight() -> None:
    limited = gen.limit(60, gen.concurrency_limit(2, gen.repeat(A)))
    history = run(limited, concurrency=5, latency=simulator.uniform(5, 50, info=0.2))
    in_flight = highest = 0
    for op in history:
        in_flight += 1 if op.type is Type.INVOKE else -1
        highest = max(highest, in_flight)
    assert highest == 2


def test_concurrency_limit_holds_over_sleeps() -> None:
    limited = gen.concurrency_limit(1, [gen.sleep(0.001), A])
    assert [op.time_ns for op in ops(limited, concurrency=3)] == [1_000_000]


def test_until_ok_ends_at_the_first_ok() -> None:
    outcome = simulator.imperfect()  # fail, info, ok
    assert fs(gen.until_ok(gen.repeat(A)), concurrency=1, nemesis=False, latency=outcome) == "aaa"


def test_until_ok_minds_its_own_operations_only() -> None:
    def b_is_ok(op: gen.Invocation, random: int) -> simulator.Outcome:
        return simulator.Outcome(10, Type.OK if op.f == "b" else Type.FAIL)

    both = gen.clients(gen.any(gen.until_ok(gen.limit(4, gen.repeat(A))), [B, B, B]))
    assert Counter(fs(both, latency=b_is_ok)) == {"a": 4, "b": 3}


# -- timing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 20])
def test_stagger_is_a_rate_over_all_threads(threads: int) -> None:
    history = ops(gen.limit(2000, gen.stagger(0.001, gen.repeat(A))), concurrency=threads, seed=5)
    assert history[0].time_ns == 0
    assert history[-1].time_ns / 2000 == pytest.approx(1_000_000, rel=0.05)
    gaps = [b.time_ns - a.time_ns for a, b in itertools.pairwise(history)]
    assert min(gaps) >= 0 and max(gaps) <= 2_000_000


def test_stagger_catches_up_small_lags_only() -> None:
    stalls = iter([200_000_000] + [10] * 10_000)

    def stalling(op: gen.Invocation, random: int) -> simulator.Outcome:
        return simulator.Outcome(next(stalls))

    history = ops(
        gen.limit(400, gen.stagger(0.001, gen.repeat(A))),
        concurrency=1,
        nemesis=False,
        latency=stalling,
    )
    burst = [op for op in history if 200_000_000 <= op.time_ns < 201_000_000]
    assert 30 < len(burst) < 70  # 50 ms of a 200 ms stall


def test_delay_is_exact_and_never_catches_up() -> None:
    history = ops(gen.delay(0.003, [A] * 4), concurrency=2)
    assert [op.time_ns for op in history] == [0, 3_000_000, 6_000_000, 9_000_000]
    slow = ops(gen.delay(0.003, [A] * 3), concurrency=1, nemesis=False,
               latency=simulator.perfect(5_000_000))  # fmt: skip
    assert [op.time_ns for op in slow] == [0, 5_000_000, 10_000_000]


def test_sleep_occupies_one_thread_and_leaves_no_event() -> None:
    history = run([gen.sleep(0.002), A, B, C], concurrency=2, nemesis=False)
    assert {op.f for op in history} == {"a", "b", "c"}
    assert len({op.process for op in history}) == 1
    alone = ops([A, gen.sleep(0.002), B], concurrency=1, nemesis=False)
    assert [op.time_ns for op in alone] == [0, 2_000_010]


def test_synchronize_waits_for_all_its_threads() -> None:
    latency = simulator.uniform(10, 1000)
    history = run(
        [[A] * 4, gen.synchronize([B] * 4)], concurrency=4, nemesis=False, latency=latency
    )
    last_a = max(op.time_ns for op in history if op.f == "a")
    assert min(op.time_ns for op in history if op.f == "b") >= last_a


def test_barriers_do_not_wait_for_crashed_processes() -> None:
    history = run(gen.phases([A] * 3, [B] * 3), concurrency=3, nemesis=False,
                  latency=simulator.perfect_info())  # fmt: skip
    assert [op.f for op in simulator.invocations(history)] == list("aaabbb")
    assert all(3 <= int(op.process) < 6 for op in history if op.f == "b")


def test_synchronize_minds_the_threads_it_can_see() -> None:
    def slow_nemesis(op: gen.Invocation, random: int) -> simulator.Outcome:
        return simulator.Outcome(SECOND if op.process == NEMESIS else 10)

    both = gen.any(gen.nemesis(C), gen.clients(gen.phases([A], [B])))
    history = run(both, concurrency=2, latency=slow_nemesis)
    assert next(op.time_ns for op in history if op.f == "b") == 10


def test_phases_and_then() -> None:
    slow_a = simulator.uniform(50, 90)
    history = run(gen.phases([A, A], [B], [C]), concurrency=2, latency=slow_a)
    assert [op.f for op in history] == list("aaaabbcc")
    assert [op.f for op in run(gen.then(B, [A, A]), concurrency=2, latency=slow_a)] == list(
        "aaaabb"
    )


# -- utility -----------------------------------------------------------------------------------


def test_log_is_an_operation_without_events() -> None:
    ctx = Context.start(1)
    op, after = gen.log("hello").op(ctx)
    assert isinstance(op, gen.Invocation) and (op.type, op.value) == ("log", "hello")
    assert after.op(ctx)[0] is None
    assert fs([gen.log("hello"), A]) == "a"


def test_trace_logs_questions_answers_and_events(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "paxtest.generator"):
        assert fs(gen.trace("mine", [A]), concurrency=1, nemesis=False) == "a"
    text = caplog.text
    assert text.count("-> Invocation(") == 1
    assert text.count("-> None") >= 1
    assert text.count("mine update") == 2


class Broken(gen.Generator):
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def op(self, ctx: Context) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (None, "returned None"),
        (("x", gen.EXHAUSTED), "not an Invocation"),
        ((gen.Invocation(0, 9, "a"), gen.EXHAUSTED), "not free"),
        ((gen.Invocation(-1, 0, "a"), gen.EXHAUSTED), "before"),
        ((gen.Invocation(0, 0, ""), gen.EXHAUSTED), "not a name"),
        ((gen.Invocation(0, 0, "a", type="ok"), gen.EXHAUSTED), "none of"),
        ((PENDING, None), "generator after it"),
    ],
)
def test_validate_names_the_fault(answer: Any, complaint: str) -> None:
    with pytest.raises(GeneratorError, match=complaint):
        gen.validate(Broken(answer)).op(Context.start(2))


def test_friendly_exceptions_say_when_and_keep_our_own() -> None:
    with pytest.raises(GeneratorError, match=r"Broken raised ZeroDivisionError: why.*asked") as got:
        gen.friendly_exceptions(Broken(ZeroDivisionError("why"))).op(Context.start(1))
    assert isinstance(got.value.__cause__, ZeroDivisionError)
    with pytest.raises(PlanError):
        gen.friendly_exceptions(Broken(PlanError("x"))).op(Context.start(1))


def test_cache_asks_once_until_something_happens() -> None:
    asked = []

    def costly(ctx: Context) -> dict[str, str]:
        asked.append(ctx.time_ns)
        return A

    cached = gen.cache(costly)
    ctx = Context.start(2)
    first, _ = cached.op(ctx)
    later, after = cached.op(ctx.at(50))
    assert isinstance(first, gen.Invocation) and isinstance(later, gen.Invocation)
    assert (first.time_ns, later.time_ns, len(asked)) == (0, 50, 1)
    after.op(ctx.dispatched(later.process, 50))
    assert len(asked) == 2


# -- independent keys --------------------------------------------------------------------------


def test_sequential_generator_runs_key_after_key() -> None:
    history = ops(gen.sequential_generator("xyz", lambda key: [A, B]), concurrency=1)
    assert [(op.key, op.f) for op in history] == [(k, f) for k in "xyz" for f in "ab"]


def test_concurrent_generator_gives_groups_their_keys() -> None:
    keys = gen.concurrent_generator(2, range(30), lambda key: gen.limit(10, gen.repeat(A)))
    history = run(gen.clients(keys), concurrency=6, latency=simulator.uniform(10, 500))
    count = Counter(op.key for op in history if op.type is Type.INVOKE)
    assert count == dict.fromkeys(range(30), 10)
    for key in range(30):
        groups = {int(op.process) // 2 for op in history if op.key == key}
        assert len(groups) == 1
    first_keys = {op.key for op in history[:12]}
    assert {0, 1, 2} <= first_keys


def test_concurrent_generator_works_all_groups_all_the_time() -> None:
    keys = gen.concurrent_generator(1, range(10**6), lambda key: gen.limit(3, gen.repeat(A)))
    history = ops(gen.limit(3000, gen.clients(keys)), concurrency=3)
    count = Counter(op.process for op in history)
    assert all(900 < count[process] < 1100 for process in range(3)), count


def test_concurrent_generator_takes_endless_keys_lazily_and_skips_empty_ones() -> None:
    keys = gen.concurrent_generator(1, iter(range(10**9)), lambda key: None if key % 2 else [A])
    history = ops(gen.limit(10, gen.clients(keys)), concurrency=2)
    assert sorted(op.key for op in history) == list(range(0, 20, 2))


def test_concurrent_generator_refuses_threads_it_cannot_divide() -> None:
    for threads in (1, 3):
        with pytest.raises(GeneratorError, match="groups of 2"):
            run(gen.clients(gen.concurrent_generator(2, [1], lambda key: A)), concurrency=threads)


def test_events_reach_the_key_they_belong_to() -> None:
    keys = gen.concurrent_generator(1, range(8), lambda key: gen.until_ok(gen.repeat(A)))
    history = ops(gen.clients(keys), concurrency=2)
    assert Counter(op.key for op in history) == dict.fromkeys(range(8), 1)
