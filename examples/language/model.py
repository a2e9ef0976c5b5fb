"""Says in which language a text is written, by the three-letter pieces that it is made of."""

import json
import math
import os
from collections import Counter

schema = {
    "input": {
        "type": "object",
        "properties": {"text": {"type": "string", "minLength": 1, "description": "what to look at"}},
        "required": ["text"],
        "additionalProperties": False,
    },
    "output": {
        "type": "object",
        "properties": {
            "language": {"type": "string", "description": "de, en, es, fr or it"},
            "certainty": {"type": "number", "description": "0 to 1, beside the next best"},
        },
    },
}


class TooShort(Exception):
    """Answered with this status: the request has failed, and trying again would not help."""

    status = 422
    field = "text"


def load(context):
    """Called once, before the instance is ready. What it returns is `context.state`."""
    folder = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(folder, "samples.json"), encoding="utf-8") as file:
        samples = json.load(file)
    return {language: profile(text) for language, text in samples.items()}


def predict(input, context):
    if context.path == "/lines":
        return each_line(input["text"], context)
    return guess(input["text"], context)


def each_line(text, context):
    """A generator is a stream: what it yields reaches the caller at once."""
    for line in text.splitlines():
        if context.canceled.is_set():
            return
        if line.strip():
            yield {"line": line, **guess(line, context)}


def guess(text, context):
    found = profile(text)
    if sum(found.values()) < context.config.get("least", 5):
        raise TooShort("the text is too short to tell")
    scores = {language: likeness(found, known) for language, known in context.state.items()}
    best, second = sorted(scores, key=scores.get, reverse=True)[:2]
    total = scores[best] + scores[second]
    return {"language": best, "certainty": round(scores[best] / total, 2) if total else 0}


def profile(text):
    """How often each piece of three letters stands in a text."""
    letters = " ".join("".join(c if c.isalpha() else " " for c in text.lower()).split())
    padded = " %s " % letters
    return Counter(padded[at : at + 3] for at in range(len(padded) - 2))


def likeness(one, other):
    """The cosine of the angle between two profiles."""
    shared = sum(count * other[piece] for piece, count in one.items())
    size = math.sqrt(sum(c * c for c in one.values()) * sum(c * c for c in other.values()))
    return shared / size if size else 0.0
