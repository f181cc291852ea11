"""``python -m firconv`` is the command ``firconv``."""

import sys

from firconv.cli import main

if __name__ == "__main__":
    sys.exit(main())
