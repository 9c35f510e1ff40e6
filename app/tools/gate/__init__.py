"""The one gate for every tool call: schema, permission, sandbox."""
