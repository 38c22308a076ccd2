"""An Ollama Modelfile for a GGUF file, its chat template told in Ollama's own language (Go templates).

The template is found by rendering: what stands before and behind each role's words. It refuses chat templates that are more
than that, since a template that is nearly right makes a model speak nonsense.
"""

from __future__ import annotations

from typing import Any

from rung.errors import ModelError

_WORDS = {"system": "Sys\u2063tem", "user": "Us\u2063er", "assistant": "Assis\u2063tant"}  # no template says these by itself


def modelfile(tokenizer: Any, file: str, adapter: str = "", window: int = 2048) -> str:
    """The text of a Modelfile that runs `file`, with the adapter's file on it if named. ModelError for a template it can't tell."""
    start, around, opening = parts(tokenizer)
    cases = [f'{{{{ if eq .Role "{role}" }}}}{before}{{{{ .Content }}}}{after}{{{{ end }}}}' for role, (before, after) in around.items()]
    told = f"{start}{{{{ range .Messages }}}}{''.join(cases)}{{{{ end }}}}{opening}"
    lines = [f"FROM ./{file}", *([f"ADAPTER ./{adapter}"] if adapter else []), f'TEMPLATE """{told}"""']
    lines += [f'PARAMETER stop "{tokenizer.eos_token}"', "PARAMETER temperature 0", "PARAMETER repeat_penalty 1.0"]
    return "\n".join([*lines, f"PARAMETER num_ctx {window}", ""])


def parts(tokenizer: Any) -> tuple[str, dict[str, tuple[str, str]], str]:
    """What a chat begins with, what stands around each role's words, and what opens the assistant's turn."""
    alone = _rendered(tokenizer, ["user"])
    before, after = alone.split(_WORDS["user"])
    between, last = (part for part in _rendered(tokenizer, ["user", "assistant", "user"]).split(_WORDS["user"])[1:])
    if after != last or _WORDS["assistant"] not in between:
        raise _untold()
    answered, again = between.split(_WORDS["assistant"])
    own = again[len(last) :] if again.startswith(last) and before.endswith(again[len(last) :]) else _tail(before, again)
    start = before[: len(before) - len(own)]
    around = {"user": (own, last), "assistant": (answered[len(last) :], again[: len(again) - len(own)])}
    if _takes(tokenizer, ["system", "user"]):
        head, tail = _rendered(tokenizer, ["system", "user"]).split(_WORDS["user"])[0].split(_WORDS["system"])
        around["system"] = head[len(start) :], tail[: len(tail) - len(own)]
    opening = _rendered(tokenizer, ["user"], opened=True)[len(alone) :]
    for roles in (["user"], ["system", "user"], ["user", "assistant", "user"], ["system", "user", "assistant", "user"]):
        if _takes(tokenizer, roles):
            told = start + "".join(around[role][0] + _WORDS[role] + around[role][1] for role in roles) + opening
            if told != _rendered(tokenizer, roles, opened=True):
                raise _untold()
    if '"""' in "".join([start, opening, *(text for pair in around.values() for text in pair)]):
        raise _untold()
    return start, around, opening


def _tail(first: str, second: str) -> str:
    """The longest ending that both have."""
    length = next((n for n in range(min(len(first), len(second)), 0, -1) if first[-n:] == second[-n:]), 0)
    return first[len(first) - length :]


def _takes(tokenizer: Any, roles: list[str]) -> bool:
    import jinja2

    try:
        return all(_WORDS[role] in _rendered(tokenizer, roles) for role in roles)
    except jinja2.TemplateError:
        return False


def _rendered(tokenizer: Any, roles: list[str], *, opened: bool = False) -> str:
    chat = [{"role": role, "content": _WORDS[role]} for role in roles]
    return str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=opened))


def _untold() -> ModelError:
    return ModelError("the chat template can't be told in Ollama's language", "serve the file with llama.cpp, which reads it as it is")
