"""`python -m primatrix` is the command line."""

from primatrix.cli import main

if __name__ == "__main__":
    main()
