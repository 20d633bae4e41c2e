"""Services that execute commands: `Participant`, the barrier that makes them safe, and the three that ship.

Nothing here knows the orchestrator: a participant sees commands on its stream, and answers them.
"""

from participants.context import BatchTransaction, Context, ExternalContext, Transaction
from participants.participant import Participant

__all__ = ["BatchTransaction", "Context", "ExternalContext", "Participant", "Transaction"]
