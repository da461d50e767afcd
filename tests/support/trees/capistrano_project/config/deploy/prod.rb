server :local, roles: %w[app]
