"""What the workflows are made of: pure functions and small classes, loaded once for all of them.

The sandbox loads the files of `workflows/` again for each workflow, so that none can leave anything behind for
another; these it shares, which halves what an agent costs. So they hold no state of a module and read no clock,
randomness, environment or file: `tests/workflows/test_parts.py` reads them for it.
"""
