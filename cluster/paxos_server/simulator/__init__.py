"""The deterministic simulator: the server's own core, state machine, log and bugs under virtual
time, with a network, disks and clocks that fail as a seed says. Same seed, same history."""
