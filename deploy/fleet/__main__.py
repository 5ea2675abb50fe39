"""`python -m fleet VERB`: the command line behind the Makefile. Works before anything is installed."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # an older Python is to read this sentence, not a traceback
    sys.exit(
        f"The fleet needs Python 3.11 or newer and {sys.executable} is {sys.version_info[0]}.{sys.version_info[1]}: "
        "install a newer one and name it, for example make up PYTHON=python3.12."
    )

from fleet.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
