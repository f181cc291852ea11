"""``python -m firconv.translation > docs/conventions-table.md`` writes the table of conventions."""

import sys

from firconv.translation.table import text

if __name__ == "__main__":
    sys.stdout.write(text())
