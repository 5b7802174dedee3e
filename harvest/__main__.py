"""`python -m harvest` is the command `harvest`."""

from harvest.cli import main

if __name__ == "__main__":
    main()
