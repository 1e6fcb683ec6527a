"""The two streaming APIs that codex and claude speak, as far as they need: requests in, server-sent events out.

Sources: the OpenAI Responses and Anthropic Messages streaming references, and what the pinned agents send.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.agents.model_scripts import Hold, Prompt, Run, Say, Step

Json = dict[str, Any]
Event = Json | Hold
PIECE_CHARACTERS: Final = 12
# Blocks that the agents put beside the text of the user.
_ASIDES: Final = re.compile(r"<([\w-]+)>.*?</\1>", re.DOTALL)


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), PIECE_CHARACTERS):
        yield text[start : start + PIECE_CHARACTERS]


def _plain(content: object) -> str:
    """The text of a message: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


# ---- OpenAI Responses (codex)


def openai_prompt(request: Json) -> Prompt:
    """The prompt in `input`: messages, and outputs of tool calls."""
    text = ""
    results: list[str] = []
    for item in request.get("input", []):
        kind = item.get("type", "message")
        if kind == "message" and item.get("role") == "user":
            said = _plain(item["content"])
            # Instructions and the environment come as messages of the user, too.
            if not said.lstrip().startswith(("<", "# AGENTS.md")):
                text, results = said, []
        elif kind.endswith("call_output"):
            results.append(str(item.get("output")))
    return Prompt(text, tuple(results))


def openai_wants_title(request: Json) -> bool:
    """Whether this is codex's own request for a title of the conversation."""
    return "single-line task title" in json.dumps(request.get("input", []))


def _openai_call(run: Run, tools: set[str]) -> Json:
    reason = "Do you want to allow writing approved.txt?"
    escalated = {"sandbox_permissions": "require_escalated", "justification": reason}
    name = "exec_command" if "exec_command" in tools else "shell_command"
    arguments = {"cmd" if name == "exec_command" else "command": run.command, **escalated}
    call: Json = {"id": "fc_stub", "type": "function_call", "status": "completed", "call_id": "call_stub", "name": name}
    return call | {"arguments": json.dumps(arguments)}


def _openai_text(index: int, texts: list[Say | Hold]) -> Iterator[Event]:
    """One message item, streamed; its Holds in place."""
    message: Json = {"id": f"msg_{index}", "type": "message", "role": "assistant"}
    part = {"type": "output_text", "text": "", "annotations": []}
    where: Json = {"item_id": message["id"], "output_index": index}
    opened = message | {"status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": index, "item": opened}
    yield {"type": "response.content_part.added", **where, "content_index": 0, "part": part}
    for step in texts:
        if isinstance(step, Hold):
            yield step
            continue
        for piece in _pieces(step.text):
            yield {"type": "response.output_text.delta", **where, "content_index": 0, "delta": piece}
    whole = "".join(step.text for step in texts if isinstance(step, Say))
    yield {"type": "response.output_text.done", **where, "content_index": 0, "text": whole}
    done = message | {"status": "completed", "content": [part | {"text": whole}]}
    yield {"type": "response.output_item.done", "output_index": index, "item": done}


def openai_events(request: Json, steps: list[Step]) -> Iterator[Event]:
    """The events of one streamed response."""
    tools = {str(tool.get("name")) for tool in request.get("tools") or []}
    response: Json = {"id": "resp_stub", "object": "response", "created_at": 0, "model": request.get("model")}
    yield {"type": "response.created", "response": response | {"status": "in_progress", "output": []}}
    outputs: list[Json] = []
    texts: list[Say | Hold] = [step for step in steps if not isinstance(step, Run)]
    for event in _openai_text(0, texts):
        if not isinstance(event, Hold) and event["type"] == "response.output_item.done":
            outputs.append(event["item"])
        yield event
    for step in steps:
        if isinstance(step, Run):
            call = _openai_call(step, tools)
            yield {"type": "response.output_item.added", "output_index": len(outputs), "item": call}
            yield {"type": "response.output_item.done", "output_index": len(outputs), "item": call}
            outputs.append(call)
    usage = {"input_tokens": 20, "output_tokens": 30, "total_tokens": 50}
    final = response | {"status": "completed", "output": outputs, "usage": usage}
    yield {"type": "response.completed", "response": final}


# ---- Anthropic Messages (claude)


def anthropic_prompt(request: Json) -> Prompt:
    """The prompt in `messages`."""
    text = ""
    results: list[str] = []
    for message in request.get("messages", []):
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if message["role"] != "user":
                continue
            if part.get("type") == "tool_result":
                results.append(_plain(part.get("content")))
            elif part.get("type") == "text":
                said = _ASIDES.sub("", part["text"]).strip()
                if said:
                    text, results = said, []
    return Prompt(text, tuple(results))


def anthropic_aside(request: Json) -> str | None:
    """What to say to claude's own requests (a title, a check), None when this is the conversation."""
    wanted = (request.get("output_config") or {}).get("format") or request.get("output_format")
    if wanted:
        names = ((wanted.get("schema") or {}).get("properties") or {"title": {}}).items()
        return json.dumps({name: schema.get("type") == "boolean" or "Stub title" for name, schema in names})
    return None if request.get("tools") else "Stub aside"


def _anthropic_block(index: int, block: Json, deltas: Iterator[Event]) -> Iterator[Event]:
    yield {"type": "content_block_start", "index": index, "content_block": block}
    for delta in deltas:
        yield delta if isinstance(delta, Hold) else {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _anthropic_text(steps: list[Step]) -> Iterator[Event]:
    for step in steps:
        if isinstance(step, Hold):
            yield step
        elif isinstance(step, Say):
            yield from ({"type": "text_delta", "text": piece} for piece in _pieces(step.text))


def _anthropic_arguments(run: Run) -> Iterator[Event]:
    arguments = json.dumps({"command": run.command, "description": "Write approved.txt"})
    yield from ({"type": "input_json_delta", "partial_json": piece} for piece in _pieces(arguments))


def anthropic_events(request: Json, steps: list[Step]) -> Iterator[Event]:
    """The events of one streamed message."""
    runs = [step for step in steps if isinstance(step, Run)]
    message: Json = {"id": "msg_stub", "type": "message", "role": "assistant", "model": request.get("model")}
    usage = {"input_tokens": 20, "output_tokens": 1}
    opened = message | {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    yield {"type": "message_start", "message": opened}
    yield from _anthropic_block(0, {"type": "text", "text": ""}, _anthropic_text(steps))
    for index, run in enumerate(runs, 1):
        tool: Json = {"type": "tool_use", "id": f"toolu_stub{index}", "name": "Bash", "input": {}}
        yield from _anthropic_block(index, tool, _anthropic_arguments(run))
    reason = "tool_use" if runs else "end_turn"
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": None},
        "usage": {"output_tokens": 30},
    }
    yield {"type": "message_stop"}


def anthropic_message(request: Json, steps: list[Step]) -> Json:
    """The same answer to a request without `stream`."""
    text = "".join(step.text for step in steps if isinstance(step, Say))
    message: Json = {"id": "msg_stub", "type": "message", "role": "assistant", "model": request.get("model")}
    ended = {"stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 20, "output_tokens": 30}}
    return message | {"content": [{"type": "text", "text": text}]} | ended


Dialect = Callable[[Json, list[Step]], Iterator[Event]]
