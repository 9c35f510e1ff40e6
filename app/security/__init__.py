"""What is trusted, and why: plugin manifests and their signatures."""
