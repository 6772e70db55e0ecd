"""Man pages: the little of roff's man macros that ours need. Pure; see groff_man(7)."""

from collections.abc import Sequence


def escape(text: str) -> str:
    """Return text as it is shown: no character of it is a request or an escape."""
    plain = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    )
    plain = plain.replace("~", "\\(ti").replace("^", "\\(ha")
    return "\n".join("\\&" + line if line.startswith(".") else line for line in plain.split("\n"))


def title(name: str, section: int, source: str) -> str:
    """Return what a page begins with."""
    return f'.TH {name.upper()} {section} "" "{escape(source)}"\n.nh\n.ad l'


def heading(text: str) -> str:
    """Return a section's title."""
    return f".SH {escape(text.upper())}"


def subheading(text: str) -> str:
    """Return a subsection's title."""
    return f'.SS "{escape(text)}"'


def paragraph(text: str) -> str:
    """Return running text."""
    return f".PP\n{escape(' '.join(text.split()))}"


def term(name: str, text: str) -> str:
    """Return a bold word or two, and what they mean."""
    return f".TP\n.B {escape(name)}\n{escape(' '.join(text.split()))}"


def verbatim(lines: Sequence[str]) -> str:
    """Return lines as they are."""
    body = "\n".join(escape(line) or "\\&" for line in lines)
    return f".PP\n.RS 4\n.nf\n{body}\n.fi\n.RE"


def prose(text: str) -> list[str]:
    """Return text in click's spelling: paragraphs, of which those after a mark stay as they are."""
    parts = []
    for block in text.strip().split("\n\n"):
        lines = [line for line in block.split("\n") if line.strip()]
        if lines and lines[0].strip() == "\b":
            parts.append(verbatim(lines[1:]))
        elif lines:
            parts.append(paragraph(block))
    return parts
