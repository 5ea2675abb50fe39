"""Static files under names with a hash of their content, compressed: a browser may keep them for ever."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Renames imports within JavaScript modules too: a page never mixes the files of two versions."""

    support_js_module_import_aggregation = True
