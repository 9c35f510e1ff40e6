"""`ctl`: the command line. It watches and asks; what counts happens in workflows."""
