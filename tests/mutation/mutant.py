"""One small change of a file, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Mutant:
    """``source[start:end]`` replaced by ``new``; ``line`` is the line as it stood."""

    start: int
    end: int
    new: bytes
    line_number: int
    line: str
    change: str
    function: str = ""
    """The function that it is in, of those that stand in a module or a class; empty outside of any."""

    @classmethod
    def of(cls, source: bytes, start: int, end: int, new: bytes, how: str = "", function: str = "") -> Mutant:
        """Describe a change of ``source``."""
        line_start = source.rfind(b"\n", 0, start) + 1
        line = source[line_start:].split(b"\n", 1)[0].decode().strip()
        old, becomes = (_on_one_line(part) for part in (source[start:end], new))
        return cls(
            start=start,
            end=end,
            new=new,
            line_number=source.count(b"\n", 0, start) + 1,
            line=line,
            change=f"{old}: {how}" if how else f"{old} → {becomes}",
            function=function,
        )

    def applied_to(self, source: bytes) -> bytes:
        """Return the source with the change in it."""
        return source[: self.start] + self.new + source[self.end :]


def _on_one_line(text: bytes) -> str:
    words = " ".join(text.decode().split())
    return words if len(words) <= 90 else f"{words[:60]} … {words[-25:]}"
