"""Text from AWS or from people, for places where Streamlit reads Markdown.

Not here: tables and charts, which take text as it is.
"""

import re

# Every ASCII character that begins something in Markdown, an emoji code (:x:), a formula ($) or an element (<).
_MEANS_SOMETHING = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>$:&\"'^=])")


def plain(text: object) -> str:
    """The text so that Markdown shows it letter for letter, on one line: no link, image or element comes of it."""
    return _MEANS_SOMETHING.sub(r"\\\1", " ".join(str(text).split()))
