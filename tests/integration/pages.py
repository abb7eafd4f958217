"""Reading pages as a visitor reads them."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

# Words that no Spanish page should show; those that Spanish has too (total, no, a, me, has) are left out.
ENGLISH = set(Path(__file__).with_name("english_words.txt").read_text().split())
_INVISIBLE = re.compile(r"<(script|style|head)\b.*?</\1>|<!--.*?-->", re.DOTALL)
_IN_ANOTHER_LANGUAGE = re.compile(r'<(button|span)[^>]* lang="en"[^>]*>.*?</\1>', re.DOTALL)


def read(response: Any) -> str:
    """Return the words of a page, without its tags, as one line."""
    body = _INVISIBLE.sub(" ", response.content.decode())
    body = _IN_ANOTHER_LANGUAGE.sub(" ", body)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


def english_words(text: str) -> set[str]:
    """Return the English words of a text; letters inside an id or a token are no words."""
    return {word.strip(".-") for word in re.findall(r"[\w.-]+", text.lower())} & ENGLISH
