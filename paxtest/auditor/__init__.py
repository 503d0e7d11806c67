"""The auditor: holds what the nodes of the bundled Paxos did against the proof, lemma by lemma.

`lemma` names the lemmas, `node` checks what one node alone can violate, `chosen` what was chosen,
`reads` what real time demands; `audit` brings them together and finds the earliest failure.
"""

from paxtest.auditor.audit import Audit, audit
from paxtest.auditor.lemma import LEMMAS, Failure

__all__ = ["LEMMAS", "Audit", "Failure", "audit"]
