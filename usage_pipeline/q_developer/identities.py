"""Who a user is: one spelling for what prompt logs and activity reports write differently.

Not here: people's names, which neither of them has.
"""

import re

_IDENTITY_STORE = re.compile(r"d-[0-9a-z]+\.(?=.)")
"""IAM Identity Center's store in front of the user: prompt logs write it, activity reports do not."""

_IDENTIFIER = re.compile(r"[!-~]{1,2048}")
"""What AWS gives as an id, name or ARN. Text with spaces in its place could be part of a prompt."""


def identifier(text: str | None) -> str | None:
    """The id, name or ARN; None for anything that cannot be one."""
    return text if text is not None and _IDENTIFIER.fullmatch(text) else None


def user_id(logged_user_id: str) -> str:
    """The user's id in IAM Identity Center, without its store; any other id or ARN as it is."""
    return _IDENTITY_STORE.sub("", logged_user_id, count=1) if logged_user_id.startswith("d-") else logged_user_id
