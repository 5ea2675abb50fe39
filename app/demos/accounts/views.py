"""Log-in, log-out and sign-up; each leads back to where one came from.

Who tries too often gets 429, who comes while too many passwords are looked at 503, with the form and the time to wait.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from django.contrib.auth import login as begin_session
from django.contrib.auth.views import LoginView, LogoutView, RedirectURLMixin
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView

from demos.accounts import attempts
from demos.accounts.forms import BUSY, TOO_OFTEN, LogInForm, SignUpForm

if TYPE_CHECKING:
    from typing import Any

    from django.contrib.auth.forms import AuthenticationForm
    from django.http import HttpRequest, HttpResponse

    _View = FormView[SignUpForm]
else:  # the stubs know type parameters, the class does not
    _View = FormView


STATUSES = {TOO_OFTEN: HTTPStatus.TOO_MANY_REQUESTS, BUSY: HTTPStatus.SERVICE_UNAVAILABLE}


class SignUpView(RedirectURLMixin, _View):
    """Make an account, and be logged in."""

    template_name = "accounts/signup.html"
    form_class = SignUpForm
    next_page = "home:home"

    @method_decorator([sensitive_post_parameters(), csrf_protect, never_cache])
    def dispatch(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer; nobody keeps the page, and no error report the password."""
        return super().dispatch(*args, **kwargs)  # type: ignore[return-value] # whatever a view returns

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add where to go on."""
        return {"next": self.get_redirect_url(), **super().get_context_data(**kwargs)}

    def post(self, request: HttpRequest, *args: str, **kwargs: Any) -> HttpResponse:
        """Look at the form, unless too many came from the address: it tells which names there are."""
        if minutes := attempts.minutes_to_sign_up(request):
            form = self.get_form()
            form.refuse(minutes)
            return self.form_invalid(form)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: SignUpForm) -> HttpResponse:
        """Make the account and begin its session."""
        user = form.save_in_turn()
        if user is None:
            return self.form_invalid(form)
        begin_session(self.request, user)
        return HttpResponseRedirect(self.get_success_url())

    def form_invalid(self, form: SignUpForm) -> HttpResponse:
        """Show the form with what is wrong."""
        return _as_said(form, super().form_invalid(form))


class LogInView(LoginView):
    """Log in."""

    template_name = "accounts/login.html"
    authentication_form = LogInForm
    next_page = "home:home"

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Show the form with what is wrong."""
        return _as_said(form, super().form_invalid(form))


def _as_said(form: Any, response: HttpResponse) -> HttpResponse:
    """Return the answer with the status of what the form says, and with the time to wait."""
    for code, status in STATUSES.items():
        if form.has_error(NON_FIELD_ERRORS, code):
            response.status_code = status
            response.headers["Retry-After"] = str(form.wait)
    return response


login = LogInView.as_view()
logout = LogoutView.as_view(next_page="home:home")
signup = SignUpView.as_view()
