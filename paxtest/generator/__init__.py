"""Pure generators with the names and meanings of Jepsen's. See docs/reference/generators.md.

from paxtest import generator as gen
gen.time_limit(60, gen.stagger(0.01, gen.mix([{"f": "read"}, writes])))
"""

from paxtest.generator.base import (
    EXHAUSTED,
    PENDING,
    Event,
    Function,
    Generator,
    Invocation,
    One,
    Pending,
    Promise,
    Step,
    is_dispatch,
    lazy,
    lift,
    sequence,
)
from paxtest.generator.bound import (
    concurrency_limit,
    cycle,
    limit,
    once,
    process_limit,
    repeat,
    time_limit,
    until_ok,
)
from paxtest.generator.choose import any_ as any
from paxtest.generator.choose import cycle_times, flip_flop, mix, reserve, shortest_any
from paxtest.generator.context import Context, Process, Thread
from paxtest.generator.independent import concurrent_generator, sequential_generator
from paxtest.generator.threads import (
    clients,
    each_process,
    each_thread,
    nemesis,
    on_threads,
)
from paxtest.generator.threads import on_threads as on
from paxtest.generator.timing import delay, phases, sleep, stagger, synchronize, then
from paxtest.generator.transform import OnUpdate, concat, f_map, on_update
from paxtest.generator.transform import filter_ as filter
from paxtest.generator.transform import map_ as map
from paxtest.generator.utility import cache, friendly_exceptions, log, trace, validate

__all__ = [
    "EXHAUSTED",
    "PENDING",
    "Context",
    "Event",
    "Function",
    "Generator",
    "Invocation",
    "OnUpdate",
    "One",
    "Pending",
    "Process",
    "Promise",
    "Step",
    "Thread",
    "any",
    "cache",
    "clients",
    "concat",
    "concurrency_limit",
    "concurrent_generator",
    "cycle",
    "cycle_times",
    "delay",
    "each_process",
    "each_thread",
    "f_map",
    "filter",
    "flip_flop",
    "friendly_exceptions",
    "is_dispatch",
    "lazy",
    "lift",
    "limit",
    "log",
    "map",
    "mix",
    "nemesis",
    "on",
    "on_threads",
    "on_update",
    "once",
    "phases",
    "process_limit",
    "repeat",
    "reserve",
    "sequence",
    "sequential_generator",
    "shortest_any",
    "sleep",
    "stagger",
    "synchronize",
    "then",
    "time_limit",
    "trace",
    "until_ok",
    "validate",
]
