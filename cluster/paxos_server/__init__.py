"""The reference Paxos. Imports nothing of the control node."""
