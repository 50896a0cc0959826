"""The subcommands: each module adds its own to the parser, and a function that returns the status.

Exit status: 0 done, 1 a finding, 2 bad usage or bad input.
"""
