"""`python -m chromagan` is the same as the console script."""

import sys

from chromagan.cli.main import main

sys.exit(main())
