"""Predict, then reveal: a card that asks before the picture tells."""

from __future__ import annotations

import streamlit as st

from convexviz.architectures import quiz
from convexviz.experiments.result import Result


def card(result: Result, key: str) -> bool:
    """The architecture's question about this result, if it has one; whether it is answered.

    `key` tells questions apart: another one starts unanswered.
    """
    asked = _asked(key, result)
    if asked is None:
        return True
    told = f"{key}.told"
    revealed = bool(st.session_state.get(told))
    with st.container(border=True, key=f"{result.architecture}.quiz"):
        st.markdown(f"**Predict, then reveal**\n\n{asked.question}")
        guess = st.radio(
            "Your guess",
            asked.options,
            index=None,
            key=f"{key}.guess",
            disabled=revealed,
            label_visibility="collapsed",
        )
        if not revealed:
            st.button(
                "Reveal",
                key=f"{key}.reveal",
                disabled=guess is None,
                on_click=_reveal,
                args=(told,),
            )
        else:
            verdict = "Yes." if guess == asked.answer else f"Not quite: {asked.answer}."
            st.markdown(f"**{verdict}** {asked.why}")
    return revealed


def _reveal(told: str) -> None:
    st.session_state[told] = True


@st.cache_resource(show_spinner=False, max_entries=64)
def _asked(
    key: str,  # noqa: ARG001 - the cache goes by it
    _result: Result,
) -> quiz.Quiz | None:
    return quiz.of(_result.architecture)(_result)
