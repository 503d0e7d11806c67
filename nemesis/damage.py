"""Changes to files on a node, and back: bits flipped, tails torn. POSIX sh, od and dd.

What is done is first noted in a file on the node, so that it can be undone by whoever comes
later, even by another control node. Mending puts back only what still is as the damage left it.
"""

from __future__ import annotations

from random import Random

from paxtest.errors import PaxtestError
from paxtest.remote.protocol import Remote

_SIZES = 'for f in "$@"; do [ -f "$f" ] && printf "%s %s\\n" "$(wc -c < "$f")" "$f"; done; true'
_BYTE = """byte() { od -An -tu1 -j "$2" -N 1 -- "$1" | tr -d ' '; }
put() { printf "\\\\$(printf %03o "$3")" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }
"""
# $1 note, $2 file, $3 offset, $4 mask. Prints: old, new and found byte, checksums before, after.
_FLIP = (
    _BYTE
    + """old=$(byte "$2" "$3"); new=$((old ^ $4)); before=$(cksum < "$2")
printf 'flip %s %s %s %s\\n' "$3" "$old" "$new" "$2" > "$1" || exit 1
put "$2" "$3" "$new"
echo "$old $new $(byte "$2" "$3") ${before%% *} $(cksum < "$2" | cut -d ' ' -f 1)"
"""
)
# $1 note, $2 file, $3 how many bytes, $4 their source. Prints the sizes before and after.
_TEAR = """before=$(wc -c < "$2")
printf 'tear %s %s %s %s\\n' "$before" "$((before + $3))" - "$2" > "$1" || exit 1
head -c "$3" "$4" >> "$2"
echo "$before $(wc -c < "$2")"
"""
# $1 note. Undoes each line of it that still holds, and removes it.
_MEND = (
    _BYTE
    + """[ -f "$1" ] || { echo 'nothing to mend'; exit 0; }
while read -r what a b c file; do
    [ -f "$file" ] || { echo "$file is gone"; continue; }
    case $what in
    flip) if [ "$(byte "$file" "$a")" = "$c" ]; then put "$file" "$a" "$b"; echo "flipped back"
          else echo "overwritten since"; fi ;;
    tear) if [ "$(wc -c < "$file")" = "$b" ]; then
              dd of="$file" bs=1 seek="$a" count=0 2>/dev/null < /dev/null; echo "cut off"
          else echo "written since"; fi ;;
    esac
done < "$1"
rm -f -- "$1"
"""
)


async def sizes(remote: Remote, files: list[str]) -> list[tuple[str, int]]:
    """Of the files that exist, in their order: (path, bytes)."""
    if not files:
        return []
    output = await remote.run(["sh", "-c", _SIZES, "sizes", *files])
    rows = [line.split(" ", 1) for line in output.stdout.splitlines()]
    return [(path, int(size)) for size, path in rows]


def place(found: list[tuple[str, int]], rng: Random) -> tuple[str, int] | None:
    """Where to flip a bit: (path, offset). Mostly in the last half of the file written last, for
    there lies what few nodes know; None where all files are empty. Pure.
    """
    filled = [(path, size) for path, size in found if size > 0]
    if not filled:
        return None
    path, size = filled[-1] if rng.random() < _LAST else rng.choice(filled)
    if rng.random() < _NEAR_END:
        return path, size - 1 - rng.randrange(min(-(-size // 2), _END_BYTES))
    return path, rng.randrange(size)


_LAST, _NEAR_END, _END_BYTES = 0.9, 0.8, 2048


async def flip(remote: Remote, note: str, path: str, offset: int, bit: int) -> str:
    """Flip one bit; what was seen of it, in words. Raises PaxtestError where it did not happen."""
    argv = ["sh", "-c", _FLIP, "flip", note, path, str(offset), str(1 << bit)]
    said = (await remote.run(argv)).stdout.split()
    if len(said) != 5 or said[1] != said[2] or said[3] == said[4]:
        raise PaxtestError(f"no bit was flipped in {path} at {offset}: {' '.join(said)}")
    name = path.rsplit("/", 1)[-1]
    return f"{name} byte {offset}: {said[0]} -> {said[2]}, checksum {said[3]} -> {said[4]}"


async def tear(remote: Remote, note: str, path: str, size: int, source: str) -> str:
    """Append `size` bytes of a write that never ended; what was seen of it, in words."""
    argv = ["sh", "-c", _TEAR, "tear", note, path, str(size), source]
    before, after = (await remote.run(argv)).stdout.split()
    if int(after) != int(before) + size:
        raise PaxtestError(f"{path} has {after} bytes after {size} were added to {before}")
    return f"{path.rsplit('/', 1)[-1]} {before} -> {after} bytes"


async def mend(remote: Remote, note: str) -> str:
    """Undo what the note tells of; what was done, in words. Idempotent."""
    output = await remote.run(["sh", "-c", _MEND, "mend", note])
    return "; ".join(output.stdout.splitlines())
