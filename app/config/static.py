"""Static files under names with a hash of their content, compressed: a browser may keep them for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whitenoise.storage import CompressedManifestStaticFilesStorage

if TYPE_CHECKING:
    from collections.abc import Iterable

NOT_COMPRESSED = "admin/"
"""Django's own 130 files, which few ask for: each start of a fleet would wait seconds for the smallest of them."""


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Renames imports within JavaScript modules too: a page never mixes the files of two versions."""

    support_js_module_import_aggregation = True

    def compress_files(self, paths: Iterable[str]) -> Any:
        """Compress the files of our own pages."""
        return super().compress_files([path for path in paths if not path.startswith(NOT_COMPRESSED)])
