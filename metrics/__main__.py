"""`python -m metrics fid50k,ppl_wfull --network RUN`: scores from the command line."""

import sys

from metrics.program import run_all

sys.exit(run_all())
