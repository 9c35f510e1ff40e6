"""What a repository and a person tell agents: instruction files, skills, hooks; and whom of them to trust."""
