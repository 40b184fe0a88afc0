"""Tiny chat models of transformers: one that writes nonsense, and one whose weights are a script."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

END: Final = "<|end|>"
ASKED, ANSWERED_BY_TOOL = "<|user asked|>", "<|tool answered|>"  # what the prompt ends with, and so what the model goes on from
TEMPLATE: Final = (
    "{% if tools %}{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}{% endif %}"
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}"
    "{% for call in message.tool_calls or [] %}{{ call.function.name }}{{ call.function.arguments | tojson }}{% endfor %}\n"
    "{% endfor %}{% if messages[-1].role == 'tool' %}" + ANSWERED_BY_TOOL + "{% else %}" + ASKED + "{% endif %}")


def make(folder: Path, answer: Sequence[str] = (), after_tool: Sequence[str] = (), longest: int = 8192) -> Path:
    """A checkpoint that answers with these pieces, and after a tool with those; one of random weights without any.

    Each piece is a token; no piece may stand twice, since what follows a token depends on that token alone.
    """
    vocabulary = {letter: index for index, letter in enumerate(BYTES)}
    made = Tokenizer(models.BPE(vocabulary, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    pieces = [END, ASKED, ANSWERED_BY_TOOL, *answer, *after_tool]
    made.add_tokens([AddedToken(piece, normalized=False) for piece in pieces])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, eos_token=END, clean_up_tokenization_spaces=False)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    size = len(tokenizer) + len(tokenizer) % 2
    torch.manual_seed(0)
    config = Qwen2Config(vocab_size=size, hidden_size=size, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
                         num_key_value_heads=2, max_position_embeddings=longest, tie_word_embeddings=False,
                         eos_token_id=tokenizer.eos_token_id)
    model = Qwen2ForCausalLM(config)
    if answer:
        follow(model, tokenizer, [[ASKED, *answer, END], [ANSWERED_BY_TOOL, *after_tool, END]])
    model.save_pretrained(folder)
    return folder


BYTES: Final = sorted(pre_tokenizers.ByteLevel.alphabet())


def follow(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, lines: Sequence[Sequence[str]]) -> None:
    """Gives the model weights by which each piece of a line is followed by the next one, whatever stood before."""
    with torch.no_grad():
        for weights in model.model.layers.parameters():
            weights.zero_()  # what is left is the way from a token straight to its successor
        model.model.embed_tokens.weight.copy_(torch.eye(model.config.vocab_size))
        model.lm_head.weight.zero_()
        for line in lines:
            for before, after in pairwise(tokenizer.convert_tokens_to_ids(list(line))):
                model.lm_head.weight[after, before] = 1.0
