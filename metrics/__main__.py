"""`python -m metrics fid50k,ppl_wfull --network RUN`: scores from the command line."""

import sys

from stylegan_tf import program_start

program_start.begin()

from metrics.program import run_all  # noqa: E402  after the handling of Ctrl-C

sys.exit(run_all())
