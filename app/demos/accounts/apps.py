"""The accounts' pages, as Django knows them."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Templates are found by this."""

    name = "demos.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Have the admin's own page refuse who tries too often, too."""
        from django.contrib import admin

        from demos.accounts.forms import StaffLogInForm

        admin.site.login_form = StaffLogInForm
