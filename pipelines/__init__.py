"""The jobs and commands: one file each, their graphs, their options, their words; io/ knows the world outside."""
