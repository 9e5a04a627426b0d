"""``python -m jumok`` is the command ``jumok``."""

from jumok.cli import main

if __name__ == "__main__":
    main()
