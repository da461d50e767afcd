"""The commands, in the groups of the help. Importing a module adds its commands to the command line."""
