"""The engine `perkey`: a Paxos log for every key, without leader or lease, as PaxosStore has it.

Read `single` first (one decision, as in "Paxos Made Simple"), then `learner`, then `keys`.
"""
