"""python -m studies digits|scenes|ablations|flowers: see `program`."""

import sys

from studies import program
from stylegan_tf import command_line

sys.exit(command_line.run(program.main))
