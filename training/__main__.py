"""`python -m training std ...` is `csg-train std ...`."""

from training.cli import main

if __name__ == "__main__":
    main()
