"""Daemons on nodes: started, signalled, watched and killed through any Remote.

One command on the node per action. The pid file holds the pid and the process's start time
(field 22 of /proc/PID/stat): a pid that the kernel gave to somebody else meanwhile is not ours,
and is never signalled. A daemon leads its own session and process group, and signals go to the
group, so that children and wrappers share its fate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from paxtest.errors import RemoteError
from paxtest.remote.protocol import Remote

# POSIX sh. `look` sets pid and state; state is empty when no such process lives.
# A zombie is dead: whoever has to reap it may be late.
_LOOK = r"""
stat_of() {
    state= started=
    { read -r line < "/proc/$1/stat"; } 2>/dev/null || return 0
    line=${line##*) }
    set -- $line
    case $1 in Z|X) return 0 ;; esac
    state=$1 started=${20}
}
look() {  # reads $pidfile
    pid= state= recorded=
    { read -r pid recorded < "$pidfile"; } 2>/dev/null || return 0
    [ -n "$recorded" ] || { pid= ; return 0; }
    stat_of "$pid"
    [ "$started" = "$recorded" ] || state=
}
until_() {  # until_ TIMES CONDITION: evaluate it at most that often, every 10 ms; $1 is not yours
    left=$1
    while ! eval "$2"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 0.01
    done
}
"""

_START = (
    _LOOK
    + r"""
program=$1 inner=$2
shift 2
directory=$1 log=$2 pidfile=$3
shift 3
look
[ -z "$state" ] || { echo "$pid"; exit 0; }
command -v "$program" >/dev/null 2>&1 || { echo "no such program: $program" >&2; exit 127; }
mkdir -p -- "$directory" "${log%/*}" "${pidfile%/*}" && cd -- "$directory" || exit 1
rm -f -- "$pidfile"
setsid sh -c "$inner" sh "$pidfile" "$@" </dev/null >>"$log" 2>&1 &
until_ 500 '[ -s "$pidfile" ]' || { echo "the daemon did not start: see $log" >&2; exit 1; }
look
echo "$pid"
"""
)

# Runs as the daemon-to-be. exec keeps pid and start time, so they are recorded before it.
_INNER = r"""
pidfile=$1
shift
read -r line < /proc/$$/stat
line=${line##*) }
started=$(set -- $line; echo "${20}")
echo "$$ $started" > "$pidfile.new" && mv -f -- "$pidfile.new" "$pidfile" && exec "$@"
"""

_SEND = (
    _LOOK
    + r"""
pidfile=$1
look
[ -n "$state" ] || exit 0
kill -s "$2" -- "-$pid" || exit 1
case $2 in
    STOP) until_ 100 'look; [ "$state" = T ] || [ -z "$state" ]' ;;
    CONT) until_ 100 'look; [ "$state" != T ]' ;;
esac
echo sent
"""
)

_STATE = _LOOK + '\npidfile=$1\nlook\n[ -z "$state" ] || echo "$pid $state"\n'

_KILL = (
    _LOOK
    + r"""
alone() {  # threads outlive a leader that is a zombie already, and hold files and ports
    set -- "/proc/$1/task"/*
    [ $# -le 1 ]
}
pidfile=$1
look
[ -n "$state" ] || exit 0
kill -s KILL -- "-$pid"
until_ "$2" 'look; [ -z "$state" ] && alone "$pid"' || {
    echo "pid $pid outlived SIGKILL" >&2
    exit 1
}
"""
)


async def start(
    remote: Remote,
    *,
    argv: Sequence[str],
    directory: PurePath | str,
    env: Mapping[str, str] | None = None,
    log: PurePath | str,
    pidfile: PurePath | str,
) -> int:
    """Start argv as a daemon in `directory` (made if absent) and return its pid.

    stdin is /dev/null; stdout and stderr are appended to `log`. `env` reaches the daemon alone,
    not the shell that starts it. `log` and `pidfile` are absolute. One that runs already is left
    as it is. RemoteError where the program does not exist.
    """
    wrapped = [*(["env", *(f"{k}={v}" for k, v in env.items())] if env else []), *argv]
    places = [str(directory), str(log), str(pidfile)]
    return int(await _act(remote, "start", _START, [argv[0], _INNER, *places, *wrapped]))


async def send(remote: Remote, pidfile: PurePath | str, signal_name: str) -> bool:
    """Send a signal (`STOP`, `CONT`, `TERM`, ...); False where no process runs.

    STOP and CONT return when the process has stopped or goes on (at most a second).
    """
    name = signal_name.removeprefix("SIG")
    return await _act(remote, "signal", _SEND, [str(pidfile), name]) == "sent"


async def state(remote: Remote, pidfile: PurePath | str) -> tuple[int | None, str]:
    """(pid, state letter of /proc/PID/stat); (None, "") when no process runs, or a zombie."""
    words = (await _act(remote, "state", _STATE, [str(pidfile)])).split()
    return (int(words[0]), words[1]) if len(words) == 2 else (None, "")


async def kill(remote: Remote, pidfile: PurePath | str, timeout_s: float = 5) -> None:
    """SIGKILL, and wait until the process is gone; nothing to do where none runs.

    RemoteError when it outlives the signal by `timeout_s`: a process in an uninterruptible wait
    (state D) dies only when its disk answers.
    """
    steps = max(1, round(timeout_s * 100))
    await _act(remote, "kill", _KILL, [str(pidfile), str(steps)], timeout_s=timeout_s + 10)


async def _act(
    remote: Remote, action: str, script: str, arguments: Sequence[str], timeout_s: float = 15
) -> str:
    """Run a script with positional arguments; errors name the action, not the script's text."""
    argv = ["sh", "-c", script, f"daemon-{action}", *arguments]
    output = await remote.run(argv, timeout_s=timeout_s, check=False)
    if output.exit_code != 0:
        shown = [f"daemon-{action}", *(a for a in arguments if a != _INNER)]
        raise RemoteError(remote.node, shown, output.exit_code, output.stderr)
    return output.stdout.strip()
