"""The role of an agent in prose, for whoever reads prose: PersonaPlex, language models, end-to-end voices.

Made of the same data that a dialogue manager reads, so that every agent of a call gets the same facts.
"""

import math
from typing import Final

from duplex.stages.language.domain import Domain
from duplex.stages.language.tools import Records

MAX_TOKENS: Final = 200  # PersonaPlex takes no longer one (`duplex.agents.personaplex`)
TOKENS_PER_WORD: Final = 1.3  # of its tokenizer, at most, on text like this; numbers come as words


def role_of(domain: Domain, records: Records) -> str:
    """Who the agent is, what it may tell, and what its records say.

    The wording follows the service prompts that PersonaPlex was trained with (Roy et al., 2026): "You work for ... and
    your name is ... Information: ...".
    """
    facts = ["Information:", *domain.facts.values()] if domain.facts else []
    rows = [f"{table}: {key}: " + ", ".join(f"{name} {value}" for name, value in fields.items()) + "."
            for table, of_table in records.items() for key, fields in of_table.items()]
    return " ".join([domain.role, *facts, *rows])


def estimated_tokens(role: str) -> int:
    """How many tokens it may take, to tell before a model is loaded; the model's tokenizer has the last word."""
    return math.ceil(TOKENS_PER_WORD * len(role.split()))
