"""python -m studies digits|scenes|ablations|flowers: see `program`."""

import sys

from stylegan_tf import program_start

program_start.begin(needs_config=True)

from studies import program  # noqa: E402
from stylegan_tf import command_line  # noqa: E402  after the handling of Ctrl-C

sys.exit(command_line.run(program.main))
