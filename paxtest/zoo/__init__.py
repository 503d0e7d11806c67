"""The zoo: how often, how fast and by which check the tester finds each real bug.

`row` is one run of one bug, `cluster` and `simulator` make rows, `board` keeps and counts them,
`page` shows them; `reference` makes docs/reference/zoo.md. The bugs themselves are in
`cluster/paxos_server/bugs.py`.
"""
