"""Who may look: nobody is asked, a password, or OpenID Connect by Streamlit's own login.

Here: the sign-in pages. Not here: hashes and waiting (`passwords.py`), setting OpenID Connect up (`docs/dashboard.md`).
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from usage_pipeline.ui.options import PASSWORD_VARIABLE, Options
from usage_pipeline.ui.passwords import Door, TooSoonError

_SIGNED_IN = "signed_in"


@dataclass(frozen=True)
class Person:
    """Who looks; `name` is their address or name where the login tells it."""

    name: str | None = None


def require(options: Options) -> Person | None:
    """The person who looks; None when the page now shows how to sign in."""
    if options.login == "password":
        return _with_password()
    if options.login == "oidc":
        return _with_provider(options.allowed)
    return Person()


def _with_password() -> Person | None:
    if st.session_state.get(_SIGNED_IN):
        return Person()
    with st.form("sign-in", width=420):
        password = st.text_input("Password", type="password", autocomplete="current-password")
        asked = st.form_submit_button("Sign in")
    if not asked:
        return None
    try:
        is_right = _door(os.environ[PASSWORD_VARIABLE]).try_password(password or "")
    except TooSoonError as error:
        st.error(f"Too many wrong tries. Try again in {math.ceil(error.seconds)} s.")
        return None
    if is_right:
        st.session_state[_SIGNED_IN] = True
        st.rerun()
    st.error("This is not the password.")
    return None


@st.cache_resource(show_spinner=False)
def _door(kept: str) -> Door:
    return Door(kept)


def _with_provider(allowed: Sequence[str]) -> Person | None:
    if not st.user.is_logged_in:
        st.title("Bedrock usage")
        if st.button("Sign in", type="primary"):
            st.login()
        return None
    claims = st.user.to_dict()
    if not may_look(claims, allowed):
        st.error("You are signed in, but your address is not among those who may look at this dashboard.")
        if st.button("Sign out"):
            st.logout()
        return None
    with st.sidebar:
        st.button("Sign out", on_click=st.logout, key="sign-out")
    return Person(str(claims.get("email") or claims.get("name") or claims.get("sub") or "") or None)


def may_look(claims: Mapping[str, object], allowed: Sequence[str]) -> bool:
    """Whether the provider's claims name an allowed address or domain; an address it says is unverified is none."""
    if not allowed:
        return True
    address = str(claims.get("email") or "").casefold()
    if "@" not in address or claims.get("email_verified") is False:
        return False
    domain = "@" + address.rpartition("@")[2]
    return any(entry.casefold() in (address, domain) for entry in allowed)
