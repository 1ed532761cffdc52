"""`python -m chromagan` is the same as the console script."""

import sys

from chromagan.apps.cli.main import main

sys.exit(main())
