"""A project with a worker: what `manage.py runworker thumbnails` runs in test_runworker.py."""
