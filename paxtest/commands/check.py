"""paxtest check: decide whether histories are linearizable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from paxtest.checkers.file_check import FileCheck, Request

PROGRESS_AFTER_S = 2.0
OPERATIONS_SHOWN = 20


def check(
    paths: Annotated[
        list[Path], typer.Argument(help="History files, or run directories such as store/latest.")
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model", "-m", help="Data type (`paxtest list models`) or path.py:Name; auto guesses."
        ),
    ] = "auto",
    format: Annotated[
        str, typer.Option("--format", "-f", help="jsonl, edn, jepsen-log, kv, csv; auto guesses.")
    ] = "auto",
    independent: Annotated[
        str,
        typer.Option(help="Values are [key value] tuples of jepsen.independent: auto, yes, no."),
    ] = "auto",
    algorithm: Annotated[
        str, typer.Option(help="Force one: search, or a fast one of the model.")
    ] = "auto",
    initial: Annotated[
        str | None, typer.Option(help="Value before the first operation (JSON), or `any`.")
    ] = None,
    time_budget: Annotated[float, typer.Option(help="Seconds for each file.", min=0.001)] = 60.0,
    memory_budget: Annotated[int, typer.Option(help="MiB for each file.", min=16)] = 2048,
    json_: Annotated[
        bool, typer.Option("--json", help="One JSON object a file, one a line.")
    ] = False,
    witness: Annotated[
        Path | None, typer.Option(help="Write the linearization found to this file (JSONL).")
    ] = None,
    convert: Annotated[
        Path | None,
        typer.Option(help="Write the history to .jsonl, .edn or .parquet, and do not check it."),
    ] = None,
) -> None:
    """Decide whether histories are linearizable, say why, and prove it.

    Exit codes: 0 all valid, 1 one is invalid, 2 one is unknown (and none invalid), 254 a file
    is no history (and none invalid), 255 paxtest failed.
    """
    from paxtest.checkers.file_check import Request

    request = Request(
        model=model,
        format=format,
        independent=_yes_or_no(independent),
        algorithm=algorithm,
        initial=_initial(initial),
        time_budget_s=time_budget,
        memory_budget_mb=memory_budget,
    )
    _single(paths, witness, "--witness")
    _single(paths, convert, "--convert")
    if convert is not None:
        _convert(paths[0], convert, request)
        return
    results = []
    for result in _checked(paths, request):
        results.append(result)
        if json_:
            _print_json(result)
    # With the progress bar gone.
    if witness is not None:
        _write_witness(results[0], witness)
    if len(paths) > 1 and not json_:
        _table(results)
    elif not json_:
        _tell(results[0])
    raise typer.Exit(exit_code(results))


def exit_code(results: Sequence[FileCheck]) -> int:
    """The worst: an invalid file is never hidden by one that could not be read, nor that one
    by an unknown."""
    from paxtest.verdict import EXIT_CODES, EXIT_CRASH, EXIT_USAGE, Verdict, worst

    verdict = worst(r.verdict for r in results if r.verdict is not None)
    if verdict is Verdict.INVALID:
        return EXIT_CODES[verdict]
    if any(r.crashed for r in results):
        return EXIT_CRASH
    if any(r.error is not None for r in results):
        return EXIT_USAGE
    return EXIT_CODES[verdict]


def _initial(text: str | None) -> Any:
    if text is None:
        return None
    from paxtest import _core
    from paxtest.errors import UsageError

    if text == "any":
        return _core.ANY
    import json

    try:
        return json.loads(text)
    except ValueError:
        raise UsageError(
            f"--initial {text!r} is not JSON", """write 0, '"text"', '[]' or any"""
        ) from None


def _yes_or_no(text: str) -> bool | None:
    from paxtest.errors import UsageError

    choices = {"auto": None, "yes": True, "no": False}
    if text not in choices:
        raise UsageError(f"--independent {text!r} is not understood", "write auto, yes or no")
    return choices[text]


def _convert(path: Path, to: Path, request: Request) -> None:
    from paxtest import formats
    from paxtest.checkers import file_check

    source, _ = file_check.locate(path)
    history = formats.read(source, request.format, independent=request.independent)
    formats.write(history, to)
    typer.echo(f"wrote {to}: {len(history):,} operations")
    if history.nemesis_events:
        typer.echo(f"note:    {history.nemesis_events:,} events of the nemesis are left out")
    for note in history.notes:
        typer.echo(f"note:    {note}")


def _single(paths: Sequence[Path], option: Path | None, name: str) -> None:
    from paxtest.errors import UsageError

    if option is not None and len(paths) != 1:
        raise UsageError(f"{name} takes one history, not {len(paths)}", "check them one by one")


def _checked(paths: Sequence[Path], request: Request) -> Iterator[FileCheck]:
    from paxtest.checkers import file_check

    with _progress(len(paths)) as advance:
        for path in paths:
            advance(path)
            yield file_check.check(path, request)


@contextmanager
def _progress(files: int) -> Iterator[Any]:
    """A bar on stderr once it takes longer than PROGRESS_AFTER_S, where somebody looks."""
    import sys
    import threading

    if not sys.stderr.isatty():
        yield lambda path: None
        return
    lock, over = threading.Lock(), threading.Event()
    done, current = -1, ""
    bar: list[Any] = []

    def show() -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

        with lock:
            if over.is_set():
                return
            progress = Progress(
                SpinnerColumn(),
                *Progress.get_default_columns()[:2],
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            # One file has no known share of the work done: the bar only moves.
            task = progress.add_task(current, total=files if files > 1 else None)
            progress.update(task, completed=done)
            progress.start()
            bar.append((progress, task))

    def advance(path: Path) -> None:
        nonlocal done, current
        with lock:
            done += 1
            current = path.name[:40]
            for progress, task in bar:
                progress.update(task, completed=done, description=current)

    timer = threading.Timer(PROGRESS_AFTER_S, show)
    timer.daemon = True
    timer.start()
    try:
        yield advance
    finally:
        timer.cancel()
        with lock:
            over.set()
            for progress, _ in bar:
                progress.stop()


def _print_json(result: FileCheck) -> None:
    import msgspec

    typer.echo(msgspec.json.encode(result.as_json()))


def _tell(result: FileCheck) -> None:
    """Verdict, why, where to look, what was checked."""
    if result.error is not None:
        raise result.error
    assert result.history is not None and result.report is not None
    history, report = result.history, result.report
    typer.echo(f"verdict: {str(result.verdict).upper()}")
    if result.explanation:
        typer.echo(f"why:     {_wrap(result.explanation)}")
    if result.lines:
        minimal = "none of these can be spared" if result.minimal else "some may not be needed"
        typer.echo(f"look at: {len(result.lines)} operations ({minimal}):")
        if len(result.lines) > OPERATIONS_SHOWN:
            left_out = len(result.lines) - OPERATIONS_SHOWN
            typer.echo(f"           ... {left_out} earlier ones (--json has all)")
        for line in result.lines[-OPERATIONS_SHOWN:]:
            typer.echo(f"           {line}")
    first = result.first_violation()
    if first is not None:
        when = f" ({first['time_ns'] / 1e9:.3f} s)" if first["time_ns"] is not None else ""
        typer.echo(f"         the history became impossible at event {first['index']}{when}")
    ok, fail, info = history.outcomes()
    source = {"flag": "", "plan": " (from the plan)", "guess": " (guessed)"}[result.model_source]
    algorithms = ", ".join(
        f"{name} ({count:,} keys)" if len(report["algorithms"]) > 1 else name
        for name, count in report["algorithms"].items()
    )
    keys = len(report["partitions"])
    seconds = result.parse_s + result.check_s + result.certify_s
    typer.echo(
        f"checked: {result.model}{source} by {algorithms or 'nothing'}: {len(history):,} "
        f"operations ({ok:,} ok, {fail:,} fail, {info:,} unknown), "
        f"{keys:,} key{'s' if keys != 1 else ''}, "
        f"{seconds:.3f} s; {history.format}"
    )
    typer.echo(f"         {_proof(result)}")
    for note in result.notes:
        typer.echo(f"note:    {note}")


def _proof(result: FileCheck) -> str:
    from paxtest.verdict import Verdict

    what = {Verdict.VALID: "the linearization", Verdict.INVALID: "the counterexample"}
    if result.verdict not in what:
        return "nothing to certify"
    if result.certified:
        return f"{what[result.verdict]} was re-checked by the independent verifier"
    return f"{what[result.verdict]} was not re-checked by the independent verifier"


def _wrap(text: str) -> str:
    import shutil
    import textwrap

    width = max(40, min(100, shutil.get_terminal_size().columns))
    return textwrap.fill(text, width, initial_indent=" " * 9, subsequent_indent=" " * 9)[9:]


def _table(results: Sequence[FileCheck]) -> None:
    """Many files: a line each, then the reasons."""
    width = min(60, max(len(str(r.path)) for r in results))
    head = f"{'verdict':<8} {'operations':>10} {'keys':>6} {'seconds':>8}  model"
    typer.echo(f"{'file':<{width}}  {head}")
    for r in results:
        name = str(r.path) if len(str(r.path)) <= width else "..." + str(r.path)[-width + 3 :]
        if r.error is not None or r.history is None or r.report is None:
            typer.echo(f"{name:<{width}}  {'ERROR':<8} {'':>10} {'':>6} {'':>8}")
            continue
        seconds = r.parse_s + r.check_s + r.certify_s
        typer.echo(
            f"{name:<{width}}  {str(r.verdict).upper():<8} {len(r.history):>10,} "
            f"{len(r.report['partitions']):>6,} {seconds:>8.3f}  {r.model}"
        )
    counts: dict[str, int] = {}
    for r in results:
        word = "could not be checked" if r.verdict is None else str(r.verdict)
        counts[word] = counts.get(word, 0) + 1
    typer.echo(", ".join(f"{count} {word}" for word, count in sorted(counts.items())))
    for r in results:
        if r.error is not None:
            typer.echo(f"{r.error}", err=True)


def _write_witness(result: FileCheck, path: Path) -> None:
    """The linearization, one operation a line, key by key; nothing where there is none."""
    import msgspec

    from paxtest import explain
    from paxtest.verdict import Verdict

    if result.verdict is not Verdict.VALID:
        typer.echo(f"note: {path} was not written: no linearization was found", err=True)
        return
    assert result.history is not None and result.report is not None
    with path.open("wb") as file:
        for part in result.report["partitions"]:
            if part["verdict"] != "valid" or "witness" not in part:
                continue
            for number in memoryview(part["witness"]).cast("I"):
                [operation] = explain.operations(result.history, [number])
                file.write(msgspec.json.encode(operation) + b"\n")
