"""`python -m core` is `earshot`."""

from core.cli import main

main()
