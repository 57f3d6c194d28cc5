"""The command line: every command of `posterity`, one module per group."""
