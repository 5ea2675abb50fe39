"""The forms of log-in and sign-up: Django's, with names as short as the demos show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm, UserCreationForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.forms.utils import ErrorDict

from demos.accounts import attempts, hashing

if TYPE_CHECKING:
    _Form = UserCreationForm[User]
else:  # the stubs know type parameters, the class does not
    _Form = UserCreationForm

TOO_OFTEN, BUSY = "too_often", "busy"
"""The codes of the refusals."""
SAID = {
    TOO_OFTEN: "Too many attempts to log in. Try again in %(time)s.",
    BUSY: "Too many people log in or sign up at this moment. Try again in a few seconds.",
}
SAID_OF_SIGN_UP = "Too many accounts were made from your address. Try again in %(time)s."
NAME_LIMIT = 24
"""Characters of a name: it stands beside a player, a cursor and each message."""


def time_of(minutes: int) -> str:
    """Return so many minutes in words."""
    return "a minute" if minutes == 1 else f"{minutes} minutes"


class _Patient(AuthenticationForm):
    """Refuses, with the time to wait, who has tried too often; counted before the password is looked at."""

    error_messages = {**AuthenticationForm.error_messages, **SAID}  # noqa: RUF012 - Django's own, which its stubs call an instance's
    wait = hashing.RETRY_AFTER
    """Seconds that who is refused has to wait."""

    def clean(self) -> dict[str, Any]:
        """Look at name and password. Raise ValidationError."""
        name = self.cleaned_data.get("username")
        if self.request is None or not name or not self.cleaned_data.get("password"):
            return super().clean()
        if minutes := attempts.minutes_to_wait(self.request, name):
            self.wait = minutes * 60
            raise ValidationError(SAID[TOO_OFTEN], code=TOO_OFTEN, params={"time": time_of(minutes)})
        try:
            with hashing.turn():
                cleaned = super().clean()
        except hashing.Busy:
            attempts.not_made(self.request, name)
            raise ValidationError(SAID[BUSY], code=BUSY) from None
        attempts.succeeded(self.request, name)
        return cleaned


class LogInForm(_Patient):
    """Name and password, on the demos' page."""


class StaffLogInForm(_Patient, AdminAuthenticationForm):
    """The same at the admin's door."""

    error_messages = {**AdminAuthenticationForm.error_messages, **SAID}  # noqa: RUF012 - as above


class SignUpForm(_Form):
    """A name and a password, twice."""

    wait = hashing.RETRY_AFTER
    """As above."""
    username = forms.CharField(
        max_length=NAME_LIMIT,
        help_text=f"At most {NAME_LIMIT} letters, digits and @ . + - _. Others see it.",
        validators=[User.username_validator],
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}),
    )

    class Meta:
        """The project's users."""

        model = User
        fields: ClassVar[tuple[str, ...]] = ("username",)

    def refuse(self, minutes: int) -> None:
        """Say when to come back; nothing else is looked at."""
        self.wait, self.cleaned_data = minutes * 60, {}
        self._errors = ErrorDict(renderer=self.renderer)
        self.add_error(None, ValidationError(SAID_OF_SIGN_UP, code=TOO_OFTEN, params={"time": time_of(minutes)}))

    def save_in_turn(self) -> User | None:
        """Make the account; None, and it is said why, where too many others are waiting to."""
        try:
            with hashing.turn():
                return self.save()
        except hashing.Busy:
            self.add_error(None, ValidationError(SAID[BUSY], code=BUSY))
            return None
