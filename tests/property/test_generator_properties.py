"""Random trees of combinators: pure, repeatable by seed, and never against the protocol."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from paxtest import generator as gen
from paxtest.generator import PENDING, Context, Invocation, simulator
from paxtest.operation import NEMESIS, Op, Type

leaves = st.one_of(
    st.sampled_from("abc").map(lambda f: {"f": f}),
    st.sampled_from("abc").map(lambda f: gen.repeat({"f": f})),
    st.just(lambda ctx: {"f": "r", "value": ctx.below(10)}),
    st.just(gen.sleep(1e-7)),
    st.just(None),
)


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    small = st.integers(0, 8)
    seconds = st.floats(1e-8, 1e-6)
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        several,
        several.map(gen.mix),
        several.map(lambda gens: gen.any(*gens)),
        several.map(lambda gens: gen.shortest_any(*gens)),
        several.map(lambda gens: gen.phases(*gens)),
        st.builds(gen.flip_flop, inner, inner),
        st.builds(lambda a, b: gen.reserve(1, a, b), inner, inner),
        st.builds(lambda s, a, t, b: gen.cycle_times(s, a, t, b), seconds, inner, seconds, inner),
        st.builds(gen.limit, small, inner),
        st.builds(gen.repeat, small, inner),
        st.builds(gen.cycle, small, inner),
        st.builds(gen.time_limit, seconds, inner),
        st.builds(gen.process_limit, small, inner),
        st.builds(gen.concurrency_limit, st.integers(1, 3), inner),
        st.builds(gen.stagger, seconds, inner),
        st.builds(gen.delay, seconds, inner),
        inner.map(gen.until_ok),
        inner.map(gen.each_thread),
        inner.map(gen.each_process),
        inner.map(gen.clients),
        inner.map(gen.synchronize),
        inner.map(gen.cache),
        inner.map(gen.friendly_exceptions),
        inner.map(lambda g: gen.on_threads({0, NEMESIS}, g)),
        inner.map(lambda g: gen.clients(gen.concurrent_generator(1, range(4), lambda key: g))),
    ).map(gen.validate)


trees = st.recursive(leaves, grown, max_leaves=8)
seeds = st.integers(0, 2**32)


def simulate(tree: Any, seed: int, concurrency: int) -> list[Op]:
    return simulator.run(
        gen.validate(tree),
        concurrency=concurrency,
        seed=seed,
        latency=simulator.uniform(5, 60, info=0.1, fail=0.2),
        limit=150,
    )


@given(trees, seeds, st.integers(1, 5))
@settings(max_examples=400, deadline=None)
def test_same_seed_same_history(tree: Any, seed: int, concurrency: int) -> None:
    assert simulate(tree, seed, concurrency) == simulate(tree, seed, concurrency)


@given(trees, seeds, st.integers(1, 5))
@settings(max_examples=400, deadline=None)
def test_histories_are_well_formed(tree: Any, seed: int, concurrency: int) -> None:
    open_: dict[int | str, Op] = {}
    dead: set[int | str] = set()
    time_ns = 0
    for number, op in enumerate(simulate(tree, seed, concurrency)):
        assert op.index == number
        assert op.time_ns >= time_ns
        time_ns = op.time_ns
        if op.type is Type.INVOKE:
            assert op.process not in open_
            assert op.process not in dead
            open_[op.process] = op
            continue
        begun = open_.pop(op.process)
        assert (begun.f, begun.key) == (op.f, op.key)
        if op.type is Type.INFO and op.process != NEMESIS:
            dead.add(op.process)
    assert not open_


@given(trees, seeds, st.integers(1, 5))
@settings(max_examples=400, deadline=None)
def test_asking_changes_nothing(tree: Any, seed: int, concurrency: int) -> None:
    """Each question is asked twice; the second answer must be the first."""
    generator = gen.lift(tree)
    ctx = Context.start(concurrency, seed)
    for _ in range(20):
        first, after = generator.op(ctx)
        again, _ = generator.op(ctx)
        assert first == again
        if first is PENDING or first is None:
            return
        assert isinstance(first, Invocation)
        ctx = ctx.dispatched(first.process, first.time_ns)
        generator = after.update(ctx, first)
        end_ns = first.time_ns + 7
        ended = (
            Op(0, end_ns, first.process, Type.OK, first.f, first.key)
            if first.type == "invoke"
            else first.done(end_ns)
        )
        ctx = ctx.completed(first.process, end_ns)
        generator = generator.update(ctx, ended)


@given(seeds, st.integers(1, 6), st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_limit_is_exact(seed: int, concurrency: int, count: int) -> None:
    mixed = gen.mix([gen.repeat({"f": "a"}), gen.stagger(1e-8, gen.repeat({"f": "b"}))])
    history = simulate(gen.limit(count, mixed), seed, concurrency)
    assert len(simulator.invocations(history)) == count
