"""What search asks of a model: two calls. It knows no architecture."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from jumok.errors import UserError


@runtime_checkable
class Decoder(Protocol):
    """Anything that writes tokens: ``begin`` gives a state, ``step`` reads ``(B * beams, n)`` tokens.

    ``step`` returns the logits ``(B * beams, V)`` of the token after the last one, and the state. The state follows
    the search by ``reorder(parents (B, beams))``, of as many beams as there shall be, and ``keep(sentences)``.
    """

    def begin(self, encoded: Any, beams: int, max_len: int) -> Any: ...

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]: ...


class EnsembleState:
    """The states of the members, moved together."""

    def __init__(self, states: list[Any]) -> None:
        self.states = states

    def reorder(self, parents: Tensor) -> None:
        for state in self.states:
            state.reorder(parents)

    def keep(self, sentences: Tensor) -> None:
        for state in self.states:
            state.keep(sentences)


class Ensemble:
    """Several decoders as one: ``log p(y) = log mean_m p_m(y)``.

    `vocabularies` are the members' token lists; unequal ones are refused (`UserError`), since token 7 would mean two
    things. Its ``encoded`` is the sequence of what each member's encoder returned.
    """

    def __init__(self, members: Sequence[Decoder], vocabularies: Sequence[Sequence[str]]) -> None:
        for number, vocabulary in enumerate(vocabularies[1:], start=2):
            if list(vocabulary) != list(vocabularies[0]):
                raise UserError(
                    f"ensemble: the vocabulary of run {number} differs from that of run 1; "
                    "train the members on one tokenizer (from=RUN keeps a run's tokenizer)"
                )
        self.members = list(members)

    def begin(self, encoded: Sequence[Any], beams: int, max_len: int) -> EnsembleState:
        return EnsembleState(
            [member.begin(part, beams, max_len) for member, part in zip(self.members, encoded, strict=True)]
        )

    def step(self, tokens: Tensor, state: EnsembleState) -> tuple[Tensor, EnsembleState]:
        logs = []
        for index, member in enumerate(self.members):
            logits, state.states[index] = member.step(tokens, state.states[index])
            logs.append(logits.float().log_softmax(-1))
        mean = torch.stack(logs).logsumexp(0) - torch.tensor(len(logs)).log()
        return mean, state
