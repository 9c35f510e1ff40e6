"""The one door to Temporal for every surface: start, decide, tell, watch, list, cancel."""
