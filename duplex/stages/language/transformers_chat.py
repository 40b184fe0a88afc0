"""A chat model in this process: any causal language model of transformers that has a chat template. Needs the extra `moshi`.

It writes its answer token by token as it is read, and stops where nobody reads on. No thread, no server, no batching.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from duplex.stages.language.chat_model import Function, Message, ModelFailed, Piece, function_as_json, message_as_json
from duplex.stages.language.llm import Usage

if TYPE_CHECKING:
    import torch

UNREADABLE: Final = "�"  # what half a character decodes to


class TransformersChat:
    """One model.

    Args:
        path: a folder, or a name on the Hub.
        revision: a commit or tag there.
        device: as torch names it; None for a GPU where there is one.
        dtype: as torch names it, or "auto" for the checkpoint's own.
        max_new_tokens: after which an answer is cut off.
        temperature: 0 for the likeliest token, always.
        template: variables for the chat template.

    Raises:
        ImportError: torch or transformers is missing.
        ValueError: there is no such model, or it has no chat template.
    """

    def __init__(self, path: str, revision: str | None = None, device: str | None = None, dtype: str = "auto",
                 max_new_tokens: int = 256, temperature: float = 0.0, template: Mapping[str, Any] | None = None):
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        self.name = path
        self.max_new_tokens = max_new_tokens
        self.temperature = temperature
        self.template = {"enable_thinking": False, **(template or {})}  # nobody waits on the telephone for thoughts
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(path, revision=revision)  # classes made at run time
            self.model: Any = AutoModelForCausalLM.from_pretrained(path, revision=revision, dtype=dtype)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path!r} is no chat model that can be loaded, neither a folder nor a name on the Hub: "
                             f"{str(error).splitlines()[0]}") from error
        if not self.tokenizer.chat_template:
            raise ValueError(f"{path!r} has no chat template: take one that was taught to chat (often called instruct)")
        self.model.to(self.device).eval()  # type: ignore[arg-type]  # the library's decorator loses `self`
        self.lock = Lock()  # stages work in threads

    def stream(self, messages: Sequence[Message], functions: Sequence[Function], seed: int) -> Iterator[Piece]:
        """Text alone; calls stand in it as the template says (`duplex.stages.language.markup`)."""
        asked = self.tokens(messages, functions)
        written: list[int] = []
        shown = ""
        for token in self.generated(asked, seed):
            written.append(token)
            text = self.tokenizer.decode(written)
            if len(text) > len(shown) and not text.endswith(UNREADABLE):
                yield text[len(shown):]
                shown = text
        yield Usage(len(asked), len(written))

    def tokens(self, messages: Sequence[Message], functions: Sequence[Function]) -> list[int]:
        """The chat so far as the model was taught to read it."""
        chat = [message_as_json(message, parsed) for message in messages]
        try:
            asked = self.tokenizer.apply_chat_template(
                chat, tools=[function_as_json(function) for function in functions] or None, add_generation_prompt=True,
                tokenize=True, return_dict=False, **self.template)
        except Exception as error:  # templates are programs of their own, and raise what they like
            raise ModelFailed(f"{self.name}: its chat template can not take this chat: {error}") from error
        longest = getattr(self.model.config, "max_position_embeddings", None)
        if longest is not None and len(asked) + self.max_new_tokens > longest:
            raise ModelFailed(f"{self.name}: {len(asked)} tokens of chat and max_new_tokens={self.max_new_tokens} are "
                              f"more than the {longest} it reads; lower max_new_tokens, or take a model that reads more")
        return list(asked)

    def generated(self, asked: list[int], seed: int) -> Iterator[int]:
        """Tokens until the model ends its turn."""
        import torch
        chance = torch.Generator().manual_seed(seed)
        ends = self.ends()
        unread, past = torch.tensor([asked], device=self.device), None
        for _ in range(self.max_new_tokens):
            with self.lock, torch.inference_mode():
                made = self.model(input_ids=unread, past_key_values=past, use_cache=True)
                token = self.chosen(made.logits[0, -1].float().cpu(), chance)
            if token in ends:
                return
            yield token
            unread, past = torch.tensor([[token]], device=self.device), made.past_key_values

    def ends(self) -> set[int]:
        """The tokens that end a turn."""
        listed = self.model.generation_config.eos_token_id
        return {self.tokenizer.eos_token_id, *(listed if isinstance(listed, list) else [listed])}

    def chosen(self, logits: "torch.Tensor", chance: "torch.Generator") -> int:
        import torch
        if self.temperature == 0.0:
            return int(logits.argmax())
        return int(torch.multinomial(torch.softmax(logits / self.temperature, -1), 1, generator=chance))


def parsed(arguments: str) -> Any:  # JSON, or as the model wrote it
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments
