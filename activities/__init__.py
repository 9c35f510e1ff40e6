"""Activities act: they call models, tools, git and measures. One file per family."""
