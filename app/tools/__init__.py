"""One file per tool, the registry, and the one gate that every call goes through."""
