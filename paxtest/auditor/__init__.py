"""The auditor: holds what the nodes of the bundled Paxos did against the proof, lemma by lemma.

`lemma` names the lemmas, `node` checks what one node alone can violate, `chosen` what was chosen,
`reads` what real time demands; `audit` brings them together and finds the earliest failure.
`files` reads the traces that a run left, `proposals` tells one slot as a learner sees it.
"""

from paxtest.auditor.audit import Audit, Status, audit
from paxtest.auditor.lemma import LEMMAS, Failure

__all__ = ["LEMMAS", "Audit", "Failure", "Status", "audit"]
