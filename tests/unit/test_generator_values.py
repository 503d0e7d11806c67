"""Plain values as generators, the context and the emitted operations."""

from __future__ import annotations

import itertools

import pytest

from paxtest import generator as gen
from paxtest.errors import GeneratorError
from paxtest.generator import PENDING, Context, Invocation, simulator
from paxtest.operation import NEMESIS, Op, Type


def fs(history: list[Op]) -> list[str]:
    return [op.f for op in simulator.invocations(history)]


def run(generator: object, **options: object) -> list[Op]:
    return simulator.run(gen.validate(generator), **options)  # type: ignore[arg-type]


def test_none_is_exhausted() -> None:
    assert run(None) == []


def test_dict_is_one_operation_with_its_fields_kept() -> None:
    (invoked, done) = run({"f": "write", "key": "k", "value": 3}, nemesis=False, concurrency=1)
    assert invoked == Op(0, 0, 0, Type.INVOKE, "write", "k", 3)
    assert (done.type, done.process, done.time_ns) == (Type.OK, 0, 10)


def test_dict_waits_for_the_process_it_names() -> None:
    history = run([{"f": "a", "process": 1}, {"f": "b", "process": 1}], concurrency=3)
    assert [(op.f, op.process, op.time_ns) for op in simulator.invocations(history)] == [
        ("a", 1, 0),
        ("b", 1, 10),
    ]


def test_dict_waits_for_the_time_it_names() -> None:
    history = run({"f": "a", "time_ns": 500})
    assert history[0].time_ns == 500


def test_a_process_that_crashed_never_comes_back() -> None:
    named = [{"f": "a", "process": 0}, gen.time_limit(0.001, {"f": "b", "process": 0})]
    history = run(named, concurrency=1, latency=simulator.perfect_info())
    assert fs(history) == ["a"]


def test_sequence_runs_each_to_its_end() -> None:
    assert fs(run([{"f": "a"}, None, [{"f": "b"}, {"f": "c"}], [], {"f": "d"}])) == list("abcd")


def test_an_iterator_is_read_as_needed_and_remains_a_value() -> None:
    drawn = []

    def endless() -> object:
        for n in itertools.count():
            drawn.append(n)
            yield {"f": "a", "value": n}

    generator = gen.lift(endless())
    first, second = (run(gen.limit(3, generator), seed=1) for _ in range(2))
    assert first == second
    assert drawn == [0, 1, 2]


def test_a_sequence_without_end_and_operations_is_an_error() -> None:
    with pytest.raises(GeneratorError, match="emit nothing"):
        run(itertools.repeat(None))


def test_function_is_called_again_until_it_gives_none() -> None:
    values = iter([{"f": "a"}, [{"f": "b"}, {"f": "c"}], None])
    assert fs(run(lambda: next(values, None), concurrency=1, nemesis=False)) == ["a", "b", "c"]


def test_function_may_take_the_context() -> None:
    history = run(gen.limit(3, lambda ctx: {"f": "at", "value": ctx.time_ns}), nemesis=False)
    assert [op.value for op in simulator.invocations(history)] == [0, 0, 10]


def test_promise_is_pending_until_delivered() -> None:
    promise = gen.Promise()
    ctx = Context.start(1)
    assert promise.op(ctx)[0] is PENDING
    promise.deliver({"f": "a"})
    promise.deliver({"f": "late"})
    op, after = promise.op(ctx)
    assert isinstance(op, Invocation) and op.f == "a"
    assert after.op(ctx)[0] is None


def test_a_promise_never_delivered_is_reported_by_the_simulator() -> None:
    with pytest.raises(GeneratorError, match="pending"):
        run(gen.Promise())


def test_lazy_is_made_once() -> None:
    made = []

    def make() -> object:
        made.append(1)
        return [{"f": "a"}, {"f": "b"}]

    generator = gen.lazy(make)
    assert made == []
    assert fs(run(generator)) == ["a", "b"] == fs(run(generator))
    assert made == [1]


@pytest.mark.parametrize("value", [3, "read", b"x", 1.5])
def test_other_values_are_refused_by_name(value: object) -> None:
    with pytest.raises(GeneratorError, match="not a generator"):
        gen.lift(value)


@pytest.mark.parametrize("value", [{"g": 1}, {"f": "a", "vlaue": 1}, {"f": 3}, {}])
def test_a_dict_that_is_no_operation_is_refused(value: object) -> None:
    with pytest.raises(GeneratorError, match="not an operation"):
        gen.lift(value)


def test_invocation_becomes_the_stamped_event() -> None:
    op = Invocation(5, 2, "cas", "k", [1, 2])
    assert op.to_op(7, 9, "n1") == Op(7, 9, 2, Type.INVOKE, "cas", "k", [1, 2], None, "n1")


# -- context -----------------------------------------------------------------------------------


def test_context_starts_with_all_threads_free() -> None:
    ctx = Context.start(3)
    assert ctx.all_threads == [0, 1, 2, NEMESIS] == ctx.free_threads
    assert Context.start(4, threads=[1, 3], nemesis=False).all_threads == [1, 3]


def test_context_busy_free_and_crashed() -> None:
    ctx = Context.start(3).dispatched(1, 5)
    assert (ctx.free_threads, ctx.time_ns) == ([0, 2, NEMESIS], 5)
    assert not ctx.is_free(1)
    again = ctx.completed(1, 9)
    assert again.is_free(1) and again.processes[1] == 1
    crashed = ctx.completed(1, 9, crashed=True)
    assert crashed.processes == (0, 4, 2, NEMESIS)
    assert crashed.is_free(4) and not crashed.is_free(1)
    assert crashed.bit_of(4) == 1
    assert crashed.dispatched(4, 10).completed(4, 11, crashed=True).processes[1] == 7


def test_the_nemesis_keeps_its_process() -> None:
    ctx = Context.start(2).dispatched(NEMESIS, 1).completed(NEMESIS, 2, crashed=True)
    assert ctx.is_free(NEMESIS)


def test_a_free_process_is_drawn_uniformly() -> None:
    ctx = Context.start(4, seed=3, nemesis=False).dispatched(2, 0)
    drawn = []
    for _ in range(3000):
        drawn.append(ctx.some_free_process())
        ctx = ctx.dispatched(2, 0)  # only the randomness moves on
    for process in (0, 1, 3):
        assert 900 < drawn.count(process) < 1100
    assert drawn.count(2) == 0


def test_randomness_moves_on_with_dispatches_only() -> None:
    ctx = Context.start(2, seed=8)
    assert ctx.uniform() == ctx.at(99).uniform() == ctx.completed(0, 5).uniform()
    assert ctx.uniform() != ctx.dispatched(0, 0).uniform()
    assert ctx.uniform() != ctx.uniform(1)
    assert ctx.uniform() != ctx.fork().uniform()
    assert Context.start(2, seed=8).uniform() == ctx.uniform() != Context.start(2, seed=9).uniform()


def test_draws_are_uniform() -> None:
    ctx = Context.start(1, seed=1)
    draws = []
    for _ in range(4000):
        ctx = ctx.dispatched(0, 0)
        draws.append(ctx.uniform())
    assert all(0 <= d < 1 for d in draws)
    assert abs(sum(draws) / 4000 - 0.5) < 0.02
    counts = [sum(int(d * 10) == tenth for d in draws) for tenth in range(10)]
    assert all(330 < count < 470 for count in counts), counts
