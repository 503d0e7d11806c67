"""Combinators for people who write generators: log, trace, validate, friendly_exceptions, cache."""

from __future__ import annotations

import logging
from typing import Any

from paxtest.errors import GeneratorError, PaxtestError
from paxtest.generator.base import LOG, PENDING, Event, Generator, Invocation, One, Step, lift
from paxtest.generator.context import Context

_logger = logging.getLogger("paxtest.generator")


def log(message: str) -> Generator:
    """One operation that writes `message` to the run's log and touches no system."""
    return One("log", None, message, type=LOG)


class _Trace(Generator):
    __slots__ = ("_gen", "_name")

    def __init__(self, name: str, gen: Generator) -> None:
        self._name = name
        self._gen = gen

    def op(self, ctx: Context) -> Step:
        op, after = self._gen.op(ctx)
        _logger.info("%s op %r -> %r", self._name, ctx, op)
        return op, _Trace(self._name, after)

    def update(self, ctx: Context, event: Event) -> Generator:
        _logger.info("%s update %r", self._name, event)
        return _Trace(self._name, self._gen.update(ctx, event))


def trace(name: str, gen: Any) -> Generator:
    """`gen`, with every question, answer and event logged under `name`."""
    return _Trace(name, lift(gen))


class _Validate(Generator):
    __slots__ = ("_gen",)

    def __init__(self, gen: Generator) -> None:
        self._gen = gen

    def op(self, ctx: Context) -> Step:
        answer = self._gen.op(ctx)
        if not (isinstance(answer, tuple) and len(answer) == 2):
            raise GeneratorError(
                f"{type(self._gen).__name__}.op returned {answer!r}",
                "return a pair: (operation | PENDING | None, generator)",
            )
        op, after = answer
        problem = _problem(op, ctx)
        if problem:
            raise GeneratorError(
                f"{type(self._gen).__name__} emitted {op!r}: {problem}",
                "an operation goes to a free process of the context, not before the context's time",
            )
        if not isinstance(after, Generator):
            raise GeneratorError(
                f"{type(self._gen).__name__}.op gave {after!r} as the generator after it",
                "wrap it with paxtest.generator.lift",
            )
        return op, _Validate(after)

    def update(self, ctx: Context, event: Event) -> Generator:
        return _Validate(self._gen.update(ctx, event))


def _problem(op: object, ctx: Context) -> str:
    """What is wrong with an answer; "" for nothing."""
    if op is None or op is PENDING:
        return ""
    if not isinstance(op, Invocation):
        return "not an Invocation, PENDING or None"
    if op.type not in ("invoke", "sleep", "log"):
        return f"type {op.type!r} is none of invoke, sleep, log"
    if not isinstance(op.f, str) or not op.f:
        return f"f is {op.f!r}, not a name"
    if op.time_ns < ctx.time_ns:
        return f"time_ns {op.time_ns} is before the context's {ctx.time_ns}"
    if not ctx.is_free(op.process):
        return f"process {op.process!r} is not free"
    return ""


def validate(gen: Any) -> Generator:
    """`gen`, every answer checked against the protocol. Raises GeneratorError."""
    return _Validate(lift(gen))


class _Friendly(Generator):
    __slots__ = ("_gen",)

    def __init__(self, gen: Generator) -> None:
        self._gen = gen

    def op(self, ctx: Context) -> Step:
        try:
            op, after = self._gen.op(ctx)
        except PaxtestError:
            raise
        except Exception as error:
            raise self._explained(error, f"asked for an operation with {ctx!r}") from error
        return op, self if after is self._gen else _Friendly(after)

    def update(self, ctx: Context, event: Event) -> Generator:
        try:
            after = self._gen.update(ctx, event)
        except PaxtestError:
            raise
        except Exception as error:
            raise self._explained(error, f"told of {event!r}") from error
        return self if after is self._gen else _Friendly(after)

    def _explained(self, error: Exception, when: str) -> GeneratorError:
        return GeneratorError(
            f"generator {type(self._gen).__name__} raised {type(error).__name__}: {error}, {when}",
            "the workload's generator is at fault; paxtest.generator.trace shows what led here",
        )


def friendly_exceptions(gen: Any) -> Generator:
    """`gen`, with what it raises wrapped in a GeneratorError that says when it did."""
    return _Friendly(lift(gen))


class _Cache(Generator):
    __slots__ = ("_answer", "_asked", "_gen")

    def __init__(self, gen: Generator) -> None:
        self._gen = gen
        self._asked: tuple[int, int, tuple[Any, ...], int] | None = None
        self._answer: Step | None = None

    def op(self, ctx: Context) -> Step:
        asked = (ctx.free, ctx.threads, ctx.processes, ctx.seed)
        if asked == self._asked and self._answer is not None:
            op, after = self._answer
            if op is None:
                return op, after
            if op is not PENDING:
                return (op if op.time_ns >= ctx.time_ns else op.at(ctx.time_ns)), after
        op, after = self._gen.op(ctx)
        wrapped: Generator = self if after is self._gen else _Cache(after)
        self._asked, self._answer = asked, (op, wrapped)
        return op, wrapped

    def update(self, ctx: Context, event: Event) -> Generator:
        after = self._gen.update(ctx, event)
        return self if after is self._gen else _Cache(after)


def cache(gen: Any) -> Generator:
    """`gen`, asked once for an operation that is polled for several times before it is due (as
    below `any`); only its time moves on. For generators that are costly to ask."""
    return _Cache(lift(gen))
