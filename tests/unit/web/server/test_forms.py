"""A form comes back as it was shown, from this process, within ten minutes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rollback_ops.web.server.forms import FORM_WITHIN, FormSigner, RollbackForm, new_key
from tests.support.dashboard import Clock

FORM = RollbackForm("prod", "web", emergency=False, leaves="b3", target="b2", approved="0" * 64, key=new_key())
texts = st.text(max_size=40)


@given(st.builds(RollbackForm, texts, texts, st.booleans(), texts, texts, texts, texts))
def test_every_form_comes_back_as_it_was(form: RollbackForm) -> None:
    signer = FormSigner()
    signed = signer.sign(form)
    assert signer.read(signed) == (form, None)
    assert set(signed) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.")


@given(st.text(max_size=200))
def test_no_other_text_is_a_form(text: str) -> None:
    assert FormSigner().read(text) is None


def test_the_form_of_another_process_is_none() -> None:
    assert FormSigner().read(FormSigner().sign(FORM)) is None


def test_a_form_is_too_old_after_ten_minutes() -> None:
    clock = Clock()
    signer = FormSigner(clock)
    signed = signer.sign(FORM)
    clock.now += FORM_WITHIN
    assert signer.read(signed) == (FORM, None)
    clock.now += 1
    assert signer.read(signed) == (FORM, "expired")


def test_two_forms_of_the_same_plan_are_two_rollbacks() -> None:
    assert new_key() != new_key()
